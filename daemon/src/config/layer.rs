//! One source of settings, and which of several sources has the say.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

use super::field::{FIELDS, Field};

/// Where a value was given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// On the command line.
    Flag,
    /// In this environment variable.
    Environment(&'static str),
    /// In this file.
    File(PathBuf),
    /// Nowhere: it is the default.
    Default,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Origin::Flag => write!(f, "from the command line"),
            Origin::Environment(name) => write!(f, "from environment variable {name}"),
            Origin::File(path) => write!(f, "from file {}", path.display()),
            Origin::Default => write!(f, "default"),
        }
    }
}

/// A value and where it was given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Given {
    /// The text.
    pub value: String,
    /// Its source.
    pub origin: Origin,
}

/// The values that one source gives, by key.
#[derive(Debug, Clone, Default)]
pub struct Layer {
    values: BTreeMap<&'static str, Given>,
}

impl Layer {
    /// Adds a value.
    pub fn give(&mut self, field: &'static Field, value: String, origin: Origin) {
        self.values.insert(field.key, Given { value, origin });
    }

    /// The values found through `lookup`, which is the process environment outside tests. An empty variable counts as
    /// not given: manifests set variables to nothing in order to switch them off.
    pub fn from_environment(lookup: impl Fn(&str) -> Option<String>) -> Self {
        let mut layer = Self::default();
        for field in FIELDS {
            if let Some(value) = lookup(field.env).filter(|value| !value.is_empty()) {
                layer.give(field, value, Origin::Environment(field.env));
            }
        }
        layer
    }

    /// What this layer has for a key.
    pub fn get(&self, key: &str) -> Option<&Given> {
        self.values.get(key)
    }
}

/// The value that counts: of the first layer that has one, else the default.
pub fn effective(layers: &[&Layer], field: &'static Field) -> Option<Given> {
    layers
        .iter()
        .find_map(|layer| layer.get(field.key).cloned())
        .or_else(|| {
            field.default.map(|value| Given {
                value: value.to_owned(),
                origin: Origin::Default,
            })
        })
}
