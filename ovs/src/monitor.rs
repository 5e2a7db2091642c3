//! Monitors (RFC 7047, section 4.1.5): a copy of some tables' columns, and the changes that follow.
//!
//! The plain `monitor` of version 1 is enough: an update to a row brings all its monitored columns, so there is
//! nothing to merge. `monitor_cond_since` could save a full copy only where the database is clustered.
use serde_json::Value as Json;
use tokio::sync::mpsc;

use crate::ops::kind;
use crate::row::Row;
use crate::value::Uuid;

/// A table to monitor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Monitored {
    /// table
    pub table: &'static str,
    /// columns, without `_uuid`, which comes anyway
    pub columns: Vec<&'static str>,
}

/// What became of one row.
#[derive(Clone, Debug)]
pub struct RowUpdate {
    /// table of the row
    pub table: &'static str,
    /// the row
    pub uuid: Uuid,
    /// its monitored columns now; `None`: it is deleted
    pub new: Option<Row>,
}

/// Updates of one monitor, in the order the server sent them.
#[derive(Debug)]
pub struct Updates {
    tables: Vec<Monitored>,
    messages: mpsc::UnboundedReceiver<Json>,
}

impl Updates {
    pub(crate) fn new(tables: Vec<Monitored>, messages: mpsc::UnboundedReceiver<Json>) -> Self {
        Updates { tables, messages }
    }

    /// The rows of the next transaction that touched the tables; `None` once the connection has ended, and an
    /// error with what was wrong if it is no set of rows.
    pub async fn next(&mut self) -> Option<Result<Vec<RowUpdate>, String>> {
        let message = self.messages.recv().await?;
        Some(self.decode(message))
    }

    /// As [`next`](Updates::next), but `None` if there is none at this moment.
    pub fn try_next(&mut self) -> Option<Result<Vec<RowUpdate>, String>> {
        let message = self.messages.try_recv().ok()?;
        Some(self.decode(message))
    }

    pub(crate) fn decode(&self, message: Json) -> Result<Vec<RowUpdate>, String> {
        let Json::Object(tables) = message else {
            return Err(format!(
                "table updates are {}, expected an object",
                kind(&message)
            ));
        };
        let mut updates = Vec::new();
        for (name, rows) in tables {
            let table = self
                .tables
                .iter()
                .find(|monitored| monitored.table == name)
                .ok_or_else(|| format!("update of table {name}, which is not monitored"))?
                .table;
            let Json::Object(rows) = rows else {
                return Err(format!(
                    "updates of {name} are {}, expected an object",
                    kind(&rows)
                ));
            };
            for (uuid, mut row) in rows {
                let uuid: Uuid = uuid
                    .parse()
                    .map_err(|error| format!("update of {name}: {error}"))?;
                if !row.is_object() {
                    return Err(format!("update of {name} {uuid} is {}", kind(&row)));
                }
                let new = match row.get_mut("new").map(Json::take) {
                    None | Some(Json::Null) => None,
                    Some(columns) => {
                        Some(Row::new(table, columns).map_err(|error| error.to_string())?)
                    }
                };
                updates.push(RowUpdate { table, uuid, new });
            }
        }
        Ok(updates)
    }
}
