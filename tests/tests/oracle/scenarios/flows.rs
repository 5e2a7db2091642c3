//! Flows that outlive what they were balanced by. Backends go on answering after they have gone from their slice, so
//! that a flow which stays with one is seen.

use anyhow::Result;
use serde_json::json;

use crate::facts::{Notes, Web};
use crate::rig::BACKEND;
use crate::stage::{From, Stage};

pub fn udp_flow(stage: &Stage, web: Web, notes: &mut Notes) -> Result<()> {
    let service = web.service(&json!({"type": "NodePort"}));
    let places = [
        (From::Outside, "the NodePort", web.node_port()),
        (From::Outside, "the ClusterIP", web.cluster_ip(80)),
        (From::Pod, "the ClusterIP", web.cluster_ip(80)),
        (From::Socket, "the ClusterIP", web.cluster_ip(80)),
    ];
    for backends in [["b0"].as_slice(), &["b1"], &[], &["b0"], &[], &["far"]] {
        stage.serve(&service, backends)?;
        for (from, at, place) in &places {
            let mut seen = Vec::new();
            for to in place.addresses() {
                let answers = stage.talk(*from, ("udp-fixed", to, place.port), 2)?;
                seen.push(stage.tell(&answers));
            }
            seen.dedup();
            let left = if backends.is_empty() {
                "nobody".to_owned()
            } else {
                backends.join(", ")
            };
            notes.note(
                format!("{from} asks {at} from one port: {left} is left"),
                seen.join(" / v6: "),
            );
        }
    }
    Ok(())
}

pub fn one_port_twice(stage: &Stage, web: Web, notes: &mut Notes) -> Result<()> {
    let mut objects = vec![web.service(&json!({"type": "NodePort"}))];
    objects.extend(stage.slices(&["b0"], |_, _| {}));
    let mut other = Web(web.0 + 100).service(&json!({}));
    other["metadata"]["name"] = json!("other");
    objects.push(other);
    for v4 in [true, false] {
        let mut slice = stage.rig.slice("other", v4, &[0]);
        slice["endpoints"][0]["conditions"] = json!({"ready": true});
        objects.push(slice);
    }
    stage.apply(&objects)?;
    let (one, other) = (web.cluster_ip(80), Web(web.0 + 100).cluster_ip(80));
    let backend = stage.rig.backend(0).map(|place| place.ip().to_string());
    let steps = [
        ("the one", one.addresses().map(str::to_owned), 80),
        ("the other", other.addresses().map(str::to_owned), 80),
        ("the one again", one.addresses().map(str::to_owned), 80),
        ("the backend itself", backend, BACKEND),
        ("the one once more", one.addresses().map(str::to_owned), 80),
    ];
    for from in [From::Outside, From::Pod, From::Socket] {
        for (what, addresses, port) in &steps {
            let mut seen = Vec::new();
            for to in addresses {
                let answers = stage.talk(from, ("udp-fixed", to, *port), 2)?;
                seen.push(stage.tell(&answers));
            }
            seen.dedup();
            notes.note(
                format!("{from}, from one port: {what}"),
                seen.join(" / v6: "),
            );
        }
    }
    Ok(())
}
