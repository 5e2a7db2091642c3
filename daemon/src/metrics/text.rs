//! The Prometheus text format.

use std::collections::BTreeMap;
use std::fmt::{Display, Write};

use super::counts::Counts;
use super::histogram::Histogram;
use super::kubeproxy::{self, Syncs};
use crate::report::PortState;
use crate::version;

/// What is so at this moment.
#[derive(Debug, Clone, Default)]
pub struct Gauges {
    /// Attachments by strategy and state.
    pub ports: BTreeMap<(String, PortState), usize>,
    /// Records that cannot be read.
    pub corrupt_records: usize,
    /// Whether OVSDB answers.
    pub ovsdb_connected: bool,
    /// Whether ovs-vswitchd runs.
    pub vswitchd_up: bool,
    /// Services, where they are programmed.
    pub services: Option<ServiceGauges>,
    /// Resident memory of the daemon, bytes.
    pub resident_bytes: u64,
    /// When the daemon started, seconds since 1970.
    pub started_at: f64,
}

/// Services at this moment.
#[derive(Debug, Clone, Default)]
pub struct ServiceGauges {
    /// Addresses and ports programmed.
    pub frontends: usize,
    /// Backends programmed, over all sets.
    pub backends: usize,
    /// What is wrong, in lines of `berthctl services`.
    pub problems: usize,
    /// How often the programs gave each verdict.
    pub verdicts: Vec<(&'static str, u64)>,
    /// Changes and writes.
    pub syncs: Syncs,
    /// Flows of packets at the last sweep.
    pub flows: usize,
    /// UDP sockets that were ended with their backend, since the daemon started.
    pub sockets_ended: u64,
}

/// Collects lines; every metric gets its HELP and TYPE before its samples.
pub(super) struct Page {
    text: String,
}

impl Page {
    pub(super) fn head(&mut self, name: &str, kind: &str, help: &str) {
        // Writing to a String cannot fail.
        let _ = writeln!(self.text, "# HELP {name} {help}\n# TYPE {name} {kind}");
    }

    pub(super) fn sample(&mut self, name: &str, labels: &[(&str, &str)], value: impl Display) {
        self.text.push_str(name);
        for (index, (label, value)) in labels.iter().enumerate() {
            let open = if index == 0 { '{' } else { ',' };
            let _ = write!(self.text, "{open}{label}=\"{}\"", escape(value));
        }
        if !labels.is_empty() {
            self.text.push('}');
        }
        let _ = writeln!(self.text, " {value}");
    }

    pub(super) fn single(&mut self, name: &str, kind: &str, help: &str, value: impl Display) {
        self.head(name, kind, help);
        self.sample(name, &[], value);
    }

    pub(super) fn histogram(&mut self, name: &str, labels: &[(&str, &str)], histogram: &Histogram) {
        let bucket = format!("{name}_bucket");
        for (bound, count) in histogram.cumulative() {
            let bound = bound.to_string();
            let labels = [labels, &[("le", bound.as_str())]].concat();
            self.sample(&bucket, &labels, count);
        }
        let labels_inf = [labels, &[("le", "+Inf")]].concat();
        self.sample(&bucket, &labels_inf, histogram.count());
        self.sample(&format!("{name}_sum"), labels, histogram.sum());
        self.sample(&format!("{name}_count"), labels, histogram.count());
    }
}

/// Escapes a label's value as the format asks.
fn escape(value: &str) -> String {
    value
        .replace('\\', "\\\\")
        .replace('"', "\\\"")
        .replace('\n', "\\n")
}

/// The page that `/metrics` answers.
pub fn render(counts: &Counts, gauges: &Gauges) -> String {
    let mut page = Page {
        text: String::new(),
    };
    page.head("berth_build_info", "gauge", "The build; always 1.");
    page.sample(
        "berth_build_info",
        &[("version", version::VERSION), ("commit", version::COMMIT)],
        1,
    );

    page.head(
        "berth_ports",
        "gauge",
        "Attachments of pods by strategy and state.",
    );
    for ((strategy, state), count) in &gauges.ports {
        let labels = [("strategy", strategy.as_str()), ("state", state.as_str())];
        page.sample("berth_ports", &labels, count);
    }
    page.single(
        "berth_corrupt_records",
        "gauge",
        "Attachment records that cannot be read.",
        gauges.corrupt_records,
    );
    page.single(
        "berth_ovsdb_connected",
        "gauge",
        "Whether OVSDB answers.",
        u8::from(gauges.ovsdb_connected),
    );
    page.single(
        "berth_vswitchd_up",
        "gauge",
        "Whether ovs-vswitchd runs.",
        u8::from(gauges.vswitchd_up),
    );
    counters(&mut page, counts);
    if let Some(services) = &gauges.services {
        of_services(&mut page, services);
        kubeproxy::render(&mut page, counts, &services.syncs);
    }
    page.single(
        "process_resident_memory_bytes",
        "gauge",
        "Resident memory of the daemon in bytes.",
        gauges.resident_bytes,
    );
    page.single(
        "process_start_time_seconds",
        "gauge",
        "Start of the daemon in seconds since 1970.",
        gauges.started_at,
    );
    page.text
}

fn of_services(page: &mut Page, services: &ServiceGauges) {
    for (name, help, value) in [
        (
            "berth_service_frontends",
            "Addresses and ports of Services that are programmed.",
            services.frontends,
        ),
        (
            "berth_service_backends",
            "Backends that are programmed, over all sets.",
            services.backends,
        ),
        (
            "berth_service_flows",
            "Flows of packets that were given a backend, at the last sweep.",
            services.flows,
        ),
        (
            "berth_service_problems",
            "Documents, Services and writes that are not as asked for.",
            services.problems,
        ),
    ] {
        page.single(name, "gauge", help, value);
    }
    page.single(
        "berth_service_sockets_ended_total",
        "counter",
        "UDP sockets that were ended because their backend was gone.",
        services.sockets_ended,
    );
    page.head(
        "berth_service_verdicts_total",
        "counter",
        "How the programs ended, by verdict.",
    );
    for (verdict, count) in &services.verdicts {
        page.sample(
            "berth_service_verdicts_total",
            &[("verdict", verdict)],
            count,
        );
    }
}

fn counters(page: &mut Page, counts: &Counts) {
    page.head(
        "berth_pass_seconds",
        "histogram",
        "Duration of passes over all records (full) or over the ports that a signal named (partial).",
    );
    for (scope, histogram) in [
        ("full", &counts.full_passes),
        ("partial", &counts.partial_passes),
    ] {
        page.histogram("berth_pass_seconds", &[("scope", scope)], histogram);
    }
    page.head(
        "berth_reattach_seconds",
        "histogram",
        "Time from the first signal about an attachment to its repair.",
    );
    page.histogram("berth_reattach_seconds", &[], &counts.reattach);

    page.head(
        "berth_actions_total",
        "counter",
        "Repair actions done by kind.",
    );
    for (kind, count) in &counts.actions {
        page.sample("berth_actions_total", &[("kind", kind)], count);
    }
    page.head(
        "berth_errors_total",
        "counter",
        "Errors by where they arose.",
    );
    for (place, count) in &counts.errors {
        page.sample("berth_errors_total", &[("place", place)], count);
    }
    for (name, help, value) in [
        (
            "berth_passes_failed_total",
            "Passes that failed as a whole.",
            counts.failed_passes,
        ),
        (
            "berth_vswitchd_deaths_total",
            "Deaths of ovs-vswitchd seen.",
            counts.vswitchd_deaths,
        ),
        (
            "berth_stale_ports_deleted_total",
            "Ports of berth without a record that were deleted.",
            counts.stale_ports_deleted,
        ),
        (
            "berth_records_cleaned_total",
            "Records of dead pods that were removed.",
            counts.records_cleaned,
        ),
        (
            "berth_leases_released_total",
            "Address leases of dead pods that were released.",
            counts.leases_released,
        ),
    ] {
        page.single(name, "counter", help, value);
    }
}

#[cfg(test)]
#[path = "text_tests.rs"]
mod tests;
