//! What `--version` and the status report say about this build.

/// The version of the layout of pinned maps.
pub const ABI_VERSION: u32 = abi::ABI_VERSION;

/// The git commit the binary was built from, or `unknown`.
pub const COMMIT: &str = env!("BERTH_COMMIT");

/// The package version.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// The text after the program's name in the answer to `--version`.
pub const LONG: &str = concat!(
    env!("CARGO_PKG_VERSION"),
    " (abi 2, commit ",
    env!("BERTH_COMMIT"),
    ")"
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_long_text_names_version_abi_and_commit() {
        assert!(LONG.starts_with(VERSION));
        assert!(LONG.contains(&format!("abi {ABI_VERSION},")));
        assert!(LONG.ends_with(&format!("commit {COMMIT})")));
    }
}
