//! `berthctl status`.

use std::path::Path;

use anyhow::Context;

use super::output::{Format, print};
use super::table::{indented, render};
use super::{HEALTHY, NOT_HEALTHY, events};
use crate::api;
use crate::clock;
use crate::report::StatusReport;
use crate::services::report::ServicesStatus;

/// How many events the table ends with; the other formats have more.
const EVENTS: usize = 20;

/// Asks the daemon. Without one nothing is printed: a caller that waits for the daemon tells by that.
pub async fn run(socket: &Path, format: Format) -> anyhow::Result<(String, u8)> {
    let body = api::get(socket, "/v1/status")
        .await
        .context("berthctl ports and berthctl doctor work without berthd")?;
    let status: StatusReport =
        serde_json::from_slice(&body).context("the daemon's answer is of another version")?;
    let exit = if status.healthy { HEALTHY } else { NOT_HEALTHY };
    let text = print(format, &status, |status| table(status, clock::now_us()))?;
    Ok((text, exit))
}

fn table(status: &StatusReport, now_us: u64) -> String {
    let health = if status.healthy {
        "healthy"
    } else {
        "NOT HEALTHY"
    };
    let mut text = format!("node {}: {health}\n", status.node);
    for problem in &status.problems {
        text.push_str(&format!("  - {problem}\n"));
    }
    let rows: Vec<_> = facts(status, now_us)
        .into_iter()
        .map(|(name, value)| [name.to_owned(), value])
        .collect();
    // The first line of the table is its head, which says nothing here.
    let facts = render(["", ""], &rows);
    text.push_str(facts.split_once('\n').map_or("", |(_, rest)| rest));
    if !status.failures.is_empty() {
        let rows: Vec<_> = status
            .failures
            .iter()
            .map(|failure| {
                let wait = failure.retry_at_us.saturating_sub(now_us) / 1_000_000;
                [
                    failure.subject.clone(),
                    failure.attempts.to_string(),
                    clock::duration(wait),
                    failure.error.clone(),
                ]
            })
            .collect();
        text.push_str("tried again:\n");
        text.push_str(&indented(&render(
            ["WHAT", "FAILED", "NEXT IN", "ERROR"],
            &rows,
        )));
    }
    if !status.events.is_empty() {
        let skip = status.events.len().saturating_sub(EVENTS);
        text.push_str("last events:\n");
        text.push_str(&indented(&events::table(&status.events[skip..])));
    }
    text
}

fn facts(status: &StatusReport, now_us: u64) -> Vec<(&'static str, String)> {
    let ago = |at: u64| clock::duration(now_us.saturating_sub(at) / 1_000_000);
    let ports = &status.ports;
    let passes = &status.passes;
    let mut facts = vec![
        (
            "daemon",
            format!(
                "{} (commit {}), process {}, up {}, {:.1} MiB",
                status.version,
                status.commit,
                status.pid,
                ago(status.started_at_us),
                status.resident_bytes as f64 / 1_048_576.0
            ),
        ),
        (
            "ports",
            format!(
                "{}: {} ready, {} changing, {} in trouble",
                ports.total, ports.ready, ports.changing, ports.troubled
            ),
        ),
        (
            "OVSDB",
            match (&status.ovsdb.connected, &status.ovsdb.error) {
                (true, _) => format!("connected at {}", status.ovsdb.socket),
                (false, error) => format!(
                    "not connected at {}: {}",
                    status.ovsdb.socket,
                    error.as_deref().unwrap_or("no error")
                ),
            },
        ),
        (
            "ovs-vswitchd",
            format!(
                "{}{}",
                match (&status.vswitchd.pid, &status.vswitchd.error) {
                    (Some(pid), _) => format!("process {pid}"),
                    (None, Some(error)) => format!("cannot be watched: {error}"),
                    (None, None) => "does not run".to_owned(),
                },
                match (status.vswitchd.deaths, status.vswitchd.died_at_us) {
                    (0, _) | (_, None) => String::new(),
                    (deaths, Some(at)) => format!(", died {deaths} times, last {} ago", ago(at)),
                }
            ),
        ),
        (
            "services",
            match &status.services {
                None => "not programmed".to_owned(),
                Some(services) => format!(
                    "{} from {}: {} addresses, {} backends, {} flows",
                    services.services,
                    services.source,
                    services.frontends,
                    services.backends,
                    services.flows
                ),
            },
        ),
        (
            "programs",
            match &status.services {
                None => "none".to_owned(),
                Some(services) => programs(services),
            },
        ),
        (
            "passes",
            format!(
                "{} full, {} partial, {} failed",
                passes.full, passes.partial, passes.failed
            ),
        ),
    ];
    if let (Some(at), Some(took)) = (passes.last_at_us, passes.last_took_ms) {
        facts.push((
            "last pass",
            format!(
                "{} ago, {took:.1} ms, because of {}",
                ago(at),
                passes.last_cause.as_deref().unwrap_or("nothing")
            ),
        ));
    }
    for (name, address) in [("healthz", &status.healthz), ("metrics", &status.metrics)] {
        facts.push((name, address.clone().unwrap_or_else(|| "off".to_owned())));
    }
    facts
}

/// Where the programs of Services are.
fn programs(services: &ServicesStatus) -> String {
    let mut places = Vec::new();
    if let Some(cgroup) = &services.cgroup {
        places.push(format!("sockets of {cgroup}"));
    }
    let (pods, outside): (Vec<_>, Vec<_>) = services
        .devices
        .iter()
        .partition(|(_, role)| *role == "pods");
    places.push(format!("{} devices of pods", pods.len()));
    places.extend(
        outside
            .iter()
            .map(|(name, role)| format!("{name} ({role})")),
    );
    places.join(", ")
}

#[cfg(test)]
#[path = "status_tests.rs"]
mod tests;
