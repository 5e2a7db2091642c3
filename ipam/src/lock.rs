//! The lock that all users of a network's directory share with upstream's host-local.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;

use crate::error::Error;

/// Held until dropped. A killed process lets go of it, the kernel sees to that.
#[derive(Debug)]
pub(crate) struct Lock {
    _file: File,
}

impl Lock {
    /// Waits for the lock of a directory, for as long as others hold it, as upstream
    /// does. `None` when the directory does not exist.
    pub fn acquire(directory: &Path) -> Result<Option<Self>, Error> {
        let path = directory.join("lock");
        loop {
            let file = match open(&path) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
                file => file.map_err(|source| Error::io("open", &path, source))?,
            };
            loop {
                match file.lock() {
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                    locked => break locked.map_err(|source| Error::io("lock", &path, source))?,
                }
            }
            // Someone who cleared the directory meanwhile left us with a lock that nobody
            // else will ever look at.
            if same_file(&file, &path) {
                return Ok(Some(Self { _file: file }));
            }
        }
    }
}

fn open(path: &Path) -> io::Result<File> {
    // For writing, because NFS grants an exclusive lock to no other; a store that can
    // only be read can still be checked.
    match OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o750)
        .open(path)
    {
        Err(error)
            if matches!(
                error.kind(),
                io::ErrorKind::ReadOnlyFilesystem | io::ErrorKind::PermissionDenied
            ) =>
        {
            File::open(path).map_err(|_| error)
        }
        file => file,
    }
}

fn same_file(file: &File, path: &Path) -> bool {
    match (file.metadata(), fs::metadata(path)) {
        (Ok(ours), Ok(theirs)) => (ours.dev(), ours.ino()) == (theirs.dev(), theirs.ino()),
        _ => false,
    }
}
