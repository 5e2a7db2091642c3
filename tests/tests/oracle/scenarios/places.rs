//! The addresses of a Service, asked from everywhere.

use std::net::SocketAddr;

use anyhow::Result;
use serde_json::json;

use crate::api;
use crate::facts::{BALANCER, BOTH, EXTERNAL, Notes, Web};
use crate::rig::{NODE_V4, NODE_V6};
use crate::stage::{From, Stage};

/// Whoever is not the backend.
const OTHERS: [From; 4] = [From::Outside, From::Pod, From::Socket, From::Node];

pub fn cluster_ip(stage: &Stage, web: Web, notes: &mut Notes) -> Result<()> {
    stage.serve(&web.service(&json!({})), &["b0", "b1", "far"])?;
    for from in OTHERS {
        notes.ask(stage, ("", from, &BOTH), &web.cluster_ip(80))?;
        // A socket that is not connected takes an answer from anybody: whose address has it?
        for to in web.cluster_ip(80).addresses() {
            let answers = stage.talk(from, ("udp-send", to, 80), 8)?;
            let asked = format!(" from {}", SocketAddr::new(to.parse()?, 80));
            let of_service = answers.iter().all(|line| line.ends_with(&asked));
            let seen = if of_service {
                "by the Service".to_owned()
            } else {
                format!("{answers:?}")
            };
            let family = if to.contains(':') { "v6" } else { "v4" };
            notes.note(
                format!("{from} sends by a socket that is not connected, {family}: answered"),
                seen,
            );
        }
    }
    for from in [From::Outside, From::Pod] {
        notes.ask(stage, ("", from, &["udp-big"]), &web.cluster_ip(80))?;
    }
    Ok(())
}

pub fn unallocated(stage: &Stage, web: Web, notes: &mut Notes) -> Result<()> {
    stage.serve(&web.service(&json!({})), &["b0"])?;
    for from in OTHERS {
        notes.ask(stage, ("", from, &BOTH), &web.cluster_ip(81))?;
    }
    let address = web.cluster_ip(80);
    for (to, family) in address.addresses().iter().zip(["-4", "-6"]) {
        for from in [From::Outside, From::Pod] {
            let netns = stage.netns(from);
            let said = netns.sh(&format!("ping {family} -c 1 -W 2 {to} 2>&1 || true"))?;
            let seen = match said.as_str() {
                said if said.contains(" 0% packet loss") => "answered",
                said if said.contains("nreachable") => "refused",
                _ => "silence",
            };
            notes.note(
                format!("{from} sends an ICMP echo{family} to the ClusterIP"),
                seen,
            );
        }
    }
    let nobody = Web(web.0 + 100);
    for from in [From::Outside, From::Pod] {
        notes.ask(
            stage,
            ("no Service has it", from, &BOTH),
            &nobody.cluster_ip(80),
        )?;
    }
    Ok(())
}

pub fn node_port(stage: &Stage, web: Web, notes: &mut Notes) -> Result<()> {
    stage.serve(
        &web.service(&json!({"type": "NodePort"})),
        &["b0", "b1", "far"],
    )?;
    for from in OTHERS {
        notes.ask(stage, ("", from, &BOTH), &web.node_port())?;
    }
    notes.ask(stage, ("", From::Outside, &["udp-big"]), &web.node_port())?;
    let port = web.node_port().port;
    for from in [From::Outside, From::Pod, From::Node] {
        let seen = stage.ask(from, ("tcp", api::NODE, port))?;
        let what = format!("{from} asks an address of the node that takes no NodePorts");
        notes.note(what, seen);
    }
    let seen = stage.ask(From::Node, ("tcp", "127.0.0.1", port))?;
    notes.note("the node asks its NodePort at localhost", seen);
    Ok(())
}

pub fn balancer(stage: &Stage, web: Web, notes: &mut Notes) -> Result<()> {
    let slices = stage.slices(&["b0", "far"], |_, _| {});
    for mode in ["VIP", "Proxy"] {
        let mut service = web.balanced(&json!({"externalIPs": []}));
        for ingress in service["status"]["loadBalancer"]["ingress"]
            .as_array_mut()
            .expect("a list")
        {
            ingress["ipMode"] = json!(mode);
        }
        stage.apply(&[&[service], slices.as_slice()].concat())?;
        for from in OTHERS {
            notes.ask(stage, (&format!("ipMode {mode}"), from, &BOTH), &BALANCER)?;
        }
    }
    Ok(())
}

pub fn external(stage: &Stage, web: Web, notes: &mut Notes) -> Result<()> {
    let slices = stage.slices(&["b0", "far"], |_, _| {});
    let service_at = |ips: &[&str]| web.service(&json!({"externalIPs": ips}));
    let at = service_at(&EXTERNAL.addresses());
    stage.apply(&[&[at], slices.as_slice()].concat())?;
    for from in OTHERS {
        notes.ask(stage, ("", from, &BOTH), &EXTERNAL)?;
    }
    let at = service_at(&[NODE_V4, NODE_V6]);
    stage.apply(&[&[at], slices.as_slice()].concat())?;
    for (to, family) in [(NODE_V4, "v4"), (NODE_V6, "v6")] {
        let seen = stage.ask(From::Outside, ("tcp", to, 80))?;
        notes.note(
            format!(
                "the client outside asks the node's own address, given as an external one, {family}"
            ),
            seen,
        );
    }
    Ok(())
}

pub fn hairpin(stage: &Stage, web: Web, notes: &mut Notes) -> Result<()> {
    stage.serve(&web.balanced(&json!({})), &["b0"])?;
    for from in [From::Itself, From::ItselfSocket] {
        for place in [web.cluster_ip(80), web.node_port(), BALANCER] {
            notes.ask(stage, ("", from, &BOTH), &place)?;
        }
    }
    Ok(())
}
