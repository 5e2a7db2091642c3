//! A row of the Bridge table.
use std::fmt;

use crate::error::Result;
use crate::port::ExternalIds;
use crate::row::Row;
use crate::value::Uuid;

/// Who forwards a bridge's packets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Datapath {
    /// the kernel's openvswitch module (`system`, or an empty `datapath_type`)
    Kernel,
    /// vswitchd itself (`netdev`); internal ports are taps
    Userspace,
}

impl Datapath {
    /// OVSDB's word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Datapath::Kernel => "system",
            Datapath::Userspace => "netdev",
        }
    }
}

impl fmt::Display for Datapath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Datapath::Kernel => "kernel",
            Datapath::Userspace => "userspace",
        })
    }
}

/// What a bridge does without a controller.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FailMode {
    /// act as a learning switch
    Standalone,
    /// forward nothing but what flows say
    Secure,
}

impl FailMode {
    /// OVSDB's word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            FailMode::Standalone => "standalone",
            FailMode::Secure => "secure",
        }
    }
}

/// One bridge, as the database has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bridge {
    /// row
    pub uuid: Uuid,
    /// name, also of its local port
    pub name: String,
    /// who forwards
    pub datapath: Datapath,
    /// `None`: unset, which acts as standalone
    pub fail_mode: Option<FailMode>,
    /// rows of the Port table, the local port's too
    pub ports: Vec<Uuid>,
    /// OpenFlow datapath id, 16 hexadecimal digits; `None` until vswitchd has made the bridge
    pub datapath_id: Option<String>,
    /// keys and values that others keep here
    pub external_ids: ExternalIds,
    /// vswitchd's options, such as `hwaddr`
    pub other_config: ExternalIds,
}

impl Bridge {
    pub(crate) const TABLE: &'static str = "Bridge";
    pub(crate) const COLUMNS: &'static [&'static str] = &[
        "_uuid",
        "name",
        "datapath_type",
        "fail_mode",
        "ports",
        "datapath_id",
        "external_ids",
        "other_config",
    ];

    pub(crate) fn from_row(uuid: Uuid, row: &Row) -> Result<Self> {
        Ok(Bridge {
            uuid,
            name: row.string("name")?,
            datapath: match row.optional_string("datapath_type")?.as_deref() {
                None | Some("" | "system") => Datapath::Kernel,
                Some("netdev") => Datapath::Userspace,
                Some(_) => return Err(row.wrong("datapath_type", "system or netdev")),
            },
            fail_mode: match row.optional_string("fail_mode")?.as_deref() {
                None => None,
                Some("standalone") => Some(FailMode::Standalone),
                Some("secure") => Some(FailMode::Secure),
                Some(_) => return Err(row.wrong("fail_mode", "standalone or secure")),
            },
            ports: row.uuids("ports")?,
            datapath_id: row.optional_string("datapath_id")?,
            external_ids: row.string_map("external_ids")?,
            other_config: row.string_map("other_config")?,
        })
    }
}
