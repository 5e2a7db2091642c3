//! Names that a network device can have.

use crate::{Error, Result};

/// The longest name of a device, in bytes.
const LONGEST: usize = 15;

/// Checks that a device can be called `name`: 1 to 15 bytes, not `.` or `..`, and no `/`, `:`, `%`, white space or
/// control character. (The kernel would take `%d` for a pattern and answer with a device of another name.)
///
/// # Errors
/// [`Error::Invalid`] with the name and the rule it breaks.
pub fn check_name(name: &str) -> Result<()> {
    let reason = if name.is_empty() {
        "it is empty"
    } else if name.len() > LONGEST {
        "it is longer than 15 bytes"
    } else if name == "." || name == ".." {
        "it is a directory's name"
    } else if name.contains(['/', ':', '%']) {
        "it contains '/', ':' or '%'"
    } else if name.contains(|c: char| c.is_whitespace() || c.is_control()) {
        "it contains white space or a control character"
    } else {
        return Ok(());
    };
    Err(Error::Invalid {
        what: "interface name",
        value: name.to_owned(),
        reason,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn good_names_pass() {
        for name in ["eth0", "a", "brt0123456789ab", "eth0.100", "véth0", "..."] {
            check_name(name).unwrap();
        }
    }

    #[test]
    fn bad_names_are_refused_with_name_and_reason() {
        for (name, reason) in [
            ("", "empty"),
            ("brt0123456789abc", "longer"),
            (".", "directory"),
            ("..", "directory"),
            ("a/b", "'/'"),
            ("eth0:1", "':'"),
            ("eth%d", "'%'"),
            ("eth 0", "white space"),
            ("eth\0", "control"),
        ] {
            let error = check_name(name).unwrap_err().to_string();
            assert!(
                error.contains(&format!("{name:?}")) && error.contains(reason),
                "{error}"
            );
        }
    }
}
