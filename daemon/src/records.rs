//! Attachment records as reports show them.

use attachment::StoreError;
use attachment::record::{Attachment, Phase};

use crate::report::{CorruptRecord, PortReport, PortState};

/// The file that an error of the store is about, as text.
pub fn path_of(error: &StoreError) -> String {
    match error {
        StoreError::Io { path, .. }
        | StoreError::Corrupt { path, .. }
        | StoreError::Version { path, .. }
        | StoreError::Foreign { path, .. } => path.display().to_string(),
        StoreError::Locked { key, .. } => key.to_string(),
    }
}

/// What is told about a record that cannot be read.
pub fn corrupt(error: &StoreError) -> CorruptRecord {
    CorruptRecord {
        path: path_of(error),
        problem: error.to_string(),
    }
}

/// What a record alone tells; nothing has been looked at yet.
pub fn report(record: &Attachment) -> PortReport {
    PortReport {
        pod: record
            .pod
            .as_ref()
            .map(|pod| format!("{}/{}", pod.namespace, pod.name)),
        container_id: record.container_id.clone(),
        ifname: record.ifname.clone(),
        network: record.network.clone(),
        strategy: record.strategy().to_string(),
        bridge: record.port.switch().map(|switch| switch.bridge.clone()),
        port: record.port_name.clone(),
        netns: record.netns.path.display().to_string(),
        mac: Some(record.mac.to_string()),
        mtu: (record.mtu != 0).then_some(record.mtu),
        addresses: record
            .addresses
            .iter()
            .map(|address| address.address.to_string())
            .collect(),
        state: match record.phase {
            Phase::Adding => PortState::Adding,
            Phase::Ready => PortState::Unknown,
            Phase::Deleting => PortState::Deleting,
        },
        problem: None,
        repairs: 0,
        repaired_at_us: None,
        repair_took_ms: None,
    }
}
