//! The system calls that touch the store, one function each, all or nothing.
//!
//! A file appears under its name only when it is complete: leases are written to an
//! unnamed file that is then linked, which fails if the name exists; `last_reserved_ip.N`
//! is overwritten in one call, or written beside and renamed over when it gets shorter. Where the file system has no unnamed files (9p,
//! older NFS and overlay) a lease, too, is written beside and renamed, after a look that
//! the name is free: under the lock nobody can take it in between. What a kill can leave
//! is that one file beside, [`TEMPORARY`]; its name is no address, so it is no lease to
//! anyone, the next writer reuses it and the next rebuild of the index removes it.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::fd::AsRawFd;
use std::os::unix::fs::{DirBuilderExt, FileExt, OpenOptionsExt};
use std::path::Path;

use nix::errno::Errno;
use nix::fcntl::{AT_FDCWD, AtFlags, OFlag};

use crate::error::Error;

/// Name of the file that is written before it is renamed.
pub(crate) const TEMPORARY: &str = ".berth.tmp";

/// Lease files are read no further than this; real ones have under 100 bytes.
const LONGEST: u64 = 4096;

/// Makes the directory and its parents, as upstream does.
pub(crate) fn make_directory(path: &Path) -> Result<(), Error> {
    let made = fault::before("make directory")
        .and_then(|()| DirBuilder::new().recursive(true).mode(0o755).create(path));
    made.map_err(|source| Error::io("make directory", path, source))
}

/// A file's contents, `None` when there is no such file.
pub(crate) fn read(path: &Path) -> io::Result<Option<Vec<u8>>> {
    let file = match File::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        file => file?,
    };
    let mut contents = Vec::with_capacity(128);
    file.take(LONGEST).read_to_end(&mut contents)?;
    Ok(Some(contents))
}

/// Makes a file with these contents unless the name exists; says whether it did.
pub(crate) fn create_exclusive(
    directory: &Path,
    name: &str,
    contents: &[u8],
) -> Result<bool, Error> {
    let path = directory.join(name);
    let created = match create_unnamed(directory).and_then(|file| link(file, &path, contents)) {
        Err(Errno::EEXIST) => Ok(false),
        Err(
            Errno::EOPNOTSUPP
            | Errno::EISDIR
            | Errno::EINVAL
            | Errno::ENOSYS
            | Errno::EXDEV
            | Errno::ENOENT
            | Errno::EPERM,
        ) => create_by_rename(directory, &path, contents),
        Err(errno) => Err(errno.into()),
        Ok(()) => Ok(true),
    };
    created.map_err(|source| Error::io("write", &path, source))
}

fn create_unnamed(directory: &Path) -> Result<File, Errno> {
    let opened = fault::before("open unnamed").and_then(|()| {
        OpenOptions::new()
            .write(true)
            .mode(0o600)
            .custom_flags(OFlag::O_TMPFILE.bits())
            .open(directory)
    });
    opened.map_err(errno)
}

fn link(mut file: File, path: &Path, contents: &[u8]) -> Result<(), Errno> {
    fault::before("write unnamed")
        .and_then(|()| file.write_all(contents))
        .map_err(errno)?;
    fault::before("link").map_err(errno)?;
    // By way of /proc, because AT_EMPTY_PATH needs a capability that a container may lack.
    let unnamed = format!("/proc/self/fd/{}", file.as_raw_fd());
    nix::unistd::linkat(
        AT_FDCWD,
        unnamed.as_str(),
        AT_FDCWD,
        path,
        AtFlags::AT_SYMLINK_FOLLOW,
    )
}

fn create_by_rename(directory: &Path, path: &Path, contents: &[u8]) -> io::Result<bool> {
    if fs::symlink_metadata(path).is_ok() {
        return Ok(false);
    }
    rename_over(directory, path, contents).map(|()| true)
}

/// Gives a file these contents, whether it exists or not.
pub(crate) fn replace(directory: &Path, name: &str, contents: &[u8]) -> Result<(), Error> {
    let path = directory.join(name);
    let replaced = overwrite(&path, contents).and_then(|done| {
        if done {
            Ok(())
        } else {
            rename_over(directory, &path, contents)
        }
    });
    replaced.map_err(|source| Error::io("write", &path, source))
}

/// Writes over a file that is not longer than its new contents, in a single call that a
/// kill cannot cut in two. Says whether it could.
///
/// Renaming over a file is as safe and always possible, but makes ext4 send the new one
/// to the disk there and then, which took most of the time of an ADD.
fn overwrite(path: &Path, contents: &[u8]) -> io::Result<bool> {
    let file = match OpenOptions::new().write(true).open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        file => file?,
    };
    if file.metadata()?.len() > contents.len() as u64 {
        return Ok(false);
    }
    fault::before("overwrite")?;
    match file.write_at(contents, 0)? {
        written if written == contents.len() => Ok(true),
        _ => Err(io::ErrorKind::WriteZero.into()),
    }
}

fn rename_over(directory: &Path, path: &Path, contents: &[u8]) -> io::Result<()> {
    let temporary = directory.join(TEMPORARY);
    let written = fault::before("open temporary")
        .and_then(|()| {
            OpenOptions::new()
                .write(true)
                .create(true)
                .truncate(true)
                .mode(0o600)
                .open(&temporary)
        })
        .and_then(|mut file| {
            fault::before("write temporary").and_then(|()| file.write_all(contents))
        })
        .and_then(|()| fault::before("rename"))
        .and_then(|()| fs::rename(&temporary, path));
    if written.is_err() {
        // The error that matters is the first one; a leftover is harmless (see above).
        let _ = fs::remove_file(&temporary);
    }
    written
}

/// Removes a file; says whether it was there.
pub(crate) fn remove(path: &Path) -> Result<bool, Error> {
    match fault::before("remove").and_then(|()| fs::remove_file(path)) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(source) => Err(Error::io("remove", path, source)),
    }
}

/// Whether a file with contents can be made in this directory, leaving none behind.
pub(crate) fn probe(directory: &Path) -> Result<(), Error> {
    let written =
        create_unnamed(directory).and_then(|mut file| file.write_all(b"probe").map_err(errno));
    match written {
        Err(Errno::EOPNOTSUPP | Errno::EISDIR | Errno::EINVAL | Errno::ENOSYS) => {
            replace(directory, TEMPORARY, b"probe")?;
            remove(&directory.join(TEMPORARY)).map(|_| ())
        }
        written => written.map_err(|errno| Error::io("write to", directory, errno.into())),
    }
}

fn errno(error: io::Error) -> Errno {
    Errno::from_raw(error.raw_os_error().unwrap_or(Errno::EIO as i32))
}

/// Where the tests stop a process, or make a system call fail, at a chosen call.
#[cfg(not(test))]
pub(crate) mod fault {
    /// Nothing happens before a call outside of tests.
    #[inline(always)]
    pub(crate) fn before(_call: &'static str) -> std::io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
pub(crate) mod fault;
