//! The optional TOML file.

use std::path::Path;

use super::error::ConfigError;
use super::field::{FIELDS, by_key};
use super::layer::{Layer, Origin};

/// Reads the file; an unknown key or a value that is no string or number is an error that names it.
pub fn read(path: &Path) -> Result<Layer, ConfigError> {
    let text = std::fs::read_to_string(path).map_err(|source| ConfigError::Read {
        path: path.to_owned(),
        source,
    })?;
    parse(path, &text)
}

/// The layer in the text of a file; `path` is only for messages.
pub fn parse(path: &Path, text: &str) -> Result<Layer, ConfigError> {
    let table: toml::Table =
        text.parse()
            .map_err(|error: toml::de::Error| ConfigError::Syntax {
                path: path.to_owned(),
                reason: error.to_string(),
            })?;
    let mut layer = Layer::default();
    for (key, value) in table {
        let Some(field) = by_key(&key) else {
            return Err(ConfigError::UnknownKey {
                path: path.to_owned(),
                key,
                known: FIELDS.iter().map(|f| f.key).collect::<Vec<_>>().join(", "),
            });
        };
        let text = match value {
            toml::Value::String(text) => text,
            // `resync = 30` is what one writes for a number of seconds.
            toml::Value::Integer(number) => number.to_string(),
            other => {
                return Err(ConfigError::WrongType {
                    path: path.to_owned(),
                    key: field.key,
                    value: other.to_string(),
                });
            }
        };
        layer.give(field, text, Origin::File(path.to_owned()));
    }
    Ok(layer)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(text: &str) -> String {
        parse(Path::new("/etc/berth.toml"), text)
            .expect_err("must be refused")
            .to_string()
    }

    #[test]
    fn strings_and_numbers_are_taken() {
        let layer = parse(Path::new("f"), "node-name = \"n1\"\nresync = 5\n").expect("valid");
        assert_eq!(layer.get("node-name").map(|g| g.value.as_str()), Some("n1"));
        assert_eq!(layer.get("resync").map(|g| g.value.as_str()), Some("5"));
    }

    #[test]
    fn an_unknown_key_is_named() {
        let message = message("nodename = \"n1\"");
        assert!(
            message.contains("/etc/berth.toml: unknown key \"nodename\""),
            "{message}"
        );
        assert!(message.contains("node-name"), "{message}");
    }

    #[test]
    fn a_wrong_type_names_key_and_value() {
        assert_eq!(
            message("metrics = true"),
            "configuration file /etc/berth.toml: metrics true: must be a string"
        );
    }

    #[test]
    fn broken_syntax_names_file_and_line() {
        let message = message("node-name = \"n1\"\nmetrics = \n");
        assert!(
            message.starts_with("configuration file /etc/berth.toml: "),
            "{message}"
        );
        assert!(message.contains("line 2"), "{message}");
    }

    #[test]
    fn a_missing_file_is_named() {
        let error = read(Path::new("/nowhere/berth.toml")).expect_err("missing");
        assert!(
            error
                .to_string()
                .starts_with("configuration file /nowhere/berth.toml: "),
            "{error}"
        );
    }
}
