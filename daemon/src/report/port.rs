//! The attachments of the node as `berthctl ports` shows them.

use serde::{Deserialize, Serialize};

/// How an attachment does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PortState {
    /// As its record says it must be.
    Ready,
    /// Its ADD has not ended.
    Adding,
    /// Its DEL has not ended.
    Deleting,
    /// Serves through a device that stands in for its own, which takes its place when nothing urgent is left.
    StandIn,
    /// Not as it must be, and being repaired.
    Repairing,
    /// The repair failed; it is tried again.
    Failing,
    /// Its network namespace is gone: the pod is dead and DEL has not come.
    PodGone,
    /// Not looked at: the daemon did not answer and only the record is known.
    Unknown,
}

impl PortState {
    /// Every state, for metrics that must show zeroes too.
    pub const ALL: [PortState; 8] = [
        PortState::Ready,
        PortState::Adding,
        PortState::Deleting,
        PortState::StandIn,
        PortState::Repairing,
        PortState::Failing,
        PortState::PodGone,
        PortState::Unknown,
    ];

    /// The word used in JSON, tables and metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            PortState::Ready => "ready",
            PortState::Adding => "adding",
            PortState::Deleting => "deleting",
            PortState::StandIn => "stand-in",
            PortState::Repairing => "repairing",
            PortState::Failing => "failing",
            PortState::PodGone => "pod-gone",
            PortState::Unknown => "unknown",
        }
    }

    /// Whether the pod may be without its network, as far as can be told.
    pub fn is_troubled(self) -> bool {
        !matches!(
            self,
            PortState::Ready | PortState::Adding | PortState::Deleting | PortState::StandIn
        )
    }
}

/// One attachment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PortReport {
    /// `namespace/name` of the pod, where the runtime told it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub pod: Option<String>,
    /// The container (sandbox) id.
    pub container_id: String,
    /// The interface's name in the pod.
    pub ifname: String,
    /// The CNI network.
    pub network: String,
    /// The strategy: routed, veth, rename, bond or macvlan.
    pub strategy: String,
    /// The bridge; none for a routed port.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub bridge: Option<String>,
    /// The OVS port, or the host's end of a routed one.
    pub port: String,
    /// The pod's network namespace.
    pub netns: String,
    /// MAC address of the interface in the pod.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub mac: Option<String>,
    /// MTU of the interface in the pod.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub mtu: Option<u32>,
    /// Addresses with prefix length.
    pub addresses: Vec<String>,
    /// How it does.
    pub state: PortState,
    /// Why it is not ready, in words.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub problem: Option<String>,
    /// How often this daemon has repaired it.
    pub repairs: u64,
    /// When it was last repaired.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub repaired_at_us: Option<u64>,
    /// How long after the first signal the last repair was done.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub repair_took_ms: Option<f64>,
}

/// A record that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CorruptRecord {
    /// The file.
    pub path: String,
    /// What is wrong with it.
    pub problem: String,
}

/// All attachments.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PortsReport {
    /// `daemon` or `records`: in the second case nothing was looked at beyond the files.
    pub source: String,
    /// The attachments, by pod, container and interface.
    pub ports: Vec<PortReport>,
    /// Records that cannot be read.
    pub corrupt_records: Vec<CorruptRecord>,
}

impl PortsReport {
    /// Whether no pod may be without its network.
    pub fn healthy(&self) -> bool {
        self.corrupt_records.is_empty() && self.ports.iter().all(|port| !port.state.is_troubled())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_word_in_json_is_the_word_in_tables() {
        for state in PortState::ALL {
            let json = serde_json::to_value(state).expect("serialises");
            assert_eq!(json, state.as_str());
        }
    }
}
