//! What attachment records tell: the bridges that are gateways of pods, and pods' ports at the node.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::SystemTime;

use attachment::Store;
use attachment::record::Phase;

use super::host_port::{HostPort, of_record};

/// What is known of the records.
#[derive(Debug, Default)]
pub struct Records {
    /// When their directory last changed.
    changed: Option<SystemTime>,
    /// Bridges of pods.
    pub bridges: BTreeSet<String>,
    /// Ports of pods at the node, those of the older pod first.
    pub host_ports: Vec<HostPort>,
}

impl Records {
    /// Looks again, if anything has changed. A directory that is not there has no records; what
    /// cannot be read is told by those who look after the ports.
    pub fn look(&mut self, state_dir: &Path) {
        let store = Store::at(state_dir);
        let changed = std::fs::metadata(store.directory())
            .and_then(|it| it.modified())
            .ok();
        if changed.is_some() && changed == self.changed {
            return;
        }
        self.changed = changed;
        let Ok(listing) = store.list() else { return };
        let mut ready: Vec<_> = listing.attachments.iter().collect();
        ready.sort_by_key(|record| record.created);
        self.host_ports = ready.into_iter().flat_map(of_record).collect();
        self.bridges = listing
            .attachments
            .iter()
            .filter(|record| record.phase == Phase::Ready)
            .filter_map(|record| Some(record.port.switch()?.bridge.clone()))
            .collect();
    }
}
