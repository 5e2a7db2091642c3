//! What the CNI plugin uses: the local switch over one connection, and the lookups on it.
use std::collections::HashMap;
use std::path::{Path, PathBuf};

use tokio::sync::Mutex;

use crate::DATABASE;
use crate::bridge::Bridge;
use crate::client::Client;
use crate::error::Result;
use crate::interface::Interface;
use crate::ops::{Condition, Mutation, Op, OpResult};
use crate::port::{ExternalIds, Port, PortRow};
use crate::row::Row;
use crate::system::System;
use crate::value::{Atom, Uuid, Value};

/// The local switch. Each call is at most a few round trips; a connection that was lost since the last call
/// is made anew before the next, never in the middle of one.
#[derive(Debug)]
pub struct Switch {
    path: PathBuf,
    client: Mutex<Client>,
}

impl Switch {
    /// Connects to the OVSDB socket at `path`.
    pub async fn connect(path: &Path) -> Result<Self> {
        Ok(Switch {
            path: path.to_owned(),
            client: Mutex::new(Client::connect(path).await?),
        })
    }

    /// Path of the OVSDB socket.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The bridge of that name.
    pub async fn bridge(&self, name: &str) -> Result<Option<Bridge>> {
        self.transact(&[select_bridges(vec![Condition::is("name", name)])])
            .await?
            .remove(0)
            .into_row()
            .map(|row| Bridge::from_row(row.uuid("_uuid")?, &row))
            .transpose()
    }

    /// All bridges. One that berth cannot read (a datapath type it does not know) is left out, with a warning.
    pub async fn bridges(&self) -> Result<Vec<Bridge>> {
        let rows = self
            .transact(&[select_bridges(Vec::new())])
            .await?
            .remove(0)
            .into_rows();
        let mut bridges = Vec::with_capacity(rows.len());
        for row in rows {
            match Bridge::from_row(row.uuid("_uuid")?, &row) {
                Ok(bridge) => bridges.push(bridge),
                Err(error) => tracing::warn!(%error, "bridge left out"),
            }
        }
        Ok(bridges)
    }

    /// The port of that name, with its bridge and interface.
    pub async fn port(&self, name: &str) -> Result<Option<PortRow>> {
        let mut found = self.ports_where(Condition::is("name", name)).await?;
        Ok(found.pop())
    }

    /// Ports whose `external_ids` have this key with this value.
    pub async fn ports_with_external_id(&self, key: &str, value: &str) -> Result<Vec<PortRow>> {
        let pair = Value::Map(vec![(Atom::from(key), Atom::from(value))]);
        self.ports_where(Condition::includes("external_ids", pair))
            .await
    }

    /// Versions, abilities and options of the switch; `None` in a database that nobody set up yet.
    pub async fn system(&self) -> Result<Option<System>> {
        let select = Op::Select {
            table: System::TABLE,
            conditions: Vec::new(),
            columns: System::COLUMNS,
        };
        self.transact(&[select])
            .await?
            .remove(0)
            .into_row()
            .map(|row| System::from_row(&row))
            .transpose()
    }

    /// Ports for which `condition` holds, with their bridges and interfaces: two round trips.
    async fn ports_where(&self, condition: Condition) -> Result<Vec<PortRow>> {
        // ports and interfaces carry the same names and keys as a rule, so one trip finds most of both
        let mut results = self
            .transact(&[
                select_ports(vec![condition.clone()]),
                select_interfaces(vec![condition]),
            ])
            .await?
            .into_iter();
        let mut rows = || results.next().map(OpResult::into_rows).unwrap_or_default();
        let ports = each(rows(), Port::from_row)?;
        if ports.is_empty() {
            return Ok(Vec::new());
        }
        let mut interfaces: HashMap<Uuid, Interface> = each(rows(), Interface::from_row)?
            .into_iter()
            .map(|interface| (interface.uuid, interface))
            .collect();

        let owners = ports
            .iter()
            .map(|port| select_bridges(vec![Condition::includes("ports", port.uuid)]));
        let missing = ports
            .iter()
            .filter_map(|port| port.interfaces.first())
            .filter(|uuid| !interfaces.contains_key(*uuid))
            .map(|uuid| select_interfaces(vec![Condition::is("_uuid", *uuid)]));
        let ops: Vec<Op> = owners.chain(missing).collect();
        let mut results = self.transact(&ops).await?.into_iter();
        let owners: Vec<Vec<Row>> = results
            .by_ref()
            .take(ports.len())
            .map(OpResult::into_rows)
            .collect();
        for rows in results.map(OpResult::into_rows) {
            for interface in each(rows, Interface::from_row)? {
                interfaces.insert(interface.uuid, interface);
            }
        }

        let mut found = Vec::with_capacity(ports.len());
        for (port, owner) in ports.into_iter().zip(owners) {
            // between the two trips a port may have gone, and its bridge and interface with it
            let (Some(bridge), Some(interface)) = (
                owner.first(),
                port.interfaces
                    .first()
                    .and_then(|uuid| interfaces.remove(uuid)),
            ) else {
                continue;
            };
            found.push(PortRow {
                bridge: bridge.string("name")?,
                port,
                interface,
            });
        }
        Ok(found)
    }

    /// The keys of the port or interface of that name; empty if there is none.
    pub(crate) async fn owner_of(&self, name: &str) -> Result<ExternalIds> {
        let named = || vec![Condition::is("name", name)];
        for result in self
            .transact(&[select_ports(named()), select_interfaces(named())])
            .await?
        {
            if let Some(row) = result.into_row() {
                return row.string_map("external_ids");
            }
        }
        Ok(ExternalIds::new())
    }

    /// Runs one transaction, over a new connection if the last has ended.
    pub(crate) async fn transact(&self, ops: &[Op]) -> Result<Vec<OpResult>> {
        self.client().await?.transact(DATABASE, ops).await
    }

    async fn client(&self) -> Result<Client> {
        let mut client = self.client.lock().await;
        if client.is_closed() {
            *client = Client::connect(&self.path).await?;
        }
        Ok(client.clone())
    }
}

pub(crate) fn select_bridges(conditions: Vec<Condition>) -> Op {
    Op::Select {
        table: Bridge::TABLE,
        conditions,
        columns: Bridge::COLUMNS,
    }
}

pub(crate) fn select_ports(conditions: Vec<Condition>) -> Op {
    Op::Select {
        table: Port::TABLE,
        conditions,
        columns: Port::COLUMNS,
    }
}

pub(crate) fn select_interfaces(conditions: Vec<Condition>) -> Op {
    Op::Select {
        table: Interface::TABLE,
        conditions,
        columns: Interface::COLUMNS,
    }
}

/// Tells vswitchd, and whoever waits for `cur_cfg` to follow, that there is something new.
pub(crate) fn next_cfg() -> Op {
    Op::Mutate {
        table: System::TABLE,
        conditions: Vec::new(),
        mutations: vec![Mutation::add("next_cfg", 1)],
    }
}

fn each<T>(rows: Vec<Row>, read: impl Fn(Uuid, &Row) -> Result<T>) -> Result<Vec<T>> {
    rows.iter()
        .map(|row| read(row.uuid("_uuid")?, row))
        .collect()
}
