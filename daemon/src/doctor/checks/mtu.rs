//! MTUs along a pod's way out agree with its record.

use attachment::record::{Attachment, Phase, Port};

use super::super::finding;
use super::super::scene::{Pod, Scene, pod_name};
use crate::report::{Finding, Severity};

pub const NAME: &str = "mtu";

pub fn check(scene: &Scene, found: &mut Vec<Finding>) {
    for record in &scene.records {
        if record.phase != Phase::Ready || record.mtu == 0 {
            continue;
        }
        if let Some(Pod::Alive(Some(mtu))) = scene.pods.get(&record.key())
            && *mtu != record.mtu
        {
            found.push(finding(
                NAME,
                Severity::Warning,
                pod_name(record),
                format!(
                    "{} in the pod has MTU {mtu}, its record says {}",
                    record.ifname, record.mtu
                ),
                "berthd sets it back; if it changes again, something in the pod sets it",
            ));
        }
        for (name, mtu) in way_out(scene, record) {
            if mtu < record.mtu {
                found.push(finding(
                    NAME,
                    Severity::Warning,
                    pod_name(record),
                    format!(
                        "its MTU {} is larger than that of {name}, {mtu}: large packets are dropped or fragmented",
                        record.mtu
                    ),
                    format!("set \"mtu\": {mtu} in the CNI configuration and restart the pod, or raise that of {name}"),
                ));
            }
        }
    }
}

/// Devices of the node's namespace that the pod's packets pass, with their MTU.
fn way_out(scene: &Scene, record: &Attachment) -> Vec<(String, u32)> {
    let mut names = Vec::new();
    match &record.port {
        Port::Routed(_) => {
            names.push(record.port_name.clone());
            names.extend(scene.uplinks.iter().cloned());
        }
        Port::Veth(switch) => names.extend([record.port_name.clone(), switch.bridge.clone()]),
        Port::Macvlan(switch) => names.extend([record.port_name.clone(), switch.bridge.clone()]),
        Port::Rename(switch) | Port::Bond(switch) => names.push(switch.bridge.clone()),
    }
    names
        .into_iter()
        .filter_map(|name| Some((name.clone(), scene.link(&name)?.mtu)))
        .collect()
}
