//! What kube-proxy measures as well, under its names and in its buckets, so that dashboards and alerts made for it go
//! on. Its label `ip_family` is not there: one write is for both families. Left out is what has another meaning here
//! or none, as counts of rules, and full syncs, which there are none of.

use super::counts::{Counts, Probe};
use super::histogram::Histogram;
use super::text::Page;

/// Changes of Services and writes of tables since the daemon started.
#[derive(Debug, Clone)]
pub struct Syncs {
    /// What writes took.
    pub writes: Histogram,
    /// From the change of a pod or Service to the write that followed from it.
    pub programming: Histogram,
    /// When tables last were all that they should be, seconds since 1970; 0 is never.
    pub last_written_at: f64,
    /// When something to be written was last known.
    pub last_queued_at: f64,
    /// Slices that came, went or changed.
    pub endpoint_changes: u64,
    /// Services that did.
    pub service_changes: u64,
}

impl Default for Syncs {
    fn default() -> Self {
        let doubled = (0..15).map(|power| 0.001 * f64::from(1 << power));
        let quarters = [0.25, 0.5].into_iter();
        let steps = |from: u32, to: u32, by: usize| (from..to).step_by(by).map(f64::from);
        let long = steps(1, 60, 1).chain(steps(60, 120, 5));
        Self {
            writes: Histogram::with(doubled),
            programming: Histogram::with(quarters.chain(long).chain(steps(120, 301, 30))),
            last_written_at: 0.0,
            last_queued_at: 0.0,
            endpoint_changes: 0,
            service_changes: 0,
        }
    }
}

/// Adds all of it to the page.
pub(super) fn render(page: &mut Page, counts: &Counts, syncs: &Syncs) {
    for (name, help, histogram) in [
        (
            "kubeproxy_sync_proxy_rules_duration_seconds",
            "Duration of writes of the tables of Services.",
            &syncs.writes,
        ),
        (
            "kubeproxy_network_programming_duration_seconds",
            "Time from the change of a pod or Service, as its EndpointSlice tells it, to the tables that follow from it.",
            &syncs.programming,
        ),
    ] {
        page.head(name, "histogram", help);
        page.histogram(name, &[], histogram);
    }
    for (name, help, at) in [
        (
            "kubeproxy_sync_proxy_rules_last_timestamp_seconds",
            "When the tables of Services last were as they should be, in seconds since 1970.",
            syncs.last_written_at,
        ),
        (
            "kubeproxy_sync_proxy_rules_last_queued_timestamp_seconds",
            "When a change of Services last was to be written, in seconds since 1970.",
            syncs.last_queued_at,
        ),
    ] {
        page.single(name, "gauge", help, at);
    }
    for (name, help, count) in [
        (
            "kubeproxy_sync_proxy_rules_endpoint_changes_total",
            "Changes of EndpointSlices.",
            syncs.endpoint_changes,
        ),
        (
            "kubeproxy_sync_proxy_rules_service_changes_total",
            "Changes of Services.",
            syncs.service_changes,
        ),
    ] {
        page.single(name, "counter", help, count);
    }
    for (name, help, probe) in [
        (
            "kubeproxy_proxy_healthz_total",
            "Answers of /healthz by HTTP status.",
            Probe::Healthz,
        ),
        (
            "kubeproxy_proxy_livez_total",
            "Answers of /livez by HTTP status.",
            Probe::Livez,
        ),
    ] {
        page.head(name, "counter", help);
        for ((_, status), count) in counts.probes.iter().filter(|((of, _), _)| *of == probe) {
            page.sample(name, &[("code", &status.to_string())], count);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bounds(histogram: &Histogram) -> Vec<f64> {
        histogram.cumulative().map(|(bound, _)| bound).collect()
    }

    #[test]
    fn the_buckets_are_kube_proxys() {
        let syncs = Syncs::default();
        let writes = bounds(&syncs.writes);
        assert_eq!((writes.len(), writes[0], writes[14]), (15, 0.001, 16.384));
        let programming = bounds(&syncs.programming);
        assert_eq!(programming.len(), 2 + 59 + 12 + 7);
        assert!(programming.is_sorted());
        for bound in [0.25, 0.5, 1.0, 59.0, 60.0, 65.0, 115.0, 120.0, 150.0, 300.0] {
            assert!(programming.contains(&bound), "{bound}");
        }
    }
}
