//! Reading JSON so that an error names the key and the value.
//!
//! serde's own messages say where in the text a value was wrong, which is of no
//! use to someone whose runtime put the text together; a [`Field`] remembers
//! the path of keys that led to it.

use std::str::FromStr;

use serde_json::Value;

/// The longest value an error message shows, in characters.
const SHOWN: usize = 80;

/// A value of the wrong type, or outside of what its key allows.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("invalid value {value} for {key:?}: expected {expected}")]
pub struct FieldError {
    /// The path of keys, as in `runtimeConfig.ipRanges[0]`.
    pub key: String,
    /// The value as JSON, cut when long.
    pub value: String,
    /// What would have been right.
    pub expected: String,
}

/// A value and the path that leads to it; `null` counts as absent.
#[derive(Debug, Clone)]
pub struct Field<'a> {
    path: String,
    value: Option<&'a Value>,
}

impl<'a> Field<'a> {
    /// The whole document, whose keys have no prefix.
    pub fn root(value: &'a Value) -> Self {
        Self::at("", Some(value))
    }

    /// A value known under `path`.
    pub fn at(path: &str, value: Option<&'a Value>) -> Self {
        let value = value.filter(|value| !value.is_null());
        Self {
            path: path.to_owned(),
            value,
        }
    }

    /// The path of keys.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The value, if there is one.
    pub fn value(&self) -> Option<&'a Value> {
        self.value
    }

    /// Whether the key is there and not null.
    pub fn is_present(&self) -> bool {
        self.value.is_some()
    }

    /// The field `name` of this object; absent when this one is.
    pub fn key(&self, name: &str) -> Result<Self, FieldError> {
        let path = match self.path.as_str() {
            "" => name.to_owned(),
            parent => format!("{parent}.{name}"),
        };
        let value = match self.value {
            None => None,
            Some(Value::Object(fields)) => fields.get(name),
            Some(_) => return Err(self.wrong("an object")),
        };
        Ok(Self::at(&path, value))
    }

    /// The keys of this object, in the order of the document.
    pub fn keys(&self) -> Result<Vec<&'a str>, FieldError> {
        match self.value {
            None => Ok(Vec::new()),
            Some(Value::Object(fields)) => Ok(fields.keys().map(String::as_str).collect()),
            Some(_) => Err(self.wrong("an object")),
        }
    }

    /// The elements of this array; none when absent.
    pub fn list(&self) -> Result<Vec<Self>, FieldError> {
        match self.value {
            None => Ok(Vec::new()),
            Some(Value::Array(items)) => Ok(items
                .iter()
                .enumerate()
                .map(|(index, item)| Self {
                    path: format!("{}[{index}]", self.path),
                    value: Some(item),
                })
                .collect()),
            Some(_) => Err(self.wrong("a list")),
        }
    }

    /// This string.
    pub fn string(&self) -> Result<Option<&'a str>, FieldError> {
        match self.value {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(_) => Err(self.wrong("a string")),
        }
    }

    /// This list of strings.
    pub fn strings(&self) -> Result<Vec<String>, FieldError> {
        self.list()?
            .iter()
            .map(|item| {
                item.string()?
                    .map(str::to_owned)
                    .ok_or_else(|| item.wrong("a string"))
            })
            .collect()
    }

    /// This boolean; false when absent.
    pub fn flag(&self) -> Result<bool, FieldError> {
        match self.value {
            None => Ok(false),
            Some(Value::Bool(flag)) => Ok(*flag),
            Some(_) => Err(self.wrong("true or false")),
        }
    }

    /// This whole number, which must lie within `range` (both ends included).
    pub fn number(&self, range: std::ops::RangeInclusive<u64>) -> Result<Option<u64>, FieldError> {
        let Some(value) = self.value else {
            return Ok(None);
        };
        value
            .as_u64()
            .filter(|number| range.contains(number))
            .map(Some)
            .ok_or_else(|| {
                let (low, high) = (range.start(), range.end());
                self.wrong(&format!("a whole number from {low} to {high}"))
            })
    }

    /// This string, parsed; `expected` says what it must be.
    pub fn parse<T: FromStr>(&self, expected: &str) -> Result<Option<T>, FieldError> {
        match self.value {
            None => Ok(None),
            Some(Value::String(text)) => text.parse().map(Some).map_err(|_| self.wrong(expected)),
            Some(_) => Err(self.wrong(expected)),
        }
    }

    /// The error that this field's value is not what was expected.
    pub fn wrong(&self, expected: &str) -> FieldError {
        FieldError {
            key: self.path.clone(),
            value: self.value.map_or_else(|| "null".to_owned(), shown),
            expected: expected.to_owned(),
        }
    }
}

/// The value as JSON, shortened so that a message stays readable.
fn shown(value: &Value) -> String {
    let text = value.to_string();
    match text.char_indices().nth(SHOWN) {
        None => text,
        Some((end, _)) => format!("{}…", &text[..end]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn an_error_names_the_path_and_the_value() {
        let document = json!({"runtimeConfig": {"ipRanges": [[{"subnet": 5}]]}});
        let inner = Field::root(&document)
            .key("runtimeConfig")
            .and_then(|field| field.key("ipRanges"))
            .and_then(|field| field.list())
            .unwrap();
        let subnet = inner[0].list().unwrap()[0].key("subnet").unwrap();
        assert_eq!(
            subnet.string().unwrap_err().to_string(),
            r#"invalid value 5 for "runtimeConfig.ipRanges[0][0].subnet": expected a string"#
        );
    }

    #[test]
    fn null_is_absent_and_types_are_not_mixed_up() {
        let document = json!({"a": null, "b": "1", "c": 70000, "d": -1, "e": 1.5, "f": {}});
        let root = Field::root(&document);
        let key = |name: &str| root.key(name).unwrap();
        assert!(!key("a").is_present());
        assert!(key("b").number(0..=9).is_err());
        assert!(key("b").flag().is_err());
        assert!(key("c").number(0..=65535).is_err());
        assert!(key("d").number(0..=9).is_err());
        assert!(key("e").number(0..=9).is_err());
        assert!(key("f").list().is_err());
        assert!(key("b").key("x").is_err());
        assert!(!key("missing").key("below").unwrap().is_present());
    }

    #[test]
    fn a_long_value_is_cut_at_a_character() {
        let document = json!({"a": "ä".repeat(500)});
        let error = Field::root(&document).key("a").unwrap().flag().unwrap_err();
        assert!(error.value.chars().count() < 100, "{}", error.value);
    }
}
