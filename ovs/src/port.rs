//! A row of the Port table, and what berth asks of a port.
use std::collections::BTreeMap;
use std::time::Duration;

use crate::error::Result;
use crate::interface::{Interface, InterfaceType};
use crate::mac::Mac;
use crate::ops::{Columns, Mutation};
use crate::row::Row;
use crate::value::{Uuid, Value};

/// The keys and values of an `external_ids` column.
pub type ExternalIds = BTreeMap<String, String>;

/// How a port treats VLAN tags.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum VlanMode {
    /// one VLAN, untagged
    Access,
    /// VLANs of `trunks`, or all, tagged
    Trunk,
    /// as trunk, and `tag` is the VLAN of untagged packets; sent out tagged
    NativeTagged,
    /// as trunk, and `tag` is the VLAN of untagged packets; sent out untagged
    NativeUntagged,
    /// a tag around the customer's tags
    Dot1qTunnel,
}

impl VlanMode {
    const ALL: [VlanMode; 5] = [
        VlanMode::Access,
        VlanMode::Trunk,
        VlanMode::NativeTagged,
        VlanMode::NativeUntagged,
        VlanMode::Dot1qTunnel,
    ];

    /// OVSDB's word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            VlanMode::Access => "access",
            VlanMode::Trunk => "trunk",
            VlanMode::NativeTagged => "native-tagged",
            VlanMode::NativeUntagged => "native-untagged",
            VlanMode::Dot1qTunnel => "dot1q-tunnel",
        }
    }
}

/// One port, as the database has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Port {
    /// row
    pub uuid: Uuid,
    /// name; that of its interface, unless it is a bond
    pub name: String,
    /// rows of the Interface table, one unless it is a bond
    pub interfaces: Vec<Uuid>,
    /// VLAN of an access port, or native VLAN of a trunk
    pub tag: Option<u16>,
    /// VLANs of a trunk; empty: all
    pub trunks: Vec<u16>,
    /// `None`: access if there is a tag, else trunk
    pub vlan_mode: Option<VlanMode>,
    /// row of the QoS table
    pub qos: Option<Uuid>,
    /// keys and values that others keep here
    pub external_ids: ExternalIds,
}

impl Port {
    pub(crate) const TABLE: &'static str = "Port";
    pub(crate) const COLUMNS: &'static [&'static str] = &[
        "_uuid",
        "name",
        "interfaces",
        "tag",
        "trunks",
        "vlan_mode",
        "qos",
        "external_ids",
    ];

    pub(crate) fn from_row(uuid: Uuid, row: &Row) -> Result<Self> {
        Ok(Port {
            uuid,
            name: row.string("name")?,
            interfaces: row.uuids("interfaces")?,
            tag: row.optional_integer("tag")?,
            trunks: row.integers("trunks")?,
            vlan_mode: match row.optional_string("vlan_mode")? {
                None => None,
                Some(word) => Some(
                    VlanMode::ALL
                        .into_iter()
                        .find(|mode| mode.as_str() == word)
                        .ok_or_else(|| row.wrong("vlan_mode", "a VLAN mode"))?,
                ),
            },
            qos: row.uuids("qos")?.first().copied(),
            external_ids: row.string_map("external_ids")?,
        })
    }
}

/// A port with its bridge and its interface.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PortRow {
    /// name of the bridge that has it
    pub bridge: String,
    /// row of the Port table
    pub port: Port,
    /// row of the Interface table; of a bond, the first
    pub interface: Interface,
}

impl PortRow {
    /// Name of the port.
    pub fn name(&self) -> &str {
        &self.port.name
    }

    /// OpenFlow port number, once vswitchd has made the port.
    pub fn ofport(&self) -> Option<u16> {
        self.interface
            .ofport
            .and_then(|number| u16::try_from(number).ok())
            .filter(|number| *number > 0)
    }

    /// Index of the device in vswitchd's namespace; `None` if it is not known or the device was moved away.
    pub fn ifindex(&self) -> Option<u32> {
        self.interface.ifindex.filter(|index| *index > 0)
    }

    /// vswitchd's words when it cannot make the port.
    pub fn error(&self) -> Option<&str> {
        self.interface.error.as_deref()
    }

    /// The port's keys, which say whose it is.
    pub fn external_ids(&self) -> &ExternalIds {
        &self.port.external_ids
    }
}

/// A port to add.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PortSpec {
    /// bridge to add it to
    pub bridge: String,
    /// name of port, interface and device; at most 15 bytes
    pub name: String,
    /// whether vswitchd makes the device
    pub interface_type: InterfaceType,
    /// VLAN of an access port, or native VLAN of a trunk
    pub tag: Option<u16>,
    /// VLANs of a trunk; empty: all
    pub trunks: Vec<u16>,
    /// `None`: access if there is a tag, else trunk
    pub vlan_mode: Option<VlanMode>,
    /// MAC of an internal device; `None`: vswitchd picks one
    pub mac: Option<Mac>,
    /// MTU of an internal device, in bytes; `None`: the least of the bridge's other ports
    pub mtu_request: Option<u32>,
    /// OpenFlow port number to use if it is free, 1 to 65279
    pub ofport_request: Option<u16>,
    /// keys for Port and Interface alike
    pub external_ids: ExternalIds,
    /// how long to wait for vswitchd to make the port
    pub limit: Duration,
}

impl PortSpec {
    /// How long [`PortSpec::new`] gives vswitchd: it makes a port in milliseconds, but 250 ADDs may queue.
    pub const LIMIT: Duration = Duration::from_secs(10);

    /// A port without VLAN, requests or keys.
    pub fn new(bridge: &str, name: &str, interface_type: InterfaceType) -> Self {
        PortSpec {
            bridge: bridge.to_owned(),
            name: name.to_owned(),
            interface_type,
            tag: None,
            trunks: Vec::new(),
            vlan_mode: None,
            mac: None,
            mtu_request: None,
            ofport_request: None,
            external_ids: ExternalIds::new(),
            limit: Self::LIMIT,
        }
    }
}

/// What to do to a column of a row that is there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Change<T> {
    /// leave it
    #[default]
    Keep,
    /// unset it
    Clear,
    /// set it
    To(T),
}

impl<T> Change<T> {
    /// Makes the column what an optional wish says: set to it, or cleared.
    pub fn exactly(wish: Option<T>) -> Self {
        wish.map_or(Change::Clear, Change::To)
    }

    pub(crate) fn column(
        &self,
        columns: Columns,
        name: &'static str,
        value: impl FnOnce(&T) -> Value,
    ) -> Columns {
        match self {
            Change::Keep => columns,
            Change::Clear => columns.with(name, Value::empty()),
            Change::To(wish) => columns.with(name, value(wish)),
        }
    }
}

/// Changes to a port that is there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PortChange {
    /// `Port.tag`
    pub tag: Change<u16>,
    /// `Port.trunks`
    pub trunks: Change<Vec<u16>>,
    /// `Port.vlan_mode`
    pub vlan_mode: Change<VlanMode>,
    /// keys to add, or to give another value; other keys stay
    pub external_ids: ExternalIds,
}

impl PortChange {
    pub(crate) fn columns(&self) -> Columns {
        let mut columns = Columns::new();
        columns = self
            .tag
            .column(columns, "tag", |tag| i64::from(*tag).into());
        columns = self.trunks.column(columns, "trunks", |vlans| {
            Value::set(vlans.iter().map(|vlan| i64::from(*vlan)))
        });
        self.vlan_mode
            .column(columns, "vlan_mode", |mode| mode.as_str().into())
    }

    pub(crate) fn mutations(&self) -> Vec<Mutation> {
        replace_keys(&self.external_ids)
    }
}

/// Mutations that give `external_ids` these keys with these values and leave its other keys.
pub(crate) fn replace_keys(pairs: &ExternalIds) -> Vec<Mutation> {
    if pairs.is_empty() {
        return Vec::new();
    }
    // `insert` does not overwrite a key, so the keys are taken out first
    vec![
        Mutation::delete("external_ids", Value::set(pairs.keys().map(String::as_str))),
        Mutation::insert("external_ids", Value::map(pairs)),
    ]
}
