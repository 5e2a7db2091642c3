//! Adding a port, and waiting until vswitchd has made it.
use std::time::Duration;

use tokio::time::Instant;

use crate::answer::guard_failed;
use crate::bridge::Bridge;
use crate::error::{Error, Result};
use crate::interface::Interface;
use crate::ops::{Columns, Condition, Mutation, Op};
use crate::port::{Port, PortRow, PortSpec};
use crate::switch::{Switch, next_cfg};
use crate::value::{Atom, Uuid, Value};

/// How long the removal of a failed port's row waits for the database to come back.
const UNDO: Duration = Duration::from_secs(2);

impl Switch {
    /// Adds a port in one transaction and waits until vswitchd has given it an OpenFlow number.
    ///
    /// # Errors
    /// [`Error::NoSuchBridge`], [`Error::PortExists`]; [`Error::PortRefused`] with vswitchd's words;
    /// [`Error::Unanswered`] (retryable) if vswitchd does not act within `spec.limit`. After any of them
    /// the row is gone again, or the error is [`Error::NotUndone`]. Only if the connection broke before the
    /// database confirmed the row is it unknown whether there is one; that error is retryable too, and
    /// [`Switch::del_port`] settles it.
    pub async fn add_port(&self, spec: &PortSpec) -> Result<PortRow> {
        let started = Instant::now();
        let rows = self.insert(spec).await?;
        let inserted = started.elapsed();
        match self.made(&spec.name, rows.interface, spec.limit).await {
            Ok(interface) => {
                tracing::debug!(
                    port = spec.name,
                    bridge = spec.bridge,
                    database_us = inserted.as_micros(),
                    vswitchd_us = (started.elapsed() - inserted).as_micros(),
                    "port added"
                );
                Ok(PortRow {
                    bridge: spec.bridge.clone(),
                    port: port_of(spec, rows),
                    interface,
                })
            }
            Err(cause) => match self.undo(rows.port, &spec.name).await {
                Ok(()) => Err(cause),
                Err(undo) => Err(Error::NotUndone {
                    name: spec.name.clone(),
                    cause: Box::new(cause),
                    undo: Box::new(undo),
                }),
            },
        }
    }

    async fn insert(&self, spec: &PortSpec) -> Result<Rows> {
        let results = match self.transact(&insertion(spec)).await {
            Ok(results) => results,
            Err(error) => {
                return Err(match guard_failed(&error) {
                    Some(BRIDGE_GUARD) => Error::NoSuchBridge {
                        bridge: spec.bridge.clone(),
                    },
                    Some(_) => Error::PortExists {
                        name: spec.name.clone(),
                        owner: self.owner_of(&spec.name).await?,
                    },
                    None => error,
                });
            }
        };
        let mut inserted = results.iter().filter_map(|result| result.inserted());
        match (inserted.next(), inserted.next()) {
            (Some(interface), Some(port)) => Ok(Rows { interface, port }),
            // `ops::results` has checked that each insert has its row
            _ => unreachable!("two inserts give two rows"),
        }
    }

    /// Takes the row of a port out again, also over a new connection when the database is just restarting.
    async fn undo(&self, port: Uuid, name: &str) -> Result<()> {
        let deadline = Instant::now() + UNDO;
        loop {
            match self.transact(&removal(port, name)).await {
                Ok(_) => return Ok(()),
                Err(error) if error.is_retryable() && Instant::now() < deadline => {
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
                Err(error) => return Err(error),
            }
        }
    }
}

/// The rows of a port.
#[derive(Clone, Copy)]
struct Rows {
    port: Uuid,
    interface: Uuid,
}

/// Place of the operation in [`insertion`] that fails if the bridge is missing.
const BRIDGE_GUARD: usize = 0;

fn insertion(spec: &PortSpec) -> Vec<Op> {
    let PortSpec { name, bridge, .. } = spec;
    let named = |name: &str| vec![Condition::is("name", name)];
    let absent = |table| Op::Wait {
        table,
        conditions: named(name),
        columns: &["name"],
        until_equal: true,
        rows: Vec::new(),
        timeout: Duration::ZERO,
    };
    let external_ids = || Value::map(&spec.external_ids);

    let mut interface = Columns::new()
        .with("name", name.as_str())
        .with("type", spec.interface_type.as_str())
        .with("external_ids", external_ids());
    if let Some(mac) = spec.mac {
        interface = interface.with("mac", mac.to_string());
    }
    if let Some(mtu) = spec.mtu_request {
        interface = interface.with("mtu_request", i64::from(mtu));
    }
    if let Some(number) = spec.ofport_request {
        interface = interface.with("ofport_request", i64::from(number));
    }

    let mut port = Columns::new()
        .with("name", name.as_str())
        .with("interfaces", Atom::NamedUuid("interface".to_owned()))
        .with("external_ids", external_ids());
    if let Some(tag) = spec.tag {
        port = port.with("tag", i64::from(tag));
    }
    if !spec.trunks.is_empty() {
        port = port.with(
            "trunks",
            Value::set(spec.trunks.iter().map(|vlan| i64::from(*vlan))),
        );
    }
    if let Some(mode) = spec.vlan_mode {
        port = port.with("vlan_mode", mode.as_str());
    }

    vec![
        Op::Wait {
            table: Bridge::TABLE,
            conditions: named(bridge),
            columns: &["name"],
            until_equal: true,
            rows: vec![Columns::new().with("name", bridge.as_str())],
            timeout: Duration::ZERO,
        },
        absent(Interface::TABLE),
        absent(Port::TABLE),
        Op::Insert {
            table: Interface::TABLE,
            row: interface,
            name: Some("interface".to_owned()),
        },
        Op::Insert {
            table: Port::TABLE,
            row: port,
            name: Some("port".to_owned()),
        },
        Op::Mutate {
            table: Bridge::TABLE,
            conditions: named(bridge),
            mutations: vec![Mutation::insert(
                "ports",
                Atom::NamedUuid("port".to_owned()),
            )],
        },
        next_cfg(),
        Op::Comment(format!("berth: add port {name} to {bridge}")),
    ]
}

/// Takes a port out of the bridge that has it; the database drops rows that nothing refers to.
pub(crate) fn removal(port: Uuid, name: &str) -> Vec<Op> {
    vec![
        Op::Mutate {
            table: Bridge::TABLE,
            conditions: vec![Condition::includes("ports", port)],
            mutations: vec![Mutation::delete("ports", port)],
        },
        next_cfg(),
        Op::Comment(format!("berth: remove port {name}")),
    ]
}

fn port_of(spec: &PortSpec, rows: Rows) -> Port {
    Port {
        uuid: rows.port,
        name: spec.name.clone(),
        interfaces: vec![rows.interface],
        tag: spec.tag,
        trunks: spec.trunks.clone(),
        vlan_mode: spec.vlan_mode,
        qos: None,
        external_ids: spec.external_ids.clone(),
    }
}
