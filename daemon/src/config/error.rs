//! Why the settings cannot be used.

use std::path::PathBuf;

use super::layer::Origin;

/// A setting that cannot be used; the daemon does not start.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// the value of a setting is not acceptable
    #[error("{field} {value:?} ({origin}): {reason}")]
    Invalid {
        /// The setting's key.
        field: &'static str,
        /// The value as it was given.
        value: String,
        /// Where it was given.
        origin: Origin,
        /// What is wrong with it.
        reason: String,
    },
    /// the configuration file cannot be read
    #[error("configuration file {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// the configuration file is not TOML
    #[error("configuration file {}: {}", path.display(), reason.trim_end())]
    Syntax {
        /// The file.
        path: PathBuf,
        /// The parser's message, with line and column.
        reason: String,
    },
    /// the configuration file has a key that is no setting
    #[error("configuration file {}: unknown key {key:?}, known keys are {known}", path.display())]
    UnknownKey {
        /// The file.
        path: PathBuf,
        /// The key.
        key: String,
        /// All keys there are.
        known: String,
    },
    /// a key of the configuration file has a value of the wrong type
    #[error("configuration file {}: {key} {value}: must be a string", path.display())]
    WrongType {
        /// The file.
        path: PathBuf,
        /// The key.
        key: &'static str,
        /// The value as the file has it.
        value: String,
    },
}
