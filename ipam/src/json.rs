//! Typed access to a JSON document that remembers where it is, so that every error can
//! name the key and the value.
//!
//! Null is absence, and keys match whatever their case when no exact one is there:
//! upstream's decoder does both, and a configuration that worked with it must work here.

use std::net::IpAddr;

use ipnetwork::IpNetwork;
use serde_json::Value;

use crate::address;
use crate::config_error::ConfigError;

/// Longest value quoted in an error, in characters.
const QUOTED: usize = 120;

/// A value and the path that leads to it.
#[derive(Clone)]
pub(crate) struct Field<'a> {
    pub key: String,
    pub value: &'a Value,
}

impl<'a> Field<'a> {
    pub fn root(value: &'a Value) -> Self {
        Self {
            key: String::new(),
            value,
        }
    }

    /// A member of this object; `None` when absent or null.
    pub fn get(&self, name: &str) -> Result<Option<Self>, ConfigError> {
        let Value::Object(members) = self.value else {
            return Err(self.not("an object"));
        };
        let found = members.get(name).or_else(|| {
            members
                .iter()
                .find(|(key, _)| key.eq_ignore_ascii_case(name))
                .map(|(_, value)| value)
        });
        let key = if self.key.is_empty() {
            name.to_owned()
        } else {
            format!("{}.{name}", self.key)
        };
        Ok(found
            .filter(|value| !value.is_null())
            .map(|value| Field { key, value }))
    }

    /// A member that must be there.
    pub fn require(&self, name: &str) -> Result<Self, ConfigError> {
        let key = if self.key.is_empty() {
            name.to_owned()
        } else {
            format!("{}.{name}", self.key)
        };
        self.get(name)?.ok_or(ConfigError::Missing { key })
    }

    pub fn items(&self) -> Result<Vec<Self>, ConfigError> {
        let Value::Array(items) = self.value else {
            return Err(self.not("a list"));
        };
        Ok(items
            .iter()
            .enumerate()
            .map(|(number, value)| Field {
                key: format!("{}[{number}]", self.key),
                value,
            })
            .collect())
    }

    pub fn string(&self) -> Result<&'a str, ConfigError> {
        self.value.as_str().ok_or_else(|| self.not("a string"))
    }

    pub fn number(&self) -> Result<u32, ConfigError> {
        self.value
            .as_u64()
            .and_then(|number| u32::try_from(number).ok())
            .ok_or_else(|| self.not("a number from 0 to 4294967295"))
    }

    pub fn network(&self) -> Result<IpNetwork, ConfigError> {
        address::parse_network(self.string()?)
            .ok_or_else(|| self.not("a network as ADDRESS/LENGTH"))
    }

    /// An address without a prefix length; an empty string is absence, as upstream has it.
    pub fn address(&self) -> Result<Option<IpAddr>, ConfigError> {
        match self.string()? {
            "" => Ok(None),
            text => address::parse(text)
                .map(Some)
                .ok_or_else(|| self.not("an IP address")),
        }
    }

    /// An address with or without a prefix length.
    pub fn requested_address(&self) -> Result<IpAddr, ConfigError> {
        address::parse_with_optional_prefix(self.string()?).ok_or_else(|| self.not("an IP address"))
    }

    /// The error that this value is not what it should be.
    pub fn not(&self, expected: &'static str) -> ConfigError {
        let key = if self.key.is_empty() {
            "configuration".to_owned()
        } else {
            self.key.clone()
        };
        ConfigError::Invalid {
            key,
            value: quote(self.value),
            expected,
        }
    }
}

fn quote(value: &Value) -> String {
    let text = value.to_string();
    match text.char_indices().nth(QUOTED) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}
