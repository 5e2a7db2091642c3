//! Versions of the CNI specification that the plugin speaks.
//!
//! What a verb may do and what a result looks like follows from the version in
//! the configuration, so it is an ordered enum and not a string.

use std::fmt;
use std::str::FromStr;

/// A released version of the CNI specification, in order of release.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum SpecVersion {
    /// 0.1.0: one address per family, `ip4` and `ip6`.
    V0_1_0,
    /// 0.2.0: as 0.1.0, with the VERSION verb.
    V0_2_0,
    /// 0.3.0: `interfaces` and `ips`.
    V0_3_0,
    /// 0.3.1: as 0.3.0.
    V0_3_1,
    /// 0.4.0: adds CHECK and `prevResult` on DEL.
    V0_4_0,
    /// 1.0.0: drops `ips[].version`.
    V1_0_0,
    /// 1.1.0: adds GC, STATUS and more fields on interfaces and routes.
    V1_1_0,
}

impl SpecVersion {
    /// Every version, oldest first, as VERSION reports them.
    pub const ALL: [Self; 7] = [
        Self::V0_1_0,
        Self::V0_2_0,
        Self::V0_3_0,
        Self::V0_3_1,
        Self::V0_4_0,
        Self::V1_0_0,
        Self::V1_1_0,
    ];

    /// The newest version, used where the caller's is not known.
    pub const LATEST: Self = Self::V1_1_0;

    /// The version as the specification writes it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::V0_1_0 => "0.1.0",
            Self::V0_2_0 => "0.2.0",
            Self::V0_3_0 => "0.3.0",
            Self::V0_3_1 => "0.3.1",
            Self::V0_4_0 => "0.4.0",
            Self::V1_0_0 => "1.0.0",
            Self::V1_1_0 => "1.1.0",
        }
    }

    /// All versions separated by commas, for messages.
    pub fn list() -> String {
        Self::ALL.map(Self::as_str).join(", ")
    }
}

impl fmt::Display for SpecVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A version that is none of [`SpecVersion::ALL`].
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown CNI version {0:?}")]
pub struct UnknownVersion(pub String);

impl FromStr for SpecVersion {
    type Err = UnknownVersion;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|version| version.as_str() == text)
            .ok_or_else(|| UnknownVersion(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_version_parses_back_and_the_list_is_in_order() {
        for version in SpecVersion::ALL {
            assert_eq!(version.as_str().parse(), Ok(version));
        }
        assert!(SpecVersion::ALL.is_sorted());
        assert_eq!(SpecVersion::ALL.last(), Some(&SpecVersion::LATEST));
    }

    #[test]
    fn others_are_refused() {
        for text in ["", "1.0", "1.1.0 ", "2.0.0", "v1.0.0", "0.5.0"] {
            assert!(text.parse::<SpecVersion>().is_err(), "{text:?}");
        }
    }
}
