//! What the daemon knows of the switch at one moment.
use std::collections::BTreeMap;
use std::sync::Arc;

use crate::bridge::Bridge;
use crate::interface::Interface;
use crate::port::{Port, PortRow};
use crate::system::System;
use crate::value::Uuid;

/// Whether the replica is live.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Connection {
    /// no first copy was received yet, or the connection was lost; the tables are as they were before
    Away {
        /// why, for the operator
        reason: String,
    },
    /// the tables follow the database
    Live,
}

/// The switch's tables at one moment. Rows are shared between snapshots, so a clone or a new one is cheap.
#[derive(Clone, Debug)]
pub struct Snapshot {
    /// whether it is live
    pub connection: Connection,
    /// how often a full copy was received: grows by one at each reconnect
    pub resyncs: u64,
    /// the switch as a whole; `None` in a database that nobody set up yet
    pub system: Option<Arc<System>>,
    /// bridges by name
    pub bridges: BTreeMap<String, Arc<Bridge>>,
    /// ports by name
    pub ports: BTreeMap<String, Arc<Port>>,
    /// interfaces by name
    pub interfaces: BTreeMap<String, Arc<Interface>>,
}

impl Snapshot {
    /// A snapshot of nothing.
    pub fn empty(connection: Connection) -> Self {
        Snapshot {
            connection,
            resyncs: 0,
            system: None,
            bridges: BTreeMap::new(),
            ports: BTreeMap::new(),
            interfaces: BTreeMap::new(),
        }
    }

    /// True while the tables follow the database.
    pub fn is_live(&self) -> bool {
        self.connection == Connection::Live
    }

    /// The bridge that has this port.
    pub fn bridge_of(&self, port: Uuid) -> Option<&Arc<Bridge>> {
        self.bridges
            .values()
            .find(|bridge| bridge.ports.contains(&port))
    }

    /// The port with its bridge and first interface.
    pub fn port(&self, name: &str) -> Option<PortRow> {
        let port = self.ports.get(name)?;
        let interface = self
            .interfaces
            .get(name)
            .filter(|interface| port.interfaces.contains(&interface.uuid))
            .or_else(|| {
                self.interfaces
                    .values()
                    .find(|interface| port.interfaces.contains(&interface.uuid))
            })?;
        Some(PortRow {
            bridge: self.bridge_of(port.uuid)?.name.clone(),
            port: Port::clone(port),
            interface: Interface::clone(interface),
        })
    }
}
