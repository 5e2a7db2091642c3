//! Services for pods on a switch, whose packets come by its own port.

use anyhow::{Result, ensure};
use serde_json::json;
use tests::rig::Strategy;

use crate::outside::{FAMILIES, end, slice};
use crate::rig::{GATEWAY_V4, GATEWAY_V6, Rig, service};

/// A pod on the switch is served packet by packet at the bridge's own port, seen as the node where its backend is on the
/// same switch, which would answer it directly else; and a client outside reaches backends on the switch.
#[test]
fn pods_on_a_switch_are_served_at_its_own_port() -> Result<()> {
    let (mut rig, lan) = Rig::on_a_switch(2, Strategy::Rename)?;
    rig.start_with(&["--uplink", "up0"])?;
    let pod = rig.node.add_pod("unseen")?;
    let slices = [true, false].map(|v4| slice(&rig, v4, &[0, 1], true));
    let [v4, v6] = slices;
    rig.write(
        "web.yaml",
        &[service("web", 1, &json!({"type": "NodePort"})), v4, v6],
    )?;
    let gateways = [GATEWAY_V4, GATEWAY_V6];
    for ((v4, cluster_ip, node, ..), gateway) in FAMILIES.into_iter().zip(gateways) {
        let own = if v4 { pod.v4() } else { pod.v6() };
        for how in ["tcp", "udp"] {
            let good = |line: &str| line.ends_with(&format!("from {}", place(cluster_ip)));
            rig.await_bare(&pod.netns, (how, cluster_ip, 80), good)?;
            let answers = rig.talk_bare(&pod.netns, how, cluster_ip, 80, 40)?;
            for wanted in [
                format!("b0 saw {gateway} "),
                format!("b1 saw {gateway} "),
                format!("far saw {own} "),
            ] {
                ensure!(
                    answers.iter().any(|line| line.starts_with(&wanted)),
                    "{wanted:?}: {answers:?}"
                );
            }
            // From outside: the backends on the switch see its gateway, the far one the node.
            rig.await_bare(&lan.client, (how, node, 30001), |line| {
                !line.starts_with("error")
            })?;
            let answers = rig.talk_bare(&lan.client, how, node, 30001, 40)?;
            for wanted in [
                format!("b0 saw {gateway} "),
                format!("b1 saw {gateway} "),
                format!("far saw {node} "),
            ] {
                ensure!(
                    answers.iter().any(|line| line.starts_with(&wanted)),
                    "{wanted:?}: {answers:?}"
                );
            }
        }
    }
    rig.node.del_pod(pod)?;
    end(rig, lan)
}

fn place(address: &str) -> String {
    match address.contains(':') {
        true => format!("[{address}]:80"),
        false => format!("{address}:80"),
    }
}
