//! Which endpoints count.

use anyhow::Result;
use serde_json::{Value, json};

use crate::facts::{BALANCER, BOTH, EXTERNAL, Notes, Web};
use crate::rig::BACKEND;
use crate::stage::{From, Stage};

/// Conditions of an endpoint: ready, serving, terminating.
fn conditions(ready: bool, serving: bool, terminating: bool) -> Value {
    json!({"ready": ready, "serving": serving, "terminating": terminating})
}

pub fn terminating(stage: &Stage, web: Web, notes: &mut Notes) -> Result<()> {
    let ready = conditions(true, true, false);
    let leaving = conditions(false, true, true);
    let gone = conditions(false, false, true);
    let broken = conditions(false, false, false);
    let states = [
        ("b0 leaving, b1 ready", &leaving, &ready, &broken),
        ("b0 leaving, b1 broken", &leaving, &broken, &broken),
        ("b0 leaving, far ready", &leaving, &broken, &ready),
        ("b0 and far leaving", &leaving, &broken, &leaving),
        ("b0 gone, far leaving", &gone, &broken, &leaving),
        ("all gone or broken", &gone, &broken, &broken),
    ];
    let local = json!({"externalTrafficPolicy": "Local", "internalTrafficPolicy": "Local"});
    for (policy, spec) in [("Cluster", json!({})), ("Local", local)] {
        for (state, b0, b1, far) in states {
            let mut objects = vec![web.balanced(&spec)];
            objects.extend(stage.slices(&["b0", "b1", "far"], |name, endpoint| {
                let of = match name {
                    "b0" => b0,
                    "b1" => b1,
                    _ => far,
                };
                endpoint["conditions"] = of.clone();
            }));
            stage.apply(&objects)?;
            let when = format!("{policy}, {state}");
            notes.ask(stage, (&when, From::Outside, &["tcp"]), &web.node_port())?;
            notes.ask(stage, (&when, From::Pod, &["tcp"]), &web.cluster_ip(80))?;
            notes.ask(stage, (&when, From::Socket, &["tcp"]), &web.cluster_ip(80))?;
        }
    }
    Ok(())
}

pub fn none(stage: &Stage, web: Web, notes: &mut Notes) -> Result<()> {
    stage.serve(&web.balanced(&json!({})), &[])?;
    for from in [From::Outside, From::Pod, From::Socket, From::Node] {
        for place in [web.cluster_ip(80), web.node_port(), BALANCER, EXTERNAL] {
            notes.ask(stage, ("", from, &BOTH), &place)?;
        }
    }
    Ok(())
}

pub fn not_ours(stage: &Stage, web: Web, notes: &mut Notes) -> Result<()> {
    let mut service = web.balanced(&json!({}));
    service["metadata"]["labels"] = json!({"service.kubernetes.io/service-proxy-name": "other"});
    stage.serve(&service, &["b0"])?;
    for from in [From::Outside, From::Pod, From::Socket] {
        let when = "another proxy's";
        for place in [web.cluster_ip(80), web.node_port(), BALANCER] {
            notes.ask(stage, (when, from, &["tcp"]), &place)?;
        }
    }
    stage.apply(&[])?;

    // Headless: its endpoints are served at no address, and are reached themselves.
    let service = web.service(&json!({"clusterIP": "None", "clusterIPs": ["None"]}));
    stage.serve(&service, &["b0"])?;
    let when = "headless";
    notes.ask(stage, (when, From::Pod, &["tcp"]), &web.cluster_ip(80))?;
    let backend = stage.rig.pod(0).v4().to_string();
    let seen = stage.ask(From::Socket, ("tcp", &backend, BACKEND))?;
    notes.note(
        format!("headless: {} asks the endpoint itself", From::Socket),
        seen,
    );
    Ok(())
}

/// What the controller writes for publishNotReadyAddresses: ready, whatever the pod is.
pub fn published(stage: &Stage, web: Web, notes: &mut Notes) -> Result<()> {
    for (when, of) in [
        ("ready, not serving", conditions(true, false, false)),
        ("ready, terminating", conditions(true, false, true)),
    ] {
        let mut objects = vec![web.service(&json!({
            "type": "NodePort", "publishNotReadyAddresses": true,
        }))];
        objects.extend(stage.slices(&["b0"], |_, endpoint| endpoint["conditions"] = of.clone()));
        stage.apply(&objects)?;
        notes.ask(stage, (when, From::Outside, &BOTH), &web.node_port())?;
        notes.ask(stage, (when, From::Pod, &BOTH), &web.cluster_ip(80))?;
        notes.ask(stage, (when, From::Socket, &BOTH), &web.cluster_ip(80))?;
    }
    Ok(())
}
