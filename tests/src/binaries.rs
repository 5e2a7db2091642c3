//! Where the built programs are: `BERTH_BIN_DIR`, or `target/release` of the workspace.

use std::path::{Path, PathBuf};

use anyhow::{Result, bail};

/// Environment variable with the directory of the programs under test.
pub const VARIABLE: &str = "BERTH_BIN_DIR";

/// The directory of the programs under test; it may not exist yet.
pub fn directory() -> PathBuf {
    if let Some(directory) = std::env::var_os(VARIABLE) {
        return directory.into();
    }
    let target = match std::env::var_os("CARGO_TARGET_DIR") {
        Some(target) => target.into(),
        None => Path::new(env!("CARGO_MANIFEST_DIR")).join("../target"),
    };
    let release = target.join("release");
    release.canonicalize().unwrap_or(release)
}

/// The path of a program by its name, `flannel` and the other links included.
///
/// # Errors
/// When it is not there: the message says how to build it.
pub fn path(name: &str) -> Result<PathBuf> {
    let path = directory().join(name);
    if !path.exists() {
        bail!(
            "{} is not there: run `make build`, or set {VARIABLE}",
            path.display()
        );
    }
    Ok(path)
}

/// The CNI plugin.
///
/// # Errors
/// As [`path`].
pub fn berth() -> Result<PathBuf> {
    path("berth")
}

/// The node daemon.
///
/// # Errors
/// As [`path`].
pub fn berthd() -> Result<PathBuf> {
    path("berthd")
}

/// The operator's tool.
///
/// # Errors
/// As [`path`].
pub fn berthctl() -> Result<PathBuf> {
    path("berthctl")
}
