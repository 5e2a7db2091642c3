//! The store's files, laid out as upstream's: `<dataDir>/<network>/<address>`,
//! `last_reserved_ip.<set>` and `lock`. The index lies beside, in
//! `<dataDir>/.berth/<network>`: no network's name begins with a dot, and upstream
//! never looks outside its network's directory.

use std::fs;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use crate::config::DEFAULT_DATA_DIR;
use crate::error::Error;
use crate::lease::{Holder, StoredLease};
use crate::{address, disk};

/// Where one network's leases are. Having one touches nothing on disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Store {
    directory: PathBuf,
    index: PathBuf,
}

impl Store {
    /// The store of a network; an empty data directory means the default one.
    pub fn at(data_dir: &Path, network: &str) -> Self {
        let data_dir = if data_dir.as_os_str().is_empty() {
            Path::new(DEFAULT_DATA_DIR)
        } else {
            data_dir
        };
        Self {
            directory: data_dir.join(network),
            index: data_dir.join(".berth").join(network),
        }
    }

    /// The network's directory.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// The directory of the network's index. It may be deleted at any time.
    pub fn index_directory(&self) -> &Path {
        &self.index
    }

    /// The file of an address's lease.
    pub fn lease_path(&self, address: IpAddr) -> PathBuf {
        self.directory.join(address.to_canonical().to_string())
    }

    /// Makes the lease file unless there is one; says whether it did.
    pub(crate) fn create_lease(&self, address: IpAddr, holder: &Holder) -> Result<bool, Error> {
        disk::create_exclusive(
            &self.directory,
            &address.to_string(),
            holder.contents().as_bytes(),
        )
    }

    /// Whose the address is; `None` when nobody's. A file that cannot be read counts as a
    /// corrupt lease, as upstream passes over it: its address is taken, its holder unknown.
    pub(crate) fn holder(&self, address: IpAddr) -> Option<Holder> {
        let path = self.lease_path(address);
        match disk::read(&path) {
            Ok(contents) => contents.map(|contents| Holder::parse(&contents)),
            Err(error) => {
                tracing::warn!(path = %path.display(), %error, "lease cannot be read");
                Some(Holder::Corrupt {
                    contents: String::new(),
                })
            }
        }
    }

    /// All leases, in no order. Also removes what a killed writer left.
    pub(crate) fn scan(&self) -> Result<Vec<StoredLease>, Error> {
        let mut leases = Vec::new();
        for entry in fs::read_dir(&self.directory)
            .map_err(|source| Error::io("list", &self.directory, source))?
        {
            let entry = entry.map_err(|source| Error::io("list", &self.directory, source))?;
            let name = entry.file_name();
            let Some(name) = name.to_str() else { continue };
            if name == disk::TEMPORARY {
                let _ = disk::remove(&entry.path());
            }
            let Some(address) = address::parse(name).filter(|address| address.to_string() == name)
            else {
                continue;
            };
            let Some(holder) = self.holder(address) else {
                continue;
            };
            if let Holder::Corrupt { contents } = &holder {
                tracing::warn!(path = %entry.path().display(), contents, "corrupt lease, GC will remove it");
            }
            leases.push(StoredLease { address, holder });
        }
        Ok(leases)
    }

    /// The address last given out of a set. One that cannot be read is only worth a
    /// warning: the round robin begins anew, as upstream's does.
    pub(crate) fn last_reserved(&self, set: usize) -> Option<IpAddr> {
        let path = self.directory.join(last_reserved_name(set));
        match disk::read(&path) {
            Ok(contents) => address::parse(std::str::from_utf8(&contents?).ok()?),
            Err(error) => {
                tracing::warn!(path = %path.display(), %error, "last reserved address cannot be read");
                None
            }
        }
    }

    pub(crate) fn set_last_reserved(&self, set: usize, address: IpAddr) -> Result<(), Error> {
        disk::replace(
            &self.directory,
            &last_reserved_name(set),
            address.to_string().as_bytes(),
        )
    }
}

fn last_reserved_name(set: usize) -> String {
    format!("last_reserved_ip.{set}")
}
