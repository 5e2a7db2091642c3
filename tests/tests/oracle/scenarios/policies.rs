//! Who may be asked, by whom.

use std::collections::BTreeSet;

use anyhow::{Context, Result};
use serde_json::{Value, json};

use crate::facts::{BALANCER, BOTH, EXTERNAL, Notes, Web};
use crate::stage::{From, Stage};

pub fn external_local(stage: &Stage, web: Web, notes: &mut Notes) -> Result<()> {
    let local = json!({"externalTrafficPolicy": "Local"});
    for (when, backends) in [
        ("one here, one far", ["b0", "far"].as_slice()),
        ("none here", &["far"]),
        ("none at all", &[]),
    ] {
        stage.serve(&web.balanced(&local), backends)?;
        for from in [From::Outside, From::Pod, From::Socket, From::Node] {
            for place in [web.node_port(), BALANCER, EXTERNAL] {
                notes.ask(stage, (when, from, &["tcp"]), &place)?;
            }
        }
        notes.ask(stage, (when, From::Outside, &["udp"]), &web.node_port())?;
        notes.ask(stage, (when, From::Outside, &["tcp"]), &web.cluster_ip(80))?;
    }
    Ok(())
}

pub fn internal_local(stage: &Stage, web: Web, notes: &mut Notes) -> Result<()> {
    let local = json!({"type": "NodePort", "internalTrafficPolicy": "Local"});
    for (when, backends) in [
        ("one here, one far", ["b0", "far"].as_slice()),
        ("none here", &["far"]),
        ("none at all", &[]),
    ] {
        stage.serve(&web.service(&local), backends)?;
        for from in [From::Outside, From::Pod, From::Socket, From::Node] {
            notes.ask(stage, (when, from, &BOTH), &web.cluster_ip(80))?;
        }
        notes.ask(stage, (when, From::Outside, &["tcp"]), &web.node_port())?;
    }
    Ok(())
}

/// The names in answers.
fn names(answers: &[String]) -> BTreeSet<String> {
    let name = |line: &String| line.split(' ').next().unwrap_or_default().to_owned();
    answers.iter().map(name).collect()
}

pub fn affinity(stage: &Stage, web: Web, notes: &mut Notes) -> Result<()> {
    let spec = json!({"type": "NodePort", "sessionAffinity": "ClientIP"});
    let service = web.service(&spec);
    let all = ["b0", "b1", "far"];
    for from in [From::Outside, From::Pod, From::Socket] {
        for how in BOTH {
            stage.serve(&service, &all)?;
            let [v4, _] = web.cluster_ip(80).addresses();
            let answers = stage.talk(from, (how, v4, 80), 40)?;
            let held = names(&answers);
            notes.note(
                format!("{from}, {how}: backends of 40 questions"),
                held.len().to_string(),
            );
            let [node, _] = web.node_port().addresses();
            let at_node = names(&stage.talk(from, (how, node, web.node_port().port), 40)?);
            notes.note(
                format!("{from}, {how}: the same backend at the NodePort"),
                (held == at_node).to_string(),
            );
            let first = held.first().context("no answer")?.clone();
            let left: Vec<&str> = all.into_iter().filter(|name| *name != first).collect();
            stage.serve(&service, &left)?;
            let after = names(&stage.talk(from, (how, v4, 80), 40)?);
            let (count, another) = (after.len(), !after.contains(&first));
            notes.note(
                format!("{from}, {how}: its backend goes"),
                format!("{count}, another one: {another}"),
            );
        }
    }
    Ok(())
}

pub fn source_ranges(stage: &Stage, web: Web, notes: &mut Notes) -> Result<()> {
    let pods = "10.88.0.0/16";
    for (when, ranges) in [
        ("neither within", json!(["198.51.100.0/24"])),
        (
            "the client within",
            json!(["198.51.100.0/24", "192.0.2.0/30"]),
        ),
        ("the pods within", json!([pods])),
        ("the node within", json!(["192.0.2.10/32"])),
    ] {
        stage.serve(
            &web.balanced(&json!({"loadBalancerSourceRanges": ranges})),
            &["b0", "far"],
        )?;
        let [v4, _] = BALANCER.addresses();
        for from in [From::Outside, From::Pod, From::Socket, From::Node] {
            let seen = stage.ask(from, ("tcp", v4, 80))?;
            notes.note(
                format!("{when}: {from} asks the balancer's address, v4"),
                seen,
            );
        }
        let from = From::Outside;
        let [v4, _] = EXTERNAL.addresses();
        let seen = stage.ask(from, ("tcp", v4, 80))?;
        notes.note(
            format!("{when}: {from} asks the external address, v4"),
            seen,
        );
    }
    Ok(())
}

pub fn hints(stage: &Stage, web: Web, notes: &mut Notes) -> Result<()> {
    let zone = |name: &str| json!({"forZones": [{"name": name}]});
    let node = |name: &str| json!({"forZones": [{"name": "east"}], "forNodes": [{"name": name}]});
    let none = Value::Null;
    for (when, b0, b1, far) in [
        ("b0 for this zone", zone("east"), zone("west"), zone("west")),
        (
            "b0 and far for this zone",
            zone("east"),
            zone("west"),
            zone("east"),
        ),
        (
            "b1 without a hint",
            zone("east"),
            none.clone(),
            zone("west"),
        ),
        (
            "none for this zone",
            zone("west"),
            zone("west"),
            zone("west"),
        ),
        (
            "all for this zone, b1 for this node",
            node("n2"),
            node("n1"),
            node("n2"),
        ),
        (
            "all for this zone, none for this node",
            node("n2"),
            node("n2"),
            node("n2"),
        ),
    ] {
        let mut objects = vec![web.service(&json!({"type": "NodePort"}))];
        objects.extend(stage.slices(&["b0", "b1", "far"], |name, endpoint| {
            let hints = match name {
                "b0" => &b0,
                "b1" => &b1,
                _ => &far,
            };
            if !hints.is_null() {
                endpoint["hints"] = hints.clone();
            }
        }));
        stage.apply(&objects)?;
        notes.ask(stage, (when, From::Pod, &["tcp"]), &web.cluster_ip(80))?;
        notes.ask(stage, (when, From::Socket, &["tcp"]), &web.cluster_ip(80))?;
        notes.ask(stage, (when, From::Outside, &["tcp"]), &web.node_port())?;
    }
    Ok(())
}
