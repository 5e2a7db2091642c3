//! A row as the server sends it, with getters that check what a column holds.
//!
//! Each getter takes a set of one for a scalar and names table, column and content when it cannot.
use std::collections::BTreeMap;

use serde_json::Value as Json;

use crate::error::{Error, Result};
use crate::value::{Atom, Uuid, Value};

/// The columns of one row of `table`, undecoded until asked for.
#[derive(Clone, Debug)]
pub struct Row {
    table: &'static str,
    columns: serde_json::Map<String, Json>,
}

impl Row {
    /// Takes a row object; anything else is an error that names the table.
    pub fn new(table: &'static str, json: Json) -> Result<Self> {
        match json {
            Json::Object(columns) => Ok(Row { table, columns }),
            other => Err(Error::Column {
                table,
                column: "*".to_owned(),
                expected: "a row",
                found: other.to_string(),
            }),
        }
    }

    /// The column, or an error if the server did not send it or it is no OVSDB value.
    pub fn value(&self, column: &str) -> Result<Value> {
        let json = self
            .columns
            .get(column)
            .ok_or_else(|| self.wrong(column, "a value"))?;
        Value::from_json(json).map_err(|error| self.wrong(column, error.expected))
    }

    /// A column of exactly one string.
    pub fn string(&self, column: &str) -> Result<String> {
        self.optional_string(column)?
            .ok_or_else(|| self.wrong(column, "a string"))
    }

    /// A column of at most one string; an absent column counts as unset (an older schema).
    pub fn optional_string(&self, column: &str) -> Result<Option<String>> {
        match self.at_most_one(column, "a string")? {
            None => Ok(None),
            Some(Atom::String(text)) => Ok(Some(text)),
            Some(_) => Err(self.wrong(column, "a string")),
        }
    }

    /// A column of at most one integer, in the range of `N`; an absent column counts as unset.
    pub fn optional_integer<N: TryFrom<i64>>(&self, column: &str) -> Result<Option<N>> {
        const EXPECTED: &str = "an integer in range";
        match self.at_most_one(column, EXPECTED)? {
            None => Ok(None),
            Some(Atom::Integer(number)) => match N::try_from(number) {
                Ok(number) => Ok(Some(number)),
                Err(_) => Err(self.wrong(column, EXPECTED)),
            },
            Some(_) => Err(self.wrong(column, EXPECTED)),
        }
    }

    /// A column of at most one boolean; an absent column counts as unset.
    pub fn optional_boolean(&self, column: &str) -> Result<Option<bool>> {
        match self.at_most_one(column, "a boolean")? {
            None => Ok(None),
            Some(Atom::Boolean(flag)) => Ok(Some(flag)),
            Some(_) => Err(self.wrong(column, "a boolean")),
        }
    }

    /// A column of any number of integers in the range of `N`; an absent column counts as empty.
    pub fn integers<N: TryFrom<i64>>(&self, column: &str) -> Result<Vec<N>> {
        self.set(column, "a set of integers in range", |atom| match atom {
            Atom::Integer(number) => N::try_from(number).ok(),
            _ => None,
        })
    }

    /// A column of any number of strings; an absent column counts as empty.
    pub fn strings(&self, column: &str) -> Result<Vec<String>> {
        self.set(column, "a set of strings", |atom| match atom {
            Atom::String(text) => Some(text),
            _ => None,
        })
    }

    /// A column of any number of references; an absent column counts as empty.
    pub fn uuids(&self, column: &str) -> Result<Vec<Uuid>> {
        self.set(column, "a set of UUIDs", |atom| match atom {
            Atom::Uuid(uuid) => Some(uuid),
            _ => None,
        })
    }

    /// A column of exactly one reference, such as `_uuid`.
    pub fn uuid(&self, column: &str) -> Result<Uuid> {
        match self.uuids(column)?.as_slice() {
            [uuid] => Ok(*uuid),
            _ => Err(self.wrong(column, "a UUID")),
        }
    }

    /// A column that maps strings to strings; an absent column counts as empty.
    pub fn string_map(&self, column: &str) -> Result<BTreeMap<String, String>> {
        const EXPECTED: &str = "a map of strings";
        let pairs = match self.present(column)? {
            None => return Ok(BTreeMap::new()),
            Some(Value::Map(pairs)) => pairs,
            Some(Value::Set(atoms)) if atoms.is_empty() => return Ok(BTreeMap::new()),
            Some(Value::Set(_)) => return Err(self.wrong(column, EXPECTED)),
        };
        pairs
            .into_iter()
            .map(|pair| match pair {
                (Atom::String(key), Atom::String(value)) => Ok((key, value)),
                _ => Err(self.wrong(column, EXPECTED)),
            })
            .collect()
    }

    /// The error for a column that holds something else than `expected`.
    pub fn wrong(&self, column: &str, expected: &'static str) -> Error {
        Error::Column {
            table: self.table,
            column: column.to_owned(),
            expected,
            found: match self.columns.get(column) {
                Some(json) => json.to_string(),
                None => "absent".to_owned(),
            },
        }
    }

    fn present(&self, column: &str) -> Result<Option<Value>> {
        if self.columns.contains_key(column) {
            self.value(column).map(Some)
        } else {
            Ok(None)
        }
    }

    fn at_most_one(&self, column: &str, expected: &'static str) -> Result<Option<Atom>> {
        match self.present(column)? {
            None => Ok(None),
            Some(Value::Set(mut atoms)) if atoms.len() <= 1 => Ok(atoms.pop()),
            Some(_) => Err(self.wrong(column, expected)),
        }
    }

    fn set<T>(
        &self,
        column: &str,
        expected: &'static str,
        take: impl Fn(Atom) -> Option<T>,
    ) -> Result<Vec<T>> {
        match self.present(column)? {
            None => Ok(Vec::new()),
            Some(Value::Set(atoms)) => atoms
                .into_iter()
                .map(|atom| take(atom).ok_or_else(|| self.wrong(column, expected)))
                .collect(),
            Some(Value::Map(_)) => Err(self.wrong(column, expected)),
        }
    }
}
