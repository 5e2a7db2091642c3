//! OVSDB's notation for column values (RFC 7047, section 5.1).
//!
//! The wire has three shapes for a column: an atom, `["set", [...]]` and `["map", [[k, v], ...]]`. A set of
//! one element may come as the bare atom, and servers send it so; here both are the same [`Value::Set`].
use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use serde_json::Value as Json;

/// A value on the wire does not follow OVSDB's notation.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("{found} is not {expected}")]
pub struct Error {
    /// what would have been right
    pub expected: &'static str,
    /// the offending JSON, shortened
    pub found: String,
}

impl Error {
    /// Longest piece of the offending JSON that an error repeats, in bytes.
    const SHOWN: usize = 120;

    fn new(expected: &'static str, found: &Json) -> Self {
        let mut found = found.to_string();
        if found.len() > Self::SHOWN {
            let end = (0..=Self::SHOWN)
                .rev()
                .find(|at| found.is_char_boundary(*at))
                .expect("0 is a boundary");
            found.truncate(end);
            found.push('…');
        }
        Error { expected, found }
    }
}

/// Identity of a row: 128 bits, printed as `xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Uuid(pub u128);

impl fmt::Display for Uuid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bits = self.0;
        write!(
            f,
            "{:08x}-{:04x}-{:04x}-{:04x}-{:012x}",
            (bits >> 96) as u32,
            (bits >> 80) as u16,
            (bits >> 64) as u16,
            (bits >> 48) as u16,
            bits & 0xffff_ffff_ffff
        )
    }
}

impl fmt::Debug for Uuid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Uuid {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let wrong = || Error::new("a UUID", &Json::String(text.to_owned()));
        if text.len() != 36 {
            return Err(wrong());
        }
        let mut bits = 0u128;
        for (at, byte) in text.bytes().enumerate() {
            match (at, byte) {
                (8 | 13 | 18 | 23, b'-') => {}
                (8 | 13 | 18 | 23, _) => return Err(wrong()),
                _ => {
                    let digit = (byte as char).to_digit(16).ok_or_else(wrong)?;
                    bits = bits << 4 | u128::from(digit);
                }
            }
        }
        Ok(Uuid(bits))
    }
}

/// One scalar.
#[derive(Clone, Debug, PartialEq)]
pub enum Atom {
    /// 64 bits, signed
    Integer(i64),
    /// a number with a fraction or exponent
    Real(f64),
    /// true or false
    Boolean(bool),
    /// text
    String(String),
    /// reference to a row
    Uuid(Uuid),
    /// reference to a row that the same transaction inserts under this name
    NamedUuid(String),
}

impl Atom {
    /// The atom in wire notation.
    pub fn to_json(&self) -> Json {
        match self {
            Atom::Integer(number) => Json::from(*number),
            Atom::Real(number) => Json::from(*number),
            Atom::Boolean(flag) => Json::Bool(*flag),
            Atom::String(text) => Json::String(text.clone()),
            Atom::Uuid(uuid) => Json::from(vec!["uuid".to_owned(), uuid.to_string()]),
            Atom::NamedUuid(name) => Json::from(vec!["named-uuid".to_owned(), name.clone()]),
        }
    }

    /// Reads one atom; the error names what is there instead.
    pub fn from_json(json: &Json) -> Result<Self, Error> {
        let wrong = || Error::new("an OVSDB atom", json);
        match json {
            Json::Bool(flag) => Ok(Atom::Boolean(*flag)),
            Json::String(text) => Ok(Atom::String(text.clone())),
            Json::Number(number) => number
                .as_i64()
                .map(Atom::Integer)
                // an integer beyond 64 bits signed is no OVSDB integer, and not a real either
                .or_else(|| number.as_f64().filter(|_| number.is_f64()).map(Atom::Real))
                .ok_or_else(wrong),
            Json::Array(pair) => match pair.as_slice() {
                [Json::String(tag), Json::String(text)] if tag == "uuid" => {
                    text.parse().map(Atom::Uuid)
                }
                [Json::String(tag), Json::String(text)] if tag == "named-uuid" => {
                    Ok(Atom::NamedUuid(text.clone()))
                }
                _ => Err(wrong()),
            },
            _ => Err(wrong()),
        }
    }
}

impl From<i64> for Atom {
    fn from(number: i64) -> Self {
        Atom::Integer(number)
    }
}

impl From<bool> for Atom {
    fn from(flag: bool) -> Self {
        Atom::Boolean(flag)
    }
}

impl From<&str> for Atom {
    fn from(text: &str) -> Self {
        Atom::String(text.to_owned())
    }
}

impl From<String> for Atom {
    fn from(text: String) -> Self {
        Atom::String(text)
    }
}

impl From<Uuid> for Atom {
    fn from(uuid: Uuid) -> Self {
        Atom::Uuid(uuid)
    }
}

/// The content of one column.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// any number of atoms; a scalar column is a set of one, an unset optional column an empty set
    Set(Vec<Atom>),
    /// pairs in the order they came
    Map(Vec<(Atom, Atom)>),
}

impl Value {
    /// An unset optional column.
    pub fn empty() -> Self {
        Value::Set(Vec::new())
    }

    /// A set from anything that gives atoms.
    pub fn set<A: Into<Atom>>(atoms: impl IntoIterator<Item = A>) -> Self {
        Value::Set(atoms.into_iter().map(Into::into).collect())
    }

    /// A map from strings to strings, as external_ids is.
    pub fn map(pairs: &BTreeMap<String, String>) -> Self {
        Value::Map(
            pairs
                .iter()
                .map(|(key, value)| (Atom::from(key.as_str()), Atom::from(value.as_str())))
                .collect(),
        )
    }

    /// The value in wire notation.
    pub fn to_json(&self) -> Json {
        let tagged = |tag: &str, items: Vec<Json>| {
            Json::Array(vec![Json::String(tag.to_owned()), Json::Array(items)])
        };
        match self {
            Value::Set(atoms) => match atoms.as_slice() {
                [only] => only.to_json(),
                _ => tagged("set", atoms.iter().map(Atom::to_json).collect()),
            },
            Value::Map(pairs) => tagged(
                "map",
                pairs
                    .iter()
                    .map(|(key, value)| Json::Array(vec![key.to_json(), value.to_json()]))
                    .collect(),
            ),
        }
    }

    /// Reads a column; the error names what is there instead.
    pub fn from_json(json: &Json) -> Result<Self, Error> {
        if let Json::Array(parts) = json
            && let [Json::String(tag), Json::Array(items)] = parts.as_slice()
        {
            match tag.as_str() {
                "set" => {
                    return items
                        .iter()
                        .map(Atom::from_json)
                        .collect::<Result<_, _>>()
                        .map(Value::Set);
                }
                "map" => {
                    let pair = |item: &Json| match item.as_array().map(Vec::as_slice) {
                        Some([key, value]) => Ok((Atom::from_json(key)?, Atom::from_json(value)?)),
                        _ => Err(Error::new("a pair of an OVSDB map", item)),
                    };
                    return items
                        .iter()
                        .map(pair)
                        .collect::<Result<_, _>>()
                        .map(Value::Map);
                }
                _ => {}
            }
        }
        Atom::from_json(json)
            .map(|atom| Value::Set(vec![atom]))
            .map_err(|error| Error {
                expected: "an OVSDB value",
                ..error
            })
    }
}

impl<A: Into<Atom>> From<A> for Value {
    fn from(atom: A) -> Self {
        Value::Set(vec![atom.into()])
    }
}

/// `None` becomes the empty set.
impl<A: Into<Atom>> From<Option<A>> for Value {
    fn from(atom: Option<A>) -> Self {
        Value::set(atom)
    }
}
