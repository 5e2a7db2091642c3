//! The records on disk: `<stateDir>/attachments/<containerID>.<ifname>.json`.
//!
//! A record is replaced as a whole (temporary file, fsync, rename, fsync of the
//! directory), so that a reader sees the old or the new one and a crash leaves
//! one of the two. Records cut off by a full disk or edited by hand are reported
//! by path and never hide the others.

use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::fcntl::{Flock, FlockArg};

use crate::record::{Attachment, Key, VERSION};

/// How often a held lock is tried again.
const LOCK_POLL: Duration = Duration::from_millis(2);

/// What can go wrong with the records on disk.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The file system refused.
    #[error("cannot {action} {}: {source}", path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// On which file or directory.
        path: PathBuf,
        /// The system's answer.
        source: io::Error,
    },
    /// The file is cut off or is not a record.
    #[error("{} is no attachment record: {source}", path.display())]
    Corrupt {
        /// The file.
        path: PathBuf,
        /// Where and why parsing stopped.
        source: serde_json::Error,
    },
    /// The record was written by a newer release.
    #[error("{} has record version {found}, newest known is {VERSION}", path.display())]
    Version {
        /// The file.
        path: PathBuf,
        /// Version found.
        found: u32,
    },
    /// The file's name and its content name different attachments.
    #[error("{} belongs to attachment {found}, not to {expected}", path.display())]
    Foreign {
        /// The file.
        path: PathBuf,
        /// Attachment the content names.
        found: Key,
        /// Attachment that was looked for.
        expected: Key,
    },
    /// Somebody else is working on the attachment.
    #[error("attachment {key} is still locked by another process after {waited:?}")]
    Locked {
        /// The attachment.
        key: Key,
        /// How long was waited.
        waited: Duration,
    },
}

type Result<T> = std::result::Result<T, StoreError>;

/// All records of a directory: the good ones, and what was wrong with the others.
#[derive(Debug, Default)]
pub struct Listing {
    /// Readable records, by file name.
    pub attachments: Vec<Attachment>,
    /// One error for every unreadable record.
    pub broken: Vec<StoreError>,
}

/// The directory of records below a state directory.
#[derive(Debug, Clone)]
pub struct Store {
    state_dir: PathBuf,
    records: PathBuf,
    locks: PathBuf,
}

/// Held while one process acts on an attachment; dropped, it lets the next one in.
#[derive(Debug)]
pub struct AttachmentLock {
    path: PathBuf,
    file: Flock<fs::File>,
}

impl AttachmentLock {
    /// Removes the lock file with the attachment itself, before the lock is let go.
    pub fn retire(self) {
        // A file left behind costs nothing but an inode in the state directory.
        if let Err(error) = fs::remove_file(&self.path) {
            tracing::debug!(path = %self.path.display(), %error, "lock file stays");
        }
        drop(self.file);
    }
}

impl Store {
    /// Opens the store below `state_dir`, making its directories (mode 0700) if need be.
    pub fn open(state_dir: &Path) -> Result<Self> {
        let store = Self::at(state_dir);
        for dir in [&store.records, &store.locks] {
            fs::DirBuilder::new()
                .recursive(true)
                .mode(0o700)
                .create(dir)
                .map_err(|source| StoreError::Io {
                    action: "create directory",
                    path: dir.clone(),
                    source,
                })?;
        }
        Ok(store)
    }

    /// The store below `state_dir` without making anything: enough to list and read.
    pub fn at(state_dir: &Path) -> Self {
        Self {
            state_dir: state_dir.to_owned(),
            records: state_dir.join("attachments"),
            locks: state_dir.join("locks"),
        }
    }

    /// The state directory this store lies in.
    pub fn state_dir(&self) -> &Path {
        &self.state_dir
    }

    /// The directory that holds the records, to be watched.
    pub fn directory(&self) -> &Path {
        &self.records
    }

    /// Where the record of `key` lies.
    pub fn path(&self, key: &Key) -> PathBuf {
        self.records
            .join(format!("{}.{}.json", key.container_id, key.ifname))
    }

    /// Replaces the record of an attachment durably.
    ///
    /// Refuses to replace the record of another one: ids and interface names may
    /// contain dots, so two attachments can meet in one file name.
    pub fn write(&self, record: &Attachment) -> Result<()> {
        let path = self.path(&record.key());
        // A corrupt record is replaced: the new one says what must exist.
        if let Err(error @ StoreError::Foreign { .. }) = self.read(&record.key()) {
            return Err(error);
        }
        let io = |action: &'static str, path: &Path| {
            let path = path.to_owned();
            move |source| StoreError::Io {
                action,
                path,
                source,
            }
        };
        let temporary = self.records.join(format!(
            ".{}.{}.{}",
            record.container_id,
            record.ifname,
            std::process::id()
        ));
        let text = serde_json::to_vec_pretty(record).map_err(|source| StoreError::Corrupt {
            path: path.clone(),
            source,
        })?;
        let written = (|| {
            let mut file = fs::OpenOptions::new()
                .write(true)
                .create(true)
                .truncate(true)
                .mode(0o600)
                .open(&temporary)?;
            file.write_all(&text)?;
            file.sync_all()
        })();
        if let Err(source) = written {
            // The half-written file is of no use, whether it can be removed or not.
            let _ = fs::remove_file(&temporary);
            return Err(io("write", &temporary)(source));
        }
        fs::rename(&temporary, &path).map_err(io("rename to", &path))?;
        self.sync_directory()
    }

    fn sync_directory(&self) -> Result<()> {
        fs::File::open(&self.records)
            .and_then(|dir| dir.sync_all())
            .map_err(|source| StoreError::Io {
                action: "sync directory",
                path: self.records.clone(),
                source,
            })
    }

    /// Reads one record; `None` if there is none.
    pub fn read(&self, key: &Key) -> Result<Option<Attachment>> {
        let path = self.path(key);
        let Some(record) = read_file(&path)? else {
            return Ok(None);
        };
        if record.key() != *key {
            return Err(StoreError::Foreign {
                path,
                found: record.key(),
                expected: key.clone(),
            });
        }
        Ok(Some(record))
    }

    /// Reads all records. A missing directory is an empty store.
    pub fn list(&self) -> Result<Listing> {
        let failed = |source| StoreError::Io {
            action: "list",
            path: self.records.clone(),
            source,
        };
        let entries = match fs::read_dir(&self.records) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Listing::default()),
            Err(error) => return Err(failed(error)),
        };
        let mut paths = Vec::new();
        for entry in entries {
            let path = entry.map_err(failed)?.path();
            let hidden = path
                .file_name()
                .is_some_and(|n| n.as_encoded_bytes().starts_with(b"."));
            if !hidden && path.extension().is_some_and(|e| e == "json") {
                paths.push(path);
            }
        }
        paths.sort();
        let mut listing = Listing::default();
        for path in paths {
            match read_file(&path) {
                Ok(Some(record)) if self.path(&record.key()) == path => {
                    listing.attachments.push(record);
                }
                Ok(Some(record)) => listing.broken.push(StoreError::Foreign {
                    expected: key_of_file(&path),
                    found: record.key(),
                    path,
                }),
                // Removed between the listing and the reading: a DEL.
                Ok(None) => {}
                Err(error) => listing.broken.push(error),
            }
        }
        Ok(listing)
    }

    /// Removes the record of `key`, readable or not; `false` if there was none.
    /// A record that belongs to another attachment stays.
    pub fn remove(&self, key: &Key) -> Result<bool> {
        if let Err(error @ StoreError::Foreign { .. }) = self.read(key) {
            return Err(error);
        }
        let path = self.path(key);
        match fs::remove_file(&path) {
            Ok(()) => self.sync_directory().map(|()| true),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(source) => Err(StoreError::Io {
                action: "remove",
                path,
                source,
            }),
        }
    }

    /// Takes the lock of one attachment if nobody holds it.
    pub fn try_lock(&self, key: &Key) -> Result<Option<AttachmentLock>> {
        let path = self
            .locks
            .join(format!("{}.{}", key.container_id, key.ifname));
        let failed = |source| StoreError::Io {
            action: "lock",
            path: path.clone(),
            source,
        };
        loop {
            let file = fs::OpenOptions::new()
                .write(true)
                .create(true)
                .truncate(false)
                .mode(0o600)
                .open(&path)
                .map_err(failed)?;
            let file = match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
                Ok(file) => file,
                Err((_, nix::errno::Errno::EWOULDBLOCK)) => return Ok(None),
                Err((_, errno)) => return Err(failed(errno.into())),
            };
            // The former holder may have removed the file between open and lock: then
            // this lock guards nothing and the next comer would hold another file.
            let held = file.metadata().map_err(failed)?;
            match fs::metadata(&path) {
                Ok(named) if named.ino() == held.ino() && named.dev() == held.dev() => {
                    return Ok(Some(AttachmentLock { path, file }));
                }
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(failed(error)),
            }
        }
    }

    /// Takes the lock of one attachment, waiting up to `limit` for its holder.
    pub async fn lock(&self, key: &Key, limit: Duration) -> Result<AttachmentLock> {
        let deadline = tokio::time::Instant::now() + limit;
        loop {
            if let Some(lock) = self.try_lock(key)? {
                return Ok(lock);
            }
            if tokio::time::Instant::now() >= deadline {
                return Err(StoreError::Locked {
                    key: key.clone(),
                    waited: limit,
                });
            }
            tokio::time::sleep(LOCK_POLL).await;
        }
    }
}

/// The key a file name would stand for if interface names had no dots.
fn key_of_file(path: &Path) -> Key {
    let stem = path
        .file_stem()
        .map(|s| s.to_string_lossy().into_owned())
        .unwrap_or_default();
    let (container_id, ifname) = stem.rsplit_once('.').unwrap_or((stem.as_str(), ""));
    Key::new(container_id, ifname)
}

fn read_file(path: &Path) -> Result<Option<Attachment>> {
    #[derive(serde::Deserialize)]
    struct Versioned {
        version: u32,
    }
    let text = match fs::read(path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(source) => {
            return Err(StoreError::Io {
                action: "read",
                path: path.to_owned(),
                source,
            });
        }
    };
    let corrupt = |source| StoreError::Corrupt {
        path: path.to_owned(),
        source,
    };
    let Versioned { version } = serde_json::from_slice(&text).map_err(corrupt)?;
    if version > VERSION {
        return Err(StoreError::Version {
            path: path.to_owned(),
            found: version,
        });
    }
    serde_json::from_slice(&text).map(Some).map_err(corrupt)
}

#[cfg(test)]
mod tests;
