//! What needs to see inside: crashes and errors at every system call, random histories,
//! and whether the index says what a scan says.

mod behind;
mod crash;
mod damage;
mod random;

use std::collections::BTreeMap;
use std::fs;
use std::net::IpAddr;

use crate::index::tests::expected;
use crate::session::Session;
use crate::{Config, StoredLease, address};

/// A data directory, and a configuration that allocates from it.
struct Rig {
    directory: tempfile::TempDir,
    config: Config,
}

impl Rig {
    /// With these subnets, each a range set of its own.
    fn new(subnets: &[&str]) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let ranges: Vec<_> = subnets
            .iter()
            .map(|subnet| serde_json::json!([{ "subnet": subnet }]))
            .collect();
        let network = serde_json::json!({
            "cniVersion": "1.0.0", "ipam": {"dataDir": directory.path().join("networks"), "ranges": ranges},
        });
        let config = Config::parse("net", &network, "").unwrap();
        Self { directory, config }
    }

    /// The network's files and what they hold, without the lock.
    fn files(&self) -> BTreeMap<String, Vec<u8>> {
        let Ok(entries) = fs::read_dir(self.config.store().directory()) else {
            return BTreeMap::new();
        };
        let entries = entries.map(|entry| entry.unwrap());
        let files = entries.map(|entry| {
            (
                entry.file_name().into_string().unwrap(),
                fs::read(entry.path()).unwrap_or_default(),
            )
        });
        files.filter(|(name, _)| name != "lock").collect()
    }

    fn add(&self, container_id: &str) -> Result<Vec<IpAddr>, crate::Error> {
        crate::allocate(&self.config, container_id, "eth0")
            .map(|got| got.ips.iter().map(|lease| lease.address.ip()).collect())
    }

    fn del(&self, container_id: &str) -> Result<Vec<IpAddr>, crate::Error> {
        crate::release(&self.config.store(), container_id, "eth0")
    }

    fn list(&self) -> Vec<StoredLease> {
        crate::list(&self.config.store()).unwrap()
    }

    /// Whether the next session can use the index; if so, it must say what a scan says.
    fn index_is_valid(&self) -> bool {
        let store = self.config.store();
        let Some(mut session) = Session::open(&store).unwrap() else {
            return false;
        };
        let Some(index) = session.index_for_test() else {
            return false;
        };
        assert_eq!(
            index.dump(),
            Ok(expected(&store.scan().unwrap())),
            "the index differs from a scan"
        );
        true
    }
}

fn ip(text: &str) -> IpAddr {
    address::parse(text).unwrap()
}
