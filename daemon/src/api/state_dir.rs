//! One daemon to a state directory.

use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg};

/// Why the state directory cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum ClaimError {
    /// the directory or the lock file cannot be made
    #[error("state directory {}: {source}", path.display())]
    Io {
        /// The directory or file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// another daemon runs on this directory
    #[error("state directory {} belongs to a running berthd, process {holder}", path.display())]
    Taken {
        /// The directory.
        path: PathBuf,
        /// What the other one wrote into the lock file.
        holder: String,
    },
}

/// The right to serve a state directory; ends with the process or when dropped.
#[derive(Debug)]
pub struct Claim {
    _lock: Flock<fs::File>,
}

impl Claim {
    /// Makes the directory (mode 0700) where it is missing, and claims it.
    pub fn take(state_dir: &Path) -> Result<Self, ClaimError> {
        let failed = |path: &Path| {
            let path = path.to_owned();
            move |source| ClaimError::Io { path, source }
        };
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(state_dir)
            .map_err(failed(state_dir))?;
        let path = state_dir.join("berthd.lock");
        let file = fs::OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(&path)
            .map_err(failed(&path))?;
        match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
            Ok(mut lock) => {
                // Only for the message that a second daemon prints.
                lock.set_len(0)
                    .and_then(|()| writeln!(lock, "{}", std::process::id()))
                    .map_err(failed(&path))?;
                Ok(Self { _lock: lock })
            }
            Err((_, Errno::EWOULDBLOCK)) => Err(ClaimError::Taken {
                path: state_dir.to_owned(),
                holder: fs::read_to_string(&path)
                    .unwrap_or_default()
                    .trim()
                    .to_owned(),
            }),
            Err((_, errno)) => Err(failed(&path)(errno.into())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_second_is_refused_until_the_first_ends() {
        let dir = tempfile::tempdir().expect("temporary directory");
        let state_dir = dir.path().join("a/b");
        let first = Claim::take(&state_dir).expect("free");
        let error = Claim::take(&state_dir).expect_err("taken");
        let expected = format!(
            "state directory {} belongs to a running berthd, process {}",
            state_dir.display(),
            std::process::id()
        );
        assert_eq!(error.to_string(), expected);
        drop(first);
        assert!(Claim::take(&state_dir).is_ok());
    }

    #[test]
    fn a_file_in_the_way_is_named() {
        let dir = tempfile::tempdir().expect("temporary directory");
        let path = dir.path().join("file");
        fs::write(&path, "").expect("write");
        let error = Claim::take(&path).expect_err("no directory");
        assert!(
            error.to_string().contains(&path.display().to_string()),
            "{error}"
        );
    }
}
