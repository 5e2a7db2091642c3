//! Failures of the dataplane.

use std::io;
use std::path::PathBuf;

/// Result of this crate.
pub type Result<T> = std::result::Result<T, Error>;

/// A failure of the dataplane.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// the directory for pins is no BPF file system
    #[error("{} is not on a BPF file system: mount -t bpf bpf {}", path.display(), mount.display())]
    NotBpffs {
        /// the directory
        path: PathBuf,
        /// where one should be mounted
        mount: PathBuf,
    },
    /// the pins are a later version's
    #[error("{}: pins of version {version} of the tables, and this build has {own}: run the build that made them, or berthd uninstall", path.display())]
    Newer {
        /// their directory
        path: PathBuf,
        /// their version
        version: u32,
        /// this build's
        own: u32,
    },
    /// a path cannot be used
    #[error("{}: {source}", path.display())]
    Path {
        /// the path
        path: PathBuf,
        /// what the kernel said
        source: io::Error,
    },
    /// the kernel refuses the object: maps could not be made
    #[error("load eBPF object: {0}")]
    Load(#[from] aya::EbpfError),
    /// the kernel refuses a program
    #[error("load program {name}: {source}")]
    Program {
        /// the program
        name: String,
        /// what the kernel said, with the verifier's log
        source: Box<aya::programs::ProgramError>,
    },
    /// the object lacks what this build expects in it
    #[error("eBPF object has no {0}")]
    Missing(&'static str),
    /// a map cannot be read or written
    #[error("map {name}: {source}")]
    Map {
        /// the map
        name: &'static str,
        /// what the kernel said
        source: aya::maps::MapError,
    },
    /// a program cannot be attached, or its link not be updated
    #[error("attach {name} to {}: {source}", place.display())]
    Attach {
        /// the program
        name: &'static str,
        /// where to
        place: PathBuf,
        /// what the kernel said
        source: io::Error,
    },
    /// a pinned link is not what it should be
    #[error("pin {}: {detail}", path.display())]
    Pin {
        /// the pin
        path: PathBuf,
        /// what is wrong
        detail: String,
    },
}

impl Error {
    pub(crate) fn path(path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::Path { path, source }
    }
}
