//! The records as the loop knows them: read as a whole for a full pass, file by file in between.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use attachment::record::{Attachment, Key};
use attachment::{Store, StoreError};

use crate::records;
use crate::report::CorruptRecord;

/// What became of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// It holds a record, which may be new.
    Record(Key),
    /// Its record is gone.
    Removed(Key),
    /// It cannot be read.
    Corrupt(CorruptRecord),
    /// Nothing that matters.
    Nothing,
}

/// Records by file.
#[derive(Debug, Default)]
pub struct Known {
    good: BTreeMap<PathBuf, Attachment>,
    broken: BTreeMap<PathBuf, CorruptRecord>,
}

impl Known {
    /// Reads all of them.
    pub fn reload(&mut self, store: &Store) -> Result<(), StoreError> {
        let listing = store.list()?;
        self.broken = listing
            .broken
            .iter()
            .map(|error| {
                (
                    PathBuf::from(records::path_of(error)),
                    records::corrupt(error),
                )
            })
            .collect();
        // The last good state of a file that broke stays in force, as the pod is still there.
        self.good.retain(|path, _| self.broken.contains_key(path));
        let read = listing.attachments.into_iter();
        self.good
            .extend(read.map(|record| (store.path(&record.key()), record)));
        Ok(())
    }

    /// Reads one file of the store's directory again.
    pub fn refresh(&mut self, store: &Store, file: &OsStr) -> Change {
        let path = store.directory().join(file);
        if !is_record(&path) {
            return Change::Nothing;
        }
        match read(store, &path) {
            Ok(Some(record)) => {
                let key = record.key();
                self.broken.remove(&path);
                self.good.insert(path, record);
                Change::Record(key)
            }
            Ok(None) => {
                self.broken.remove(&path);
                match self.good.remove(&path) {
                    Some(record) => Change::Removed(record.key()),
                    None => Change::Nothing,
                }
            }
            Err(error) => {
                let corrupt = records::corrupt(&error);
                self.broken.insert(path, corrupt.clone());
                Change::Corrupt(corrupt)
            }
        }
    }

    /// Every readable record.
    pub fn all(&self) -> Vec<Attachment> {
        self.good.values().cloned().collect()
    }

    /// The record with this port.
    pub fn by_port(&self, port: &str) -> Option<&Attachment> {
        self.good.values().find(|record| record.port_name == port)
    }

    /// The record of this attachment.
    pub fn by_key(&self, key: &Key) -> Option<&Attachment> {
        self.good.values().find(|record| record.key() == *key)
    }

    /// Whether every record could be read.
    pub fn is_whole(&self) -> bool {
        self.broken.is_empty()
    }

    /// The records that cannot be read.
    pub fn broken(&self) -> Vec<CorruptRecord> {
        self.broken.values().cloned().collect()
    }
}

/// Writers make hidden files first; what they rename them to ends in `.json`.
fn is_record(path: &Path) -> bool {
    let hidden = path
        .file_name()
        .is_none_or(|name| name.as_encoded_bytes().starts_with(b"."));
    !hidden && path.extension().is_some_and(|e| e == "json")
}

/// Reads a file by its path. Ids and interface names may contain dots, so the name alone does not tell the key; where
/// the first guess is wrong, the store says whose the file is.
fn read(store: &Store, path: &Path) -> Result<Option<Attachment>, StoreError> {
    let stem = path
        .file_stem()
        .map(OsStr::to_os_string)
        .map(OsString::into_string);
    let Some(Ok(stem)) = stem else {
        return Ok(None);
    };
    let (container_id, ifname) = stem.rsplit_once('.').unwrap_or((&stem, ""));
    match store.read(&Key::new(container_id, ifname)) {
        Err(StoreError::Foreign { found, .. }) if store.path(&found) == path => store.read(&found),
        other => other,
    }
}

#[cfg(test)]
#[path = "known_tests.rs"]
mod tests;
