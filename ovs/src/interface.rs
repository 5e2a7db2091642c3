//! A row of the Interface table: what was asked for, and what vswitchd made of it.
use crate::error::Result;
use crate::mac::Mac;
use crate::ops::{Columns, Mutation};
use crate::port::{Change, ExternalIds};
use crate::row::Row;
use crate::value::Uuid;

/// What vswitchd does for an interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum InterfaceType {
    /// it makes the device: a port of the kernel module, or a tap of the userspace datapath
    Internal,
    /// it opens a device that is there, such as the host end of a veth
    System,
}

impl InterfaceType {
    /// OVSDB's word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            InterfaceType::Internal => "internal",
            InterfaceType::System => "system",
        }
    }
}

/// One interface, as the database has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Interface {
    /// row
    pub uuid: Uuid,
    /// name of the network device
    pub name: String,
    /// `internal`, `system` or empty (the same), `patch`, `vxlan` and so on
    pub kind: String,
    /// OpenFlow port number; `None`: vswitchd has not looked yet, -1: it cannot make it
    pub ofport: Option<i64>,
    /// OpenFlow port number asked for
    pub ofport_request: Option<u16>,
    /// vswitchd's words when it cannot make the interface
    pub error: Option<String>,
    /// MAC asked for
    pub mac: Option<Mac>,
    /// MAC the device has, or had when vswitchd last saw it
    pub mac_in_use: Option<Mac>,
    /// MTU asked for, in bytes
    pub mtu_request: Option<u32>,
    /// MTU the device has, in bytes
    pub mtu: Option<u32>,
    /// index of the device in vswitchd's namespace; 0: it was moved to another one
    pub ifindex: Option<u32>,
    /// administratively up; `None`: vswitchd does not know
    pub admin_up: Option<bool>,
    /// carrier; wrong for devices moved to another namespace on OVS before 3.3.9, 3.4.6, 3.5.4, 3.6.3, 3.7.1
    pub link_up: Option<bool>,
    /// how often the carrier changed, as vswitchd saw it; grows when it restarts, of a tap that is up
    pub link_resets: Option<i64>,
    /// policing in kbit/s, 0 for none
    pub ingress_policing_rate: u64,
    /// keys and values that others keep here
    pub external_ids: ExternalIds,
}

impl Interface {
    pub(crate) const TABLE: &'static str = "Interface";
    pub(crate) const COLUMNS: &'static [&'static str] = &[
        "_uuid",
        "name",
        "type",
        "ofport",
        "ofport_request",
        "error",
        "mac",
        "mac_in_use",
        "mtu_request",
        "mtu",
        "ifindex",
        "admin_state",
        "link_state",
        "link_resets",
        "ingress_policing_rate",
        "external_ids",
    ];

    pub(crate) fn from_row(uuid: Uuid, row: &Row) -> Result<Self> {
        let mac = |column| match row.optional_string(column)? {
            // vswitchd ignores an empty or malformed address with a warning; so a foreign row stays readable
            Some(text) => Ok(text.parse().ok()),
            None => Ok(None),
        };
        let state = |column| match row.optional_string(column)?.as_deref() {
            None => Ok(None),
            Some("up") => Ok(Some(true)),
            Some("down") => Ok(Some(false)),
            Some(_) => Err(row.wrong(column, "up or down")),
        };
        Ok(Interface {
            uuid,
            name: row.string("name")?,
            kind: row.optional_string("type")?.unwrap_or_default(),
            ofport: row.optional_integer("ofport")?,
            ofport_request: row.optional_integer("ofport_request")?,
            error: row.optional_string("error")?,
            mac: mac("mac")?,
            mac_in_use: mac("mac_in_use")?,
            mtu_request: row.optional_integer("mtu_request")?,
            mtu: row.optional_integer("mtu")?,
            ifindex: row.optional_integer("ifindex")?,
            admin_up: state("admin_state")?,
            link_up: state("link_state")?,
            link_resets: row.optional_integer("link_resets")?,
            ingress_policing_rate: row.optional_integer("ingress_policing_rate")?.unwrap_or(0),
            external_ids: row.string_map("external_ids")?,
        })
    }
}

/// Changes to an interface that is there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct InterfaceChange {
    /// `Interface.type`: vswitchd lets the device go and takes up, or makes, one of the new type
    pub kind: Change<InterfaceType>,
    /// `Interface.mac`; vswitchd gives it to internal devices only
    pub mac: Change<Mac>,
    /// `Interface.mtu_request`, in bytes; has no effect on a device moved to another namespace
    pub mtu_request: Change<u32>,
    /// `Interface.ofport_request`, 1 to 65279
    pub ofport_request: Change<u16>,
    /// keys to add, or to give another value; other keys stay
    pub external_ids: ExternalIds,
}

impl InterfaceChange {
    pub(crate) fn columns(&self) -> Columns {
        let mut columns = Columns::new();
        columns = self
            .kind
            .column(columns, "type", |kind| kind.as_str().into());
        columns = self
            .mac
            .column(columns, "mac", |mac| mac.to_string().into());
        columns = self
            .mtu_request
            .column(columns, "mtu_request", |mtu| i64::from(*mtu).into());
        self.ofport_request
            .column(columns, "ofport_request", |port| i64::from(*port).into())
    }

    pub(crate) fn mutations(&self) -> Vec<Mutation> {
        crate::port::replace_keys(&self.external_ids)
    }
}
