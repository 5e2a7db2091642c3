//! What can be wrong with a network configuration or CNI_ARGS: each says key and value.

use crate::range::RangeError;

/// The configuration cannot be used. Nothing was changed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// A required key is absent or null.
    #[error("{key} is missing")]
    Missing {
        /// Path of the key, such as `ipam.ranges[0][1].subnet`.
        key: String,
    },
    /// A value of the wrong type, or one that does not parse.
    #[error("{key}: {value} is not {expected}")]
    Invalid {
        /// Path of the key.
        key: String,
        /// The value, as JSON, cut to a readable length.
        value: String,
        /// What it should have been.
        expected: &'static str,
    },
    /// A range or range set that cannot be allocated from.
    #[error("{key}: {source}")]
    Range {
        /// Path of the range or set.
        key: String,
        /// What is wrong with it, with the addresses.
        source: RangeError,
    },
    /// Neither `subnet`, `ranges` nor `runtimeConfig.ipRanges`.
    #[error("no IP ranges: ipam has neither subnet nor ranges, and runtimeConfig no ipRanges")]
    NoRanges,
    /// Two sets share addresses.
    #[error("{first_key} overlaps with {second_key}: ranges {first} and {second} share addresses")]
    SetsOverlap {
        /// Path of one set.
        first_key: String,
        /// Path of the other.
        second_key: String,
        /// Its range.
        first: String,
        /// The other's range.
        second: String,
    },
    /// A result of this version has room for one v4 and one v6 address.
    #[error("cniVersion: {version:?} does not support more than one address per family")]
    TooManyAddresses {
        /// The configuration's version; empty when it has none, which means 0.1.0.
        version: String,
    },
    /// The network's name would not be a safe directory name.
    #[error("name: {name:?} is not a network name")]
    Name {
        /// The name given.
        name: String,
    },
    /// CNI_ARGS holds something else than `KEY=VALUE` pairs.
    #[error("CNI_ARGS: {pair:?} is not KEY=VALUE")]
    ArgsPair {
        /// The part between two semicolons.
        pair: String,
    },
    /// CNI_ARGS gives a known key an unusable value.
    #[error("CNI_ARGS: {key}: {value:?} is not {expected}")]
    ArgsValue {
        /// The key.
        key: &'static str,
        /// Its value.
        value: String,
        /// What it should have been.
        expected: &'static str,
    },
    /// CNI_ARGS has keys this plugin does not know, and no `IgnoreUnknown=1`.
    #[error("CNI_ARGS: unknown {pairs:?}")]
    ArgsUnknown {
        /// The pairs.
        pairs: Vec<String>,
    },
}
