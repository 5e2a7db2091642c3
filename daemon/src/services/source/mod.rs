//! Where objects come from.

mod directory;
mod manifest;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

pub use directory::Directory;
#[cfg(test)]
pub use manifest::parse;

use super::object::{Id, Object};

/// A document that cannot be used: its file's last good state stays in force.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The file, or what else the object came from.
    pub place: String,
    /// The number of the document in it, from 1.
    pub document: usize,
    /// The field and what is wrong with it.
    pub error: String,
}

/// What a source has to tell at a time: all there is, or what has changed since it last told.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct State {
    /// Objects by what they are known by.
    pub objects: BTreeMap<Id, Arc<Object>>,
    /// Those that are gone, where the objects are only those that have changed; none where they are all there are.
    pub gone: Option<BTreeSet<Id>>,
    /// All that it cannot use now.
    pub problems: Vec<Problem>,
}

/// Something that tells objects: a directory, and later a cluster's API.
pub trait Source {
    /// Waits until there may be something new, and tells it. The first call returns at once, with all there is. A
    /// source that cannot be read tells the error, and nothing is removed for the lack of it.
    fn next(&mut self) -> impl Future<Output = Result<State, SourceError>> + Send;
}

/// A source that cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("{place}: {source}")]
pub struct SourceError {
    /// What could not be read.
    pub place: String,
    /// Why.
    pub source: std::io::Error,
}
