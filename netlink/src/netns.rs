//! Handles of network namespaces: opening, telling apart, entering and connecting.

use std::fs::File;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use nix::errno::Errno;
use nix::sched::{CloneFlags, setns};
use serde::{Deserialize, Serialize};

use crate::{Error, Netlink, Result};

/// The namespace of the thread that opens this path.
const OWN: &str = "/proc/thread-self/ns/net";

mod ioctl {
    //! The one ioctl that tells what kind of namespace a descriptor is of.
    nix::ioctl_none!(ns_get_nstype, 0xb7, 0x3);
}

/// What tells one network namespace from another, whatever path it was reached by: a path that was reused for a new
/// namespace has another identity. Unique among the living; the kernel may give a dead one's inode to a later one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct NetnsId {
    /// Device number of the file system of namespaces.
    pub dev: u64,
    /// Inode number of the namespace.
    pub inode: u64,
}

/// An open network namespace. It stays alive as long as the handle does, even when its path is removed.
#[derive(Debug, Clone)]
pub struct Netns {
    file: Arc<File>,
    path: PathBuf,
    id: NetnsId,
}

impl Netns {
    /// The namespace that the calling thread is in.
    ///
    /// # Errors
    /// [`Error::NotFound`] or [`Error::Open`] where `/proc` is not mounted or not readable.
    pub fn current() -> Result<Self> {
        Self::open(Path::new(OWN))
    }

    /// Opens the namespace at `path`, as a container runtime names it: a bind mount or `/proc/<pid>/ns/net`.
    ///
    /// # Errors
    /// [`Error::NotFound`] if nothing is there, [`Error::NotNetns`] if something else is there (a plain file, as it
    /// remains where a bind mount was taken away, or another kind of namespace), else [`Error::Open`].
    pub fn open(path: &Path) -> Result<Self> {
        let open_error = |errno| match errno {
            Errno::ENOENT => Error::NotFound {
                path: path.to_owned(),
            },
            errno => Error::Open {
                path: path.to_owned(),
                errno,
            },
        };
        // Without O_NONBLOCK a FIFO at this path would hang the caller.
        let file = File::options()
            .read(true)
            .custom_flags(nix::libc::O_NONBLOCK)
            .open(path)
            .map_err(|error| open_error(errno_of(&error)))?;
        // SAFETY: NS_GET_NSTYPE takes no argument and touches no memory; `file` is open for the whole call. On a
        // descriptor that is no namespace the kernel answers ENOTTY, or runs a driver's own ioctl without argument.
        let kind = unsafe { ioctl::ns_get_nstype(file.as_raw_fd()) };
        if kind != Ok(CloneFlags::CLONE_NEWNET.bits()) {
            return Err(Error::NotNetns {
                path: path.to_owned(),
            });
        }
        let meta = file
            .metadata()
            .map_err(|error| open_error(errno_of(&error)))?;
        Ok(Self {
            id: NetnsId {
                dev: meta.dev(),
                inode: meta.ino(),
            },
            file: Arc::new(file),
            path: path.to_owned(),
        })
    }

    /// The path it was opened by.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Which namespace this is.
    pub fn id(&self) -> NetnsId {
        self.id
    }

    /// Runs `f` with this thread in the namespace, and returns the thread to the namespace it came from, also when
    /// `f` panics. `f` must not await: only this thread is moved, and only for the time of the call.
    ///
    /// If the thread cannot return, the process is aborted: going on in a pod's namespace would configure the pod in
    /// place of the host.
    ///
    /// # Errors
    /// [`Error::Enter`] if the namespace cannot be entered; `f` has not run then.
    pub fn enter<T>(&self, f: impl FnOnce() -> T) -> Result<T> {
        let enter_error = |errno| Error::Enter {
            path: self.path.clone(),
            errno,
        };
        let former = File::open(OWN).map_err(|error| enter_error(errno_of(&error)))?;
        setns(&self.file, CloneFlags::CLONE_NEWNET).map_err(enter_error)?;
        let _way_back = WayBack { former };
        Ok(f())
    }

    /// Opens a netlink connection that lives in this namespace, served by a task on the current runtime until the
    /// last clone is dropped.
    ///
    /// # Errors
    /// [`Error::Enter`] or [`Error::Socket`].
    ///
    /// # Panics
    /// Outside a tokio runtime.
    pub fn connect(&self) -> Result<Netlink> {
        Netlink::open(self)
    }

    /// The descriptor as netlink attributes want it. Valid while the handle is.
    pub(crate) fn raw_fd(&self) -> RawFd {
        self.file.as_raw_fd()
    }
}

impl AsFd for Netns {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }
}

impl PartialEq for Netns {
    /// The same namespace, whatever the paths.
    fn eq(&self, other: &Self) -> bool {
        self.id == other.id
    }
}

impl Eq for Netns {}

/// Returns the thread to the namespace it came from when it goes out of scope.
struct WayBack {
    former: File,
}

impl Drop for WayBack {
    fn drop(&mut self) {
        if let Err(errno) = setns(&self.former, CloneFlags::CLONE_NEWNET) {
            eprintln!("cannot return to the former network namespace: {errno}; aborting");
            std::process::abort();
        }
    }
}

/// The errno of an error of the standard library, EIO where it has none.
pub(crate) fn errno_of(error: &std::io::Error) -> Errno {
    error.raw_os_error().map_or(Errno::EIO, Errno::from_raw)
}
