//! Where the programs are, and what belongs to the devices they are on.

use std::path::Path;

use abi::Frontend;
use dataplane::tables::{PortKey, PortTable};
use netlink::{LinkMonitor, Netns};
use tokio::time::sleep;

use super::{BURST, Inner, LOOK_AGAIN, Setup};
use crate::services::packet::{Families, host_port};

impl Inner {
    /// Puts the programs in their places, in those of an earlier run or version.
    pub(super) fn attach(&mut self, setup: &Setup) -> dataplane::Result<()> {
        match &setup.cgroup {
            Some(cgroup) => self.dataplane.attach_sockets(cgroup)?,
            None => self.dataplane.detach_sockets()?,
        }
        self.attached = true;
        self.settle_packets(setup);
        self.dataplane.earlier.remove()
    }

    /// Makes devices and the node's tables what they should be.
    pub(super) fn settle_packets(&mut self, setup: &Setup) {
        if !self.attached {
            return;
        }
        let mut families = Families::default();
        for ip in self.index.services().flat_map(|it| &it.cluster_ips) {
            families.v4 |= ip.is_ipv4();
            families.v6 |= ip.is_ipv6();
        }
        let Self {
            packets,
            dataplane,
            network,
            ..
        } = self;
        packets.settle(dataplane, network, &setup.packets, families);
        self.write_host_ports();
    }

    /// Writes the ports of pods at the node, and removes those that are gone.
    fn write_host_ports(&mut self) {
        let owner = |at: &Frontend| self.index.holder(at).map(str::to_owned);
        let here = self.index.here();
        let (tables, refused) = host_port::tables(self.packets.host_ports(), here, owner);
        self.refused_host_ports = refused;
        if tables == self.host_ports {
            return;
        }
        let gone = self
            .host_ports
            .keys()
            .filter(|key| !tables.contains_key(*key));
        let mut ports: Vec<(PortKey, Option<PortTable>)> =
            gone.map(|key| (key.clone(), None)).collect();
        ports.extend(
            tables
                .iter()
                .map(|(key, table)| (key.clone(), Some(table.clone()))),
        );
        self.host_ports = tables;
        for ((key, _), outcome) in ports.iter().zip(self.tables.change(&ports)) {
            if let Err(error) = outcome {
                tracing::warn!(port = key, %error, "port of a pod at the node cannot be programmed");
                self.refused_host_ports.push(format!("{key}: {error}"));
                // Tried again at the next look.
                self.host_ports.remove(key);
            }
        }
        self.cuts
            .written_beside(host_port::PREFIX, self.host_ports.keys(), &self.tables);
    }

    /// Checks that the programs really run where they should.
    pub(super) fn verify(&mut self, cgroup: Option<&Path>) {
        let Some(cgroup) = cgroup.filter(|_| self.attached) else {
            return;
        };
        let found = match self.dataplane.ineffective_sockets(cgroup) {
            Ok(missing) if missing.is_empty() => None,
            Ok(missing) => Some(format!(
                "socket programs that are not in force for {}: {}",
                cgroup.display(),
                missing.join(", ")
            )),
            Err(error) => Some(error.to_string()),
        };
        if found.is_some() && found != self.ineffective {
            tracing::warn!(problem = found, "socket programs are not in force");
            // Whoever removed them, they belong there.
            if let Err(error) = self.dataplane.attach_sockets(cgroup) {
                tracing::warn!(%error, "socket programs cannot be attached again");
            }
        }
        self.ineffective = found;
    }
}

/// Listens to devices; none if that cannot be: they are looked at all the same, only later.
pub(super) fn monitor() -> Option<LinkMonitor> {
    Netns::current().and_then(|root| root.monitor_links()).ok()
}

/// Waits until something about devices may have changed; false when the listening has ended.
pub(super) async fn devices_changed(monitor: &mut Option<LinkMonitor>) -> bool {
    let Some(monitor) = monitor else {
        sleep(LOOK_AGAIN).await;
        return false;
    };
    let seen = monitor.next().await.is_some();
    // They come in bursts, and what belongs to a device is set after it is there.
    sleep(BURST).await;
    seen
}
