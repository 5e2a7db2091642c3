//! One line of the timeline.

use serde::{Deserialize, Serialize};

/// What kind of thing happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum EventKind {
    /// The daemon started.
    Started,
    /// ovs-vswitchd died.
    VswitchdDied,
    /// ovs-vswitchd is there.
    VswitchdStarted,
    /// OVSDB answers.
    OvsdbConnected,
    /// OVSDB does not answer any more.
    OvsdbLost,
    /// A link that belongs to an attachment appeared or changed in the node's namespace.
    LinkSeen,
    /// A record appeared.
    RecordAdded,
    /// A record went away.
    RecordRemoved,
    /// A record cannot be read.
    RecordCorrupt,
    /// A record of a pod that is gone was removed.
    RecordCleaned,
    /// A lease of a pod that is gone was released.
    LeaseReleased,
    /// One action of a repair was done.
    Action,
    /// An attachment is whole again.
    Repaired,
    /// A repair failed; it is tried again.
    RepairFailed,
    /// A port of ours without a record was seen for the first time.
    StalePortSeen,
    /// A port of ours without a record was deleted at the second look.
    StalePortDeleted,
    /// A pass ended.
    Pass,
    /// A pass failed.
    PassFailed,
}

impl EventKind {
    /// The word used in JSON and in tables.
    pub fn as_str(self) -> &'static str {
        match self {
            EventKind::Started => "started",
            EventKind::VswitchdDied => "vswitchd-died",
            EventKind::VswitchdStarted => "vswitchd-started",
            EventKind::OvsdbConnected => "ovsdb-connected",
            EventKind::OvsdbLost => "ovsdb-lost",
            EventKind::LinkSeen => "link-seen",
            EventKind::RecordAdded => "record-added",
            EventKind::RecordRemoved => "record-removed",
            EventKind::RecordCorrupt => "record-corrupt",
            EventKind::RecordCleaned => "record-cleaned",
            EventKind::LeaseReleased => "lease-released",
            EventKind::Action => "action",
            EventKind::Repaired => "repaired",
            EventKind::RepairFailed => "repair-failed",
            EventKind::StalePortSeen => "stale-port-seen",
            EventKind::StalePortDeleted => "stale-port-deleted",
            EventKind::Pass => "pass",
            EventKind::PassFailed => "pass-failed",
        }
    }
}

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Event {
    /// Counts from 1 since the daemon started, without gaps.
    pub sequence: u64,
    /// When.
    pub at_us: u64,
    /// What kind.
    pub kind: EventKind,
    /// Which port, pod, file or process.
    pub subject: String,
    /// In words.
    pub detail: String,
    /// How long it took, or how long after the first signal it was done.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub took_ms: Option<f64>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_word_in_json_is_the_word_in_tables() {
        for kind in [
            EventKind::Started,
            EventKind::VswitchdDied,
            EventKind::RecordCleaned,
            EventKind::StalePortDeleted,
            EventKind::PassFailed,
        ] {
            let json = serde_json::to_value(kind).expect("serialises");
            assert_eq!(json, kind.as_str());
        }
    }
}
