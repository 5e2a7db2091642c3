//! VERSION: which versions are spoken. It needs neither configuration nor runtime.

use serde_json::{Value, json};

use crate::version::SpecVersion;

/// The answer to VERSION.
pub fn answer() -> Value {
    json!({
        "cniVersion": SpecVersion::LATEST.as_str(),
        "supportedVersions": SpecVersion::ALL.map(SpecVersion::as_str),
    })
}
