//! Reports made from the facts at the moment of asking.

use std::collections::BTreeMap;
use std::time::Instant;

use crate::board::Facts;
use crate::health;
use crate::metrics::Gauges;
use crate::process;
use crate::report::{PortsReport, StatusReport};
use crate::services;
use crate::services::program::Services;
use crate::version;

/// How many events the status report ends with.
const EVENTS: usize = 200;

/// The answer to `/v1/status`.
pub fn status(facts: &Facts, services: Option<&Services>) -> StatusReport {
    let mut problems = health::problems(facts, Instant::now());
    if let Some(services) = services {
        problems.extend(services.pulse().problems(Instant::now()));
        problems.extend(services::view::problems(&services.inner()));
    }
    StatusReport {
        healthy: problems.is_empty(),
        problems,
        node: facts.identity.node.clone(),
        version: version::VERSION.to_owned(),
        commit: version::COMMIT.to_owned(),
        abi_version: version::ABI_VERSION,
        pid: std::process::id(),
        started_at_us: facts.started_at_us,
        resident_bytes: process::resident_bytes(),
        state_dir: facts.identity.state_dir.clone(),
        healthz: facts.identity.healthz.clone(),
        metrics: facts.identity.metrics.clone(),
        ovsdb: facts.ovsdb.clone(),
        vswitchd: facts.vswitchd.clone(),
        passes: facts.passes.clone(),
        ports: health::port_counts(facts),
        services: services.map(services::view::status),
        failures: facts.failures.values().cloned().collect(),
        corrupt_records: facts.corrupt_records.clone(),
        events: facts.timeline.latest(EVENTS),
    }
}

/// The answer to `/v1/ports`.
pub fn ports(facts: &Facts) -> PortsReport {
    let mut ports: Vec<_> = facts.ports.values().cloned().collect();
    ports.sort_by(|a, b| {
        (&a.pod, &a.container_id, &a.ifname).cmp(&(&b.pod, &b.container_id, &b.ifname))
    });
    PortsReport {
        source: "daemon".to_owned(),
        ports,
        corrupt_records: facts.corrupt_records.clone(),
    }
}

/// What the metrics page needs beside the counters.
pub fn gauges(facts: &Facts, services: Option<&Services>) -> Gauges {
    let mut ports = BTreeMap::new();
    for port in facts.ports.values() {
        *ports
            .entry((port.strategy.clone(), port.state))
            .or_default() += 1;
    }
    Gauges {
        ports,
        corrupt_records: facts.corrupt_records.len(),
        ovsdb_connected: facts.ovsdb.connected,
        vswitchd_up: facts.vswitchd.is_alive(),
        services: services.map(services::view::gauges),
        resident_bytes: process::resident_bytes(),
        started_at: facts.started_at_us as f64 / 1e6,
    }
}
