//! The operations of a transaction (RFC 7047, section 5.2), and their results.
use std::time::Duration;

use serde_json::{Map, Value as Json, json};

use crate::error::Error;
use crate::row::Row;
use crate::value::{Atom, Uuid, Value};

/// One condition of a `where` clause: column, function (`==`, `!=`, `includes`, `excludes`), value.
#[derive(Clone, Debug, PartialEq)]
pub struct Condition {
    column: &'static str,
    function: &'static str,
    value: Value,
}

impl Condition {
    /// The column has exactly this value.
    pub fn is(column: &'static str, value: impl Into<Value>) -> Self {
        Condition {
            column,
            function: "==",
            value: value.into(),
        }
    }

    /// The column has at least the elements of this value.
    pub fn includes(column: &'static str, value: impl Into<Value>) -> Self {
        Condition {
            column,
            function: "includes",
            value: value.into(),
        }
    }

    pub(crate) fn to_json(&self) -> Json {
        json!([self.column, self.function, self.value.to_json()])
    }
}

/// One change that a `mutate` makes to a column.
#[derive(Clone, Debug, PartialEq)]
pub struct Mutation {
    column: &'static str,
    mutator: &'static str,
    value: Value,
}

impl Mutation {
    /// Adds a number to an integer column.
    pub fn add(column: &'static str, number: i64) -> Self {
        Mutation {
            column,
            mutator: "+=",
            value: number.into(),
        }
    }

    /// Adds elements to a set, or pairs to a map; pairs with a key that is there are not taken.
    pub fn insert(column: &'static str, value: impl Into<Value>) -> Self {
        Mutation {
            column,
            mutator: "insert",
            value: value.into(),
        }
    }

    /// Takes elements from a set, pairs from a map, or keys (given as a set) from a map.
    pub fn delete(column: &'static str, value: impl Into<Value>) -> Self {
        Mutation {
            column,
            mutator: "delete",
            value: value.into(),
        }
    }
}

/// Columns with their new values.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Columns(Vec<(&'static str, Value)>);

impl Columns {
    /// No columns yet.
    pub fn new() -> Self {
        Columns::default()
    }

    /// With one more column.
    #[must_use]
    pub fn with(mut self, column: &'static str, value: impl Into<Value>) -> Self {
        self.0.push((column, value.into()));
        self
    }

    /// True if no column was given.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn to_json(&self) -> Json {
        Json::Object(
            self.0
                .iter()
                .map(|(column, value)| ((*column).to_owned(), value.to_json()))
                .collect(),
        )
    }
}

/// One operation of a transaction.
#[derive(Clone, Debug, PartialEq)]
pub enum Op {
    /// reads columns of the rows that match
    Select {
        /// table to read
        table: &'static str,
        /// all must hold; none: every row
        conditions: Vec<Condition>,
        /// what to read; `_uuid` comes only if it is named
        columns: &'static [&'static str],
    },
    /// adds a row
    Insert {
        /// table to add to
        table: &'static str,
        /// columns that differ from their defaults
        row: Columns,
        /// what other operations of the transaction call the row, a C identifier
        name: Option<String>,
    },
    /// sets columns of the rows that match
    Update {
        /// table to change
        table: &'static str,
        /// all must hold; none: every row
        conditions: Vec<Condition>,
        /// columns with their new values
        row: Columns,
    },
    /// changes columns of the rows that match, relative to what they hold
    Mutate {
        /// table to change
        table: &'static str,
        /// all must hold; none: every row
        conditions: Vec<Condition>,
        /// changes, made in this order
        mutations: Vec<Mutation>,
    },
    /// deletes the rows that match
    Delete {
        /// table to delete from
        table: &'static str,
        /// all must hold; none: every row
        conditions: Vec<Condition>,
    },
    /// holds the transaction back until the rows that match are, or are no more, exactly some rows
    Wait {
        /// table to watch
        table: &'static str,
        /// all must hold; none: every row
        conditions: Vec<Condition>,
        /// columns to compare
        columns: &'static [&'static str],
        /// true: until they are `rows`; false: until they are not
        until_equal: bool,
        /// rows to compare with
        rows: Vec<Columns>,
        /// after this the transaction fails with `timed out`; zero: it fails unless that is so now
        timeout: Duration,
    },
    /// text for the database's log
    Comment(String),
}

impl Op {
    /// The operation and its table, for messages.
    pub fn describe(&self) -> String {
        let (verb, table) = match self {
            Op::Select { table, .. } => ("select", *table),
            Op::Insert { table, .. } => ("insert", *table),
            Op::Update { table, .. } => ("update", *table),
            Op::Mutate { table, .. } => ("mutate", *table),
            Op::Delete { table, .. } => ("delete", *table),
            Op::Wait { table, .. } => ("wait", *table),
            Op::Comment(_) => return "comment".to_owned(),
        };
        format!("{verb} {table}")
    }

    /// How long the server may hold the transaction back for this operation.
    pub(crate) fn timeout(&self) -> Option<Duration> {
        match self {
            Op::Wait { timeout, .. } => Some(*timeout),
            _ => None,
        }
    }

    /// The operation in wire notation.
    pub fn to_json(&self) -> Json {
        let filter = |conditions: &[Condition]| {
            Json::Array(conditions.iter().map(Condition::to_json).collect())
        };
        match self {
            Op::Select {
                table,
                conditions,
                columns,
            } => json!({
                "op": "select", "table": table, "where": filter(conditions), "columns": columns,
            }),
            Op::Insert { table, row, name } => {
                let mut op = Map::new();
                op.insert("op".to_owned(), "insert".into());
                op.insert("table".to_owned(), (*table).into());
                op.insert("row".to_owned(), row.to_json());
                if let Some(name) = name {
                    op.insert("uuid-name".to_owned(), name.as_str().into());
                }
                Json::Object(op)
            }
            Op::Update {
                table,
                conditions,
                row,
            } => json!({
                "op": "update", "table": table, "where": filter(conditions), "row": row.to_json(),
            }),
            Op::Mutate {
                table,
                conditions,
                mutations,
            } => json!({
                "op": "mutate", "table": table, "where": filter(conditions),
                "mutations": mutations
                    .iter()
                    .map(|change| json!([change.column, change.mutator, change.value.to_json()]))
                    .collect::<Vec<_>>(),
            }),
            Op::Delete { table, conditions } => json!({
                "op": "delete", "table": table, "where": filter(conditions),
            }),
            Op::Wait {
                table,
                conditions,
                columns,
                until_equal,
                rows,
                timeout,
            } => json!({
                "op": "wait", "table": table, "where": filter(conditions), "columns": columns,
                "until": if *until_equal { "==" } else { "!=" },
                "rows": rows.iter().map(Columns::to_json).collect::<Vec<_>>(),
                "timeout": u64::try_from(timeout.as_millis()).unwrap_or(u64::MAX >> 1),
            }),
            Op::Comment(text) => json!({ "op": "comment", "comment": text }),
        }
    }
}

/// What one operation gave.
#[derive(Clone, Debug)]
pub enum OpResult {
    /// rows of a `select`
    Rows(Vec<Row>),
    /// the row an `insert` made
    Inserted(Uuid),
    /// how many rows an `update`, `mutate` or `delete` touched
    Count(u64),
    /// a `wait` or `comment` succeeded
    Done,
}

impl OpResult {
    /// Rows of a `select`; of any other operation, none.
    pub fn into_rows(self) -> Vec<Row> {
        match self {
            OpResult::Rows(rows) => rows,
            _ => Vec::new(),
        }
    }

    /// The only row of a `select`, or the first of several.
    pub fn into_row(self) -> Option<Row> {
        self.into_rows().into_iter().next()
    }

    /// Row that an `insert` made.
    pub fn inserted(&self) -> Option<Uuid> {
        match self {
            OpResult::Inserted(uuid) => Some(*uuid),
            _ => None,
        }
    }

    /// Rows that an operation touched.
    pub fn count(&self) -> u64 {
        match self {
            OpResult::Count(count) => *count,
            _ => 0,
        }
    }
}

/// Why a reply to `transact` gives no results.
#[derive(Debug)]
pub(crate) enum BadReply {
    /// the server carried nothing out and says why
    Failed(Error),
    /// the reply does not have the shape RFC 7047 asks for
    Malformed(String),
}

/// Pairs the server's reply with the operations it answers.
pub(crate) fn results(ops: &[Op], reply: Json) -> std::result::Result<Vec<OpResult>, BadReply> {
    let Json::Array(items) = reply else {
        return Err(BadReply::Malformed(format!(
            "result of transact is {}, expected an array",
            kind(&reply)
        )));
    };
    for (index, item) in items.iter().enumerate() {
        if let Some(error) = item.get("error") {
            let text = |field: Option<&Json>| match field {
                Some(Json::String(text)) => text.clone(),
                Some(Json::Null) | None => String::new(),
                Some(other) => other.to_string(),
            };
            return Err(BadReply::Failed(Error::Transaction {
                op: index,
                what: ops
                    .get(index)
                    .map_or_else(|| "commit".to_owned(), Op::describe),
                error: text(Some(error)),
                details: text(item.get("details")),
            }));
        }
    }
    if items.len() < ops.len() {
        return Err(BadReply::Malformed(format!(
            "{} results for {} operations",
            items.len(),
            ops.len()
        )));
    }
    ops.iter()
        .zip(items)
        .enumerate()
        .map(|(index, (op, item))| {
            result(op, item).map_err(|what| {
                BadReply::Malformed(format!("result {index} ({}): {what}", op.describe()))
            })
        })
        .collect()
}

fn result(op: &Op, mut item: Json) -> std::result::Result<OpResult, String> {
    match op {
        Op::Select { table, .. } => match item.get_mut("rows").map(Json::take) {
            Some(Json::Array(rows)) => rows
                .into_iter()
                .map(|row| Row::new(table, row).map_err(|error| error.to_string()))
                .collect::<std::result::Result<_, _>>()
                .map(OpResult::Rows),
            _ => Err("no rows".to_owned()),
        },
        Op::Insert { .. } => match item.get("uuid").map(Atom::from_json) {
            Some(Ok(Atom::Uuid(uuid))) => Ok(OpResult::Inserted(uuid)),
            Some(Err(error)) => Err(error.to_string()),
            _ => Err("no uuid".to_owned()),
        },
        Op::Update { .. } | Op::Mutate { .. } | Op::Delete { .. } => item
            .get("count")
            .and_then(Json::as_u64)
            .map(OpResult::Count)
            .ok_or_else(|| "no count".to_owned()),
        Op::Wait { .. } | Op::Comment(_) => Ok(OpResult::Done),
    }
}

/// Kind of a JSON value, for messages.
pub(crate) fn kind(json: &Json) -> &'static str {
    match json {
        Json::Null => "null",
        Json::Bool(_) => "a boolean",
        Json::Number(_) => "a number",
        Json::String(_) => "a string",
        Json::Array(_) => "an array",
        Json::Object(_) => "an object",
    }
}
