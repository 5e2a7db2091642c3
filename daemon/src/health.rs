//! What counts as alive, ready and healthy.

use std::time::{Duration, Instant};

use crate::board::Facts;
use crate::report::{PortCounts, PortReport, PortState};

/// A pass that takes longer than this is stuck: 250 ports need seconds at worst.
const STUCK: Duration = Duration::from_secs(60);

/// How many troubled ports are named before the rest is only counted.
const NAMED: usize = 10;

/// Why the process should be restarted; none when it is alive.
pub fn not_alive(facts: &Facts, now: Instant) -> Option<String> {
    let since = now.duration_since(facts.pass_since?);
    (since > STUCK).then(|| format!("a pass has been under way for {} s", since.as_secs()))
}

/// Why the daemon does not serve yet; none when it is ready.
pub fn not_ready(facts: &Facts) -> Option<String> {
    (facts.passes.full == 0).then(|| "the first pass has not ended".to_owned())
}

/// What is wrong with the node as a whole: `/healthz` takes it out of load balancers, so a single pod does not count.
pub fn node_problems(facts: &Facts, now: Instant) -> Vec<String> {
    let mut problems = Vec::new();
    problems.extend(not_alive(facts, now));
    problems.extend(not_ready(facts));
    let on_switch = facts.ports.values().filter(|p| p.bridge.is_some()).count();
    if on_switch > 0 && !facts.ovsdb.connected {
        problems.push(format!(
            "OVSDB does not answer at {} ({}); {on_switch} ports are on Open vSwitch",
            facts.ovsdb.socket,
            facts.ovsdb.error.as_deref().unwrap_or("no error"),
        ));
    }
    if on_switch > 0 && !facts.vswitchd.is_alive() {
        problems.push(format!(
            "ovs-vswitchd does not run; {on_switch} ports are on Open vSwitch"
        ));
    }
    if let Some(error) = &facts.passes.error {
        problems.push(format!("the last pass failed: {error}"));
    }
    problems
}

/// Everything that is wrong, for `berthctl status`.
pub fn problems(facts: &Facts, now: Instant) -> Vec<String> {
    let mut problems = node_problems(facts, now);
    if let Some(directory) = &facts.records_lost {
        problems.push(format!(
            "{directory} was removed while berthd ran: pods attached before are not looked after, and no port is deleted for the lack of a record until berthd is started again"
        ));
    }
    for record in &facts.corrupt_records {
        problems.push(format!("record {}: {}", record.path, record.problem));
    }
    // With the switch away nothing can be said of any port on it, and once is enough.
    let switch_away = !facts.ovsdb.connected || !facts.vswitchd.is_alive();
    let told = |port: &PortReport| {
        switch_away && port.bridge.is_some() && port.state == PortState::Unknown
    };
    let troubled: Vec<_> = facts
        .ports
        .iter()
        .filter(|(_, port)| port.state.is_troubled() && !told(port))
        .collect();
    for (key, port) in troubled.iter().take(NAMED) {
        problems.push(format!(
            "port {} of {} is {}: {}",
            port.port,
            port.pod.clone().unwrap_or_else(|| key.to_string()),
            port.state.as_str(),
            port.problem.as_deref().unwrap_or("no error"),
        ));
    }
    if troubled.len() > NAMED {
        problems.push(format!("and {} more ports", troubled.len() - NAMED));
    }
    problems
}

/// How many attachments there are, by whether they need attention.
pub fn port_counts(facts: &Facts) -> PortCounts {
    let mut counts = PortCounts {
        total: facts.ports.len(),
        ..PortCounts::default()
    };
    for port in facts.ports.values() {
        match port.state {
            PortState::Ready => counts.ready += 1,
            state if state.is_troubled() => counts.troubled += 1,
            _ => counts.changing += 1,
        }
    }
    counts
}

#[cfg(test)]
#[path = "health_tests.rs"]
mod tests;
