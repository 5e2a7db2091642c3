//! The replica itself: rows by identity, fed by a monitor, from which snapshots are made.
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use crate::bridge::Bridge;
use crate::error::Result;
use crate::interface::Interface;
use crate::monitor::RowUpdate;
use crate::port::Port;
use crate::row::Row;
use crate::snapshot::{Connection, Snapshot};
use crate::system::System;
use crate::value::Uuid;

/// Rows by identity: one update may delete a port and insert another of the same name, in any order.
#[derive(Debug, Default)]
pub(crate) struct Tables {
    system: HashMap<Uuid, Arc<System>>,
    bridges: HashMap<Uuid, Arc<Bridge>>,
    ports: HashMap<Uuid, Arc<Port>>,
    interfaces: HashMap<Uuid, Arc<Interface>>,
}

impl Tables {
    /// Applies the rows of one update. A row that cannot be read is left out, with a warning that says why.
    pub fn apply(&mut self, rows: Vec<RowUpdate>) {
        for RowUpdate { table, uuid, new } in rows {
            match table {
                System::TABLE => put(&mut self.system, uuid, new, |_, row| System::from_row(row)),
                Bridge::TABLE => put(&mut self.bridges, uuid, new, Bridge::from_row),
                Port::TABLE => put(&mut self.ports, uuid, new, Port::from_row),
                Interface::TABLE => put(&mut self.interfaces, uuid, new, Interface::from_row),
                _ => tracing::debug!(table, "update of a table that is not kept"),
            }
        }
    }

    /// The tables as they are now.
    pub fn snapshot(&self, connection: Connection, resyncs: u64) -> Snapshot {
        Snapshot {
            connection,
            resyncs,
            system: self.system.values().next().cloned(),
            bridges: by_name(&self.bridges, |bridge| &bridge.name),
            ports: by_name(&self.ports, |port| &port.name),
            interfaces: by_name(&self.interfaces, |interface| &interface.name),
        }
    }
}

fn put<T>(
    rows: &mut HashMap<Uuid, Arc<T>>,
    uuid: Uuid,
    new: Option<Row>,
    read: impl FnOnce(Uuid, &Row) -> Result<T>,
) {
    match new.map(|row| read(uuid, &row)) {
        Some(Ok(row)) => {
            rows.insert(uuid, Arc::new(row));
        }
        Some(Err(error)) => {
            tracing::warn!(%uuid, %error, "row left out");
            rows.remove(&uuid);
        }
        None => {
            rows.remove(&uuid);
        }
    }
}

fn by_name<T>(
    rows: &HashMap<Uuid, Arc<T>>,
    name: impl Fn(&T) -> &String,
) -> BTreeMap<String, Arc<T>> {
    rows.values()
        .map(|row| (name(row).clone(), row.clone()))
        .collect()
}
