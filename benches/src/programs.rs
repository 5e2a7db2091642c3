//! Where the measured programs are, and the folders a run leaves nothing in.

use std::cell::OnceCell;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};
use tempfile::TempDir;
use tests::binaries;

use crate::setting;

/// Builds the reference plugins if they are not in the cache, and prints where they are.
const SETUP: &str = include_str!("../setup.sh");

/// The programs under test, their peers, and the folders of this run.
#[derive(Debug)]
pub struct Programs {
    /// Holds `berth` under each of its names.
    berth: TempDir,
    peers: OnceCell<PathBuf>,
    /// IPAM stores: on a disk, as `/var/lib/cni` is.
    stores: TempDir,
    /// Attachment records: in memory, as the plugin's default `/run/berth` is.
    state: TempDir,
}

impl Programs {
    /// Find berth and the daemon, and make the folders.
    ///
    /// # Errors
    /// When berth is not built.
    pub fn prepare() -> Result<Self> {
        let plugin = binaries::berth()?;
        let folder = |parent: &str| {
            tempfile::Builder::new()
                .prefix("berth-bench-")
                .tempdir_in(parent)
                .with_context(|| format!("cannot make a folder in {parent}"))
        };
        let berth = folder("/run")?;
        for name in ["berth", "berth-ipam", "host-local", "loopback"] {
            symlink(&plugin, berth.path().join(name)).context("cannot link the plugin")?;
        }
        Ok(Self {
            berth,
            peers: OnceCell::new(),
            stores: folder("/var/tmp")?,
            state: folder(in_memory())?,
        })
    }

    /// The folder of `berth` and its links.
    pub fn berth(&self) -> &Path {
        self.berth.path()
    }

    /// The folder of the reference plugins; they are built now if they are missing.
    ///
    /// # Errors
    /// When they cannot be built.
    pub fn peers(&self) -> Result<&Path> {
        if self.peers.get().is_none() {
            self.peers.set(build_peers()?).ok();
        }
        Ok(self.peers.get().expect("set just now"))
    }

    /// The folder where IPAM stores are made.
    pub fn stores(&self) -> &Path {
        self.stores.path()
    }

    /// The folder where attachment records and control sockets are made.
    pub fn state(&self) -> &Path {
        self.state.path()
    }
}

/// Where a tmpfs is: `/run` is one on a machine that systemd started, but not in every container.
pub(crate) fn in_memory() -> &'static str {
    let candidates = ["/run", "/dev/shm"];
    let found = candidates
        .into_iter()
        .find(|folder| setting::file_system(folder.as_ref()) == "tmpfs");
    found.unwrap_or("/run")
}

fn build_peers() -> Result<PathBuf> {
    let output = Command::new("bash")
        .args(["-c", SETUP, "setup.sh", "peers"])
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .context("cannot run bash")?;
    if !output.status.success() {
        bail!("the reference plugins could not be prepared, see above");
    }
    let text = String::from_utf8(output.stdout).context("the path of the peers is not UTF-8")?;
    Ok(PathBuf::from(text.trim()))
}
