//! How the daemon does, as `berthctl status` shows it.

use serde::{Deserialize, Serialize};

use super::event::Event;
use super::port::CorruptRecord;
use crate::services::report::ServicesStatus;

/// The OVSDB connection.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OvsdbStatus {
    /// The socket.
    pub socket: String,
    /// Whether it answers.
    pub connected: bool,
    /// Why not.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub error: Option<String>,
}

/// The ovs-vswitchd process.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct VswitchdStatus {
    /// Its process id; none when it does not run.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub pid: Option<i32>,
    /// Why its life cannot be watched; it then counts as running.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub error: Option<String>,
    /// How often it has died under this daemon.
    pub deaths: u64,
    /// When it last died.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub died_at_us: Option<u64>,
}

impl VswitchdStatus {
    /// Whether it runs, as far as can be told.
    pub fn is_alive(&self) -> bool {
        self.pid.is_some() || self.error.is_some()
    }
}

/// The passes made.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PassStatus {
    /// Passes over all records.
    pub full: u64,
    /// Passes over the ports that a signal named.
    pub partial: u64,
    /// Passes that failed.
    pub failed: u64,
    /// When the last one ended.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub last_at_us: Option<u64>,
    /// How long it took.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub last_took_ms: Option<f64>,
    /// What caused it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub last_cause: Option<String>,
    /// Why the last one failed.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub error: Option<String>,
}

/// How many attachments there are.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PortCounts {
    /// All.
    pub total: usize,
    /// As they must be.
    pub ready: usize,
    /// In the middle of an ADD or DEL, or served by a stand-in.
    pub changing: usize,
    /// Not as they must be.
    pub troubled: usize,
}

/// Something that is tried again after an error.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Failure {
    /// Which attachment (`<container>.<interface>`) or task.
    pub subject: String,
    /// The last error.
    pub error: String,
    /// How often it failed in a row.
    pub attempts: u32,
    /// When it is tried again.
    pub retry_at_us: u64,
}

/// How the daemon does.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StatusReport {
    /// Whether `problems` is empty.
    pub healthy: bool,
    /// What is wrong, one line each.
    pub problems: Vec<String>,
    /// This node.
    pub node: String,
    /// Version of the daemon.
    pub version: String,
    /// Its git commit.
    pub commit: String,
    /// Version of the layout of pinned maps.
    pub abi_version: u32,
    /// The daemon's process id.
    pub pid: u32,
    /// When it started.
    pub started_at_us: u64,
    /// Its resident memory, bytes.
    pub resident_bytes: u64,
    /// Directory of records and control socket.
    pub state_dir: String,
    /// Where health is served.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub healthz: Option<String>,
    /// Where metrics are served.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub metrics: Option<String>,
    /// The OVSDB connection.
    pub ovsdb: OvsdbStatus,
    /// The switch process.
    pub vswitchd: VswitchdStatus,
    /// The passes made.
    pub passes: PassStatus,
    /// How many attachments there are.
    pub ports: PortCounts,
    /// How Services do; none where they are not programmed.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub services: Option<ServicesStatus>,
    /// What is tried again after an error.
    pub failures: Vec<Failure>,
    /// Records that cannot be read.
    pub corrupt_records: Vec<CorruptRecord>,
    /// The latest events, oldest first.
    pub events: Vec<Event>,
}
