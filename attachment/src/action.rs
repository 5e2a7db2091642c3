//! What a plan can ask for. Every action can be repeated after a crash at any step.

use std::path::PathBuf;
use std::time::Duration;

use crate::drift::Drift;
use crate::flood::Life;
use crate::record::{Datapath, Key};

/// One repair. Those of one attachment name it; the record says the rest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Make the bridge anew with its datapath type (conf.db was wiped), and restore
    /// the gateway addresses of its own port.
    EnsureBridge {
        /// OVSDB socket.
        socket: PathBuf,
        /// Bridge.
        bridge: String,
        /// Its datapath.
        datapath: Datapath,
    },
    /// Add the port's row again, with everything the record knows.
    AddPort {
        /// Attachment.
        key: Key,
    },
    /// Set those columns of our row that are empty or were never the operator's to
    /// choose.
    CompletePort {
        /// Attachment.
        key: Key,
    },
    /// Take the row away and add it again: vswitchd holds a device that is nowhere.
    RecreatePort {
        /// Attachment.
        key: Key,
    },
    /// Set OpenFlow's NO_FLOOD bit.
    SetNoFlood {
        /// Attachment.
        key: Key,
        /// How long the bit will live.
        life: Life,
    },
    /// Write into the record that an operator set OpenFlow's NO_FLOOD bit, or cleared it.
    LearnNoFlood {
        /// Attachment.
        key: Key,
        /// Whether NO_FLOOD is set.
        off: bool,
    },
    /// `rename`, userspace: put a macvlan over the port's tap into the pod at once. While
    /// vswitchd is away the tap is made here, for vswitchd to find.
    StandIn {
        /// Attachment.
        key: Key,
    },
    /// Tell the neighbours of a pod that was without traffic where its addresses are (a
    /// stand-in that was made while vswitchd was away, a macvlan that had no carrier): who
    /// asked meanwhile asks again only after a second.
    Announce {
        /// Attachment.
        key: Key,
    },
    /// Bring the fresh port from the root namespace into the pod, in place of the
    /// dead device or the stand-in (`rename`), or as the bond's slave (`bond`).
    MoveIn {
        /// Attachment.
        key: Key,
    },
    /// Make the pod's device anew: macvlan over its lower, veth pair, bond.
    Rebuild {
        /// Attachment.
        key: Key,
    },
    /// Host end: up, alias, master, host routes, gateway addresses.
    RestoreHost {
        /// Attachment.
        key: Key,
        /// What was found missing.
        drift: Vec<Drift>,
    },
    /// Pod's end: MAC, MTU, up, addresses, routes, neighbours, sysctls.
    RestorePod {
        /// Attachment.
        key: Key,
        /// What was found missing.
        drift: Vec<Drift>,
    },
    /// Delete the dead devices that waited aside, all at once: off the critical path.
    SweepAside {
        /// Attachments.
        keys: Vec<Key>,
    },
    /// Take down what is left of an attachment whose pod is gone or whose ADD died;
    /// the record stays, in phase `deleting`, until DEL or GC releases the rest.
    Release {
        /// Attachment.
        key: Key,
    },
    /// Delete a row of ours that no record owns.
    DeleteOrphan {
        /// OVSDB socket.
        socket: PathBuf,
        /// Bridge.
        bridge: String,
        /// Port.
        port: String,
    },
    /// Look again at this time (clock of `Observed::now`): too early to act.
    LookAgain {
        /// Attachment.
        key: Key,
        /// When.
        at: Duration,
    },
    /// Nothing can be done now; say so.
    Report {
        /// Attachment.
        key: Key,
        /// Why nothing is done.
        drift: Drift,
    },
}

impl Action {
    /// The attachment the action is about, if it is about one.
    pub fn key(&self) -> Option<&Key> {
        match self {
            Self::AddPort { key }
            | Self::CompletePort { key }
            | Self::RecreatePort { key }
            | Self::SetNoFlood { key, .. }
            | Self::LearnNoFlood { key, .. }
            | Self::StandIn { key }
            | Self::Announce { key }
            | Self::MoveIn { key }
            | Self::Rebuild { key }
            | Self::RestoreHost { key, .. }
            | Self::RestorePod { key, .. }
            | Self::Release { key }
            | Self::LookAgain { key, .. }
            | Self::Report { key, .. } => Some(key),
            Self::EnsureBridge { .. } | Self::SweepAside { .. } | Self::DeleteOrphan { .. } => None,
        }
    }

    /// Whether the action changes anything, as opposed to telling something.
    pub fn changes(&self) -> bool {
        !matches!(self, Self::LookAgain { .. } | Self::Report { .. })
    }

    /// A word for logs and metrics.
    pub fn verb(&self) -> &'static str {
        match self {
            Self::EnsureBridge { .. } => "ensure-bridge",
            Self::AddPort { .. } => "add-port",
            Self::CompletePort { .. } => "complete-port",
            Self::RecreatePort { .. } => "recreate-port",
            Self::SetNoFlood { .. } => "set-no-flood",
            Self::LearnNoFlood { .. } => "learn-no-flood",
            Self::StandIn { .. } => "stand-in",
            Self::Announce { .. } => "announce",
            Self::MoveIn { .. } => "move-in",
            Self::Rebuild { .. } => "rebuild",
            Self::RestoreHost { .. } => "restore-host",
            Self::RestorePod { .. } => "restore-pod",
            Self::SweepAside { .. } => "sweep-aside",
            Self::Release { .. } => "release",
            Self::DeleteOrphan { .. } => "delete-orphan",
            Self::LookAgain { .. } => "look-again",
            Self::Report { .. } => "report",
        }
    }
}
