//! The one row of the Open_vSwitch table: versions, abilities and the configuration counters.
use crate::error::Result;
use crate::port::ExternalIds;
use crate::row::Row;

/// The switch as a whole.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct System {
    /// version of OVS as its start script noted it; `None` where none did (see `control::version`)
    pub ovs_version: Option<String>,
    /// version of the database's schema
    pub db_version: Option<String>,
    /// datapath types this vswitchd has, such as `netdev` and `system`; empty until one has started
    pub datapath_types: Vec<String>,
    /// interface types this vswitchd has
    pub iface_types: Vec<String>,
    /// configuration asked for
    pub next_cfg: i64,
    /// configuration vswitchd has carried out
    pub cur_cfg: i64,
    /// vswitchd's options
    pub other_config: ExternalIds,
    /// keys and values that others keep here
    pub external_ids: ExternalIds,
}

impl System {
    pub(crate) const TABLE: &'static str = "Open_vSwitch";
    pub(crate) const COLUMNS: &'static [&'static str] = &[
        "ovs_version",
        "db_version",
        "datapath_types",
        "iface_types",
        "next_cfg",
        "cur_cfg",
        "other_config",
        "external_ids",
    ];

    /// True if vswitchd is told to forward nothing until flows are restored; left so, all traffic stops.
    pub fn flow_restore_wait(&self) -> bool {
        self.other_config
            .get("flow-restore-wait")
            .is_some_and(|word| word == "true")
    }

    pub(crate) fn from_row(row: &Row) -> Result<Self> {
        Ok(System {
            ovs_version: row.optional_string("ovs_version")?,
            db_version: row.optional_string("db_version")?,
            datapath_types: row.strings("datapath_types")?,
            iface_types: row.strings("iface_types")?,
            next_cfg: row.optional_integer("next_cfg")?.unwrap_or(0),
            cur_cfg: row.optional_integer("cur_cfg")?.unwrap_or(0),
            other_config: row.string_map("other_config")?,
            external_ids: row.string_map("external_ids")?,
        })
    }
}
