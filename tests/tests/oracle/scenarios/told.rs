//! What load balancers, kubelets and scrapers are told.

use std::collections::BTreeSet;

use anyhow::Result;
use serde_json::json;
use tests::wait;

use crate::facts::{Notes, Web};
use crate::rig::{LIMIT, NODE_V4, NODE_V6};
use crate::stage::{From, Stage, node};

/// Headers that a load balancer may read.
const HEADERS: [&str; 3] = [
    "content-type:",
    "x-content-type-options:",
    "x-load-balancing-endpoint-weight:",
];

fn port(web: Web) -> u16 {
    32_000 + u16::from(web.0)
}

pub fn health_check_node_port(stage: &Stage, web: Web, notes: &mut Notes) -> Result<()> {
    let local = json!({"externalTrafficPolicy": "Local", "healthCheckNodePort": port(web)});
    let ready = json!({"ready": true});
    let leaving = json!({"ready": false, "serving": true, "terminating": true});
    for (when, backends, b0) in [
        ("two here, one far", ["b0", "b1", "far"].as_slice(), &ready),
        ("one leaves", &["b0", "b1", "far"], &leaving),
        ("none here is ready", &["b0", "far"], &leaving),
        ("none here", &["far"], &ready),
        ("none at all", &[], &ready),
    ] {
        let mut objects = vec![web.balanced(&local)];
        objects.extend(stage.slices(backends, |name, endpoint| {
            if name == "b0" {
                endpoint["conditions"] = b0.clone();
            }
        }));
        stage.apply(&objects)?;
        for (to, family) in [(NODE_V4, "v4"), (NODE_V6, "v6")] {
            let bracketed = if family == "v6" {
                format!("[{to}]")
            } else {
                to.to_owned()
            };
            let seen = stage.http(From::Outside, &bracketed, port(web), &HEADERS)?;
            notes.note(format!("{when}: a balancer outside asks, {family}"), seen);
        }
    }
    stage.apply(&[])?;
    let seen = stage.http(From::Outside, NODE_V4, port(web), &[])?;
    notes.note("no such Service: a balancer outside asks", seen);
    Ok(())
}

pub fn healthz(stage: &Stage, web: Web, notes: &mut Notes) -> Result<()> {
    let local = json!({"externalTrafficPolicy": "Local", "healthCheckNodePort": port(web)});
    let mut tainted = node();
    let key = "ToBeDeletedByClusterAutoscaler";
    tainted["spec"] = json!({"taints": [{"key": key, "effect": "NoSchedule"}]});
    let mut other = node();
    other["spec"] = json!({"taints": [{"key": "somebody/elses", "effect": "NoSchedule"}]});
    let steps = [
        ("a node", node(), "200"),
        ("the autoscaler's taint", tainted, "503"),
        ("another taint", other, "200"),
    ];
    for (when, node, expected) in steps {
        let mut objects = stage.slices(&["b0"], |_, _| {});
        objects.extend([node, web.balanced(&local)]);
        stage.apply(&objects)?;
        // The node comes by a way of its own, past what apply waits for; what comes in the end is the fact.
        let mut told = String::new();
        wait::until(LIMIT, "healthz to change", || {
            told = stage
                .own("/healthz", 10256)
                .map_or_else(|error| error.to_string(), |answer| answer.0);
            told == expected
        })
        .ok();
        notes.note(format!("{when}: /healthz"), told);
        notes.note(format!("{when}: /livez"), stage.own("/livez", 10256)?.0);
        let seen = stage.http(From::Outside, NODE_V4, port(web), &HEADERS)?;
        notes.note(format!("{when}: a balancer outside asks"), seen);
    }
    Ok(())
}

/// Metrics of both that dashboards ask for.
pub fn metrics(stage: &Stage, web: Web, notes: &mut Notes) -> Result<()> {
    let mut objects = stage.slices(&["b0"], |_, _| {});
    objects.push(web.service(&json!({})));
    stage.apply(&objects)?;
    // When the controllers' change began: without it nothing is measured from there.
    let now = stage.rig.node.netns.sh("date -u +%Y-%m-%dT%H:%M:%S.%NZ")?;
    for slice in &mut objects[..2] {
        slice["metadata"]["annotations"] =
            json!({"endpoints.kubernetes.io/last-change-trigger-time": now});
        slice["endpoints"][0]["conditions"]["serving"] = json!(true);
    }
    stage.apply(&objects)?;
    let (_, page) = stage.own("/metrics", 10249)?;
    let types: BTreeSet<&str> = page
        .lines()
        .filter_map(|line| line.strip_prefix("# TYPE "))
        .collect();
    for name in [
        "kubeproxy_sync_proxy_rules_duration_seconds",
        "kubeproxy_sync_proxy_rules_last_timestamp_seconds",
        "kubeproxy_sync_proxy_rules_last_queued_timestamp_seconds",
        "kubeproxy_sync_proxy_rules_service_changes_total",
        "kubeproxy_sync_proxy_rules_service_changes_pending",
        "kubeproxy_sync_proxy_rules_endpoint_changes_total",
        "kubeproxy_sync_proxy_rules_endpoint_changes_pending",
        "kubeproxy_network_programming_duration_seconds",
        "kubeproxy_proxy_healthz_total",
        "kubeproxy_proxy_livez_total",
    ] {
        let kind = types
            .iter()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        notes.note(name, kind.unwrap_or("is not there"));
    }
    Ok(())
}
