//! Reads the leases of the networks that are berth's.

use std::path::Path;

use super::super::scene::{Lease, Scene};
use crate::{confs, leases};

pub fn look(scene: &mut Scene, ipam_dir: &Path) {
    for network in confs::networks(&scene.confs, &scene.records, ipam_dir) {
        match leases::of_network(&network.data_dir, &network.name) {
            Ok(found) => scene.leases.extend(found.into_iter().map(|lease| Lease {
                network: network.name.clone(),
                address: lease.address.to_string(),
                container_id: lease.container_id,
                ifname: lease.ifname,
                taken_at: lease.taken_at,
            })),
            Err(error) => scene.blind(&format!("leases of network {}", network.name), &error),
        }
    }
}
