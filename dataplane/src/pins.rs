//! Where things are pinned.

use std::fs;
use std::path::{Path, PathBuf};

use abi::ABI_VERSION;
use nix::sys::statfs::{FsType, statfs};

use crate::error::{Error, Result};

/// Magic number of a BPF file system (`BPF_FS_MAGIC`).
const BPF_FS: FsType = FsType(0xcafe_4a11);

/// Removes a pin; one that is not there is none.
pub(crate) fn remove(pin: &Path) -> Result<()> {
    match fs::remove_file(pin) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(Error::path(pin)(error)),
        _ => Ok(()),
    }
}

/// The directory of this ABI version's pins.
#[derive(Debug, Clone)]
pub struct Pins {
    root: PathBuf,
}

impl Pins {
    /// The pins below `bpf_dir`.
    pub fn new(bpf_dir: &Path) -> Self {
        Self {
            root: bpf_dir.join(format!("v{ABI_VERSION}")),
        }
    }

    /// Checks that the place is on a BPF file system.
    ///
    /// # Errors
    /// When it is not.
    pub fn check_place(&self) -> Result<()> {
        let there = self.root.ancestors().find(|path| path.exists());
        let there = there.unwrap_or(Path::new("/"));
        let kind = statfs(there)
            .map_err(|errno| Error::path(there)(errno.into()))?
            .filesystem_type();
        if kind != BPF_FS {
            return Err(Error::NotBpffs {
                path: self.root.parent().unwrap_or(&self.root).to_owned(),
                mount: PathBuf::from("/sys/fs/bpf"),
            });
        }
        Ok(())
    }

    /// Makes the directories.
    ///
    /// # Errors
    /// When the place is not on a BPF file system: nothing is made then.
    pub fn prepare(&self) -> Result<()> {
        self.check_place()?;
        for directory in [self.maps(), self.links(), self.programs()] {
            fs::create_dir_all(&directory).map_err(Error::path(&directory))?;
        }
        Ok(())
    }

    /// Whether there is anything of this version.
    pub fn exist(&self) -> bool {
        self.maps().join(abi::names::SERVICES).exists()
    }

    fn maps(&self) -> PathBuf {
        self.root.join("maps")
    }

    /// Where links are pinned.
    pub fn links(&self) -> PathBuf {
        self.root.join("links")
    }

    fn programs(&self) -> PathBuf {
        self.root.join("programs")
    }

    /// Where a program is pinned.
    pub fn program(&self, name: &str) -> PathBuf {
        self.programs().join(name)
    }

    /// Where a map is pinned.
    pub fn map(&self, name: &str) -> PathBuf {
        self.maps().join(name)
    }

    /// Where the link of a program is pinned.
    pub fn link(&self, name: &str) -> PathBuf {
        self.links().join(name)
    }

    /// Removes all pins of every version below `bpf_dir`: programs whose links go are
    /// detached, and the kernel frees what nobody uses. The list of what was removed.
    ///
    /// # Errors
    /// When something cannot be removed.
    pub fn remove_all(bpf_dir: &Path) -> Result<Vec<PathBuf>> {
        let mut removed = Vec::new();
        for (_, version) in Self::versions(bpf_dir)? {
            Self::remove_version(&version, &mut removed)?;
        }
        fs::remove_dir(bpf_dir).ok();
        Ok(removed)
    }

    /// The versions of which there is something below `bpf_dir`, with their directories.
    pub(crate) fn versions(bpf_dir: &Path) -> Result<Vec<(u32, PathBuf)>> {
        let entries = match fs::read_dir(bpf_dir) {
            Ok(entries) => entries,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(Error::path(bpf_dir)(error)),
        };
        let version = |path: PathBuf| {
            let name = path.file_name()?.to_str()?;
            let number = name.strip_prefix('v')?.parse().ok()?;
            Some((number, path))
        };
        let paths = entries.flatten().map(|entry| entry.path());
        Ok(paths.filter_map(version).collect())
    }

    /// Removes one version's directory with all that is pinned there.
    pub(crate) fn remove_version(version: &Path, removed: &mut Vec<PathBuf>) -> Result<()> {
        // Links first: no program may run without its maps' names being known.
        for kind in ["links", "programs", "maps"] {
            let directory = version.join(kind);
            for pin in fs::read_dir(&directory).into_iter().flatten().flatten() {
                fs::remove_file(pin.path()).map_err(Error::path(pin.path()))?;
                removed.push(pin.path());
            }
            fs::remove_dir(&directory).ok();
        }
        fs::remove_dir(version).map_err(Error::path(version))
    }
}
