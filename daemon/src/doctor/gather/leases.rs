//! Reads the leases of the networks that are berth's.

use std::path::Path;

use super::super::scene::{Lease, Scene};
use crate::{confs, leases};

pub fn look(scene: &mut Scene, ipam_dir: &Path) {
    for network in confs::networks(&scene.confs, &scene.records) {
        match leases::of_network(ipam_dir, &network) {
            Ok(found) => scene.leases.extend(found.into_iter().map(|lease| Lease {
                network: network.clone(),
                address: lease.address.to_string(),
                container_id: lease.container_id,
                ifname: lease.ifname,
                taken_at: lease.taken_at,
            })),
            Err(error) => scene.blind(&format!("leases of network {network}"), &error),
        }
    }
}
