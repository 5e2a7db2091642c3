//! The page as a scraper reads it.

use std::collections::BTreeSet;
use std::time::Duration;

use super::*;
use crate::metrics::Probe;

fn page() -> String {
    let mut counts = Counts::default();
    counts.action("re-enslave");
    counts.action("re-enslave");
    counts.error("observe");
    counts.pass(true, Duration::from_millis(3));
    counts.pass(false, Duration::from_millis(30));
    counts.reattach.observe(Duration::from_millis(42));
    let mut gauges = Gauges::default();
    gauges
        .ports
        .insert(("bond".to_owned(), PortState::Ready), 250);
    counts.probe(Probe::Healthz, 200);
    counts.probe(Probe::Healthz, 503);
    counts.probe(Probe::Healthz, 503);
    let mut services = ServiceGauges {
        sockets_ended: 3,
        flows: 17,
        ..ServiceGauges::default()
    };
    services.syncs.writes.observe(Duration::from_millis(3));
    services.syncs.programming.observe(Duration::from_secs(61));
    services.syncs.last_written_at = 1_795_260_030.5;
    services.syncs.endpoint_changes = 7;
    gauges.services = Some(services);
    render(&counts, &gauges)
}

#[test]
fn samples_have_name_labels_and_value() {
    let page = page();
    for line in [
        "berth_ports{strategy=\"bond\",state=\"ready\"} 250",
        "berth_actions_total{kind=\"re-enslave\"} 2",
        "berth_errors_total{place=\"observe\"} 1",
        "berth_pass_seconds_bucket{scope=\"full\",le=\"0.005\"} 1",
        "berth_pass_seconds_bucket{scope=\"partial\",le=\"+Inf\"} 1",
        "berth_reattach_seconds_bucket{le=\"0.025\"} 0",
        "berth_reattach_seconds_bucket{le=\"0.05\"} 1",
        "berth_reattach_seconds_count 1",
        "berth_ovsdb_connected 0",
        "kubeproxy_sync_proxy_rules_duration_seconds_bucket{le=\"0.002\"} 0",
        "kubeproxy_sync_proxy_rules_duration_seconds_bucket{le=\"0.004\"} 1",
        "kubeproxy_sync_proxy_rules_duration_seconds_count 1",
        "kubeproxy_network_programming_duration_seconds_bucket{le=\"60\"} 0",
        "kubeproxy_network_programming_duration_seconds_bucket{le=\"65\"} 1",
        "kubeproxy_sync_proxy_rules_last_timestamp_seconds 1795260030.5",
        "kubeproxy_sync_proxy_rules_last_queued_timestamp_seconds 0",
        "kubeproxy_sync_proxy_rules_endpoint_changes_total 7",
        "kubeproxy_sync_proxy_rules_service_changes_total 0",
        "kubeproxy_proxy_healthz_total{code=\"200\"} 1",
        "kubeproxy_proxy_healthz_total{code=\"503\"} 2",
        "berth_service_sockets_ended_total 3",
        "berth_service_flows 17",
    ] {
        assert!(
            page.lines().any(|l| l == line),
            "no line {line:?} in\n{page}"
        );
    }
}

#[test]
fn every_metric_is_announced_once_with_help_and_type() {
    let page = page();
    let announced = |word: &str| -> Vec<String> {
        let prefix = format!("# {word} ");
        page.lines()
            .filter_map(|line| line.strip_prefix(&prefix))
            .filter_map(|rest| rest.split(' ').next())
            .map(str::to_owned)
            .collect()
    };
    let (help, kind) = (announced("HELP"), announced("TYPE"));
    assert_eq!(help, kind);
    let unique: BTreeSet<_> = help.iter().collect();
    assert_eq!(unique.len(), help.len());
    for line in page.lines().filter(|line| !line.starts_with('#')) {
        let name = line.split(['{', ' ']).next().unwrap_or_default();
        let base = ["_bucket", "_sum", "_count"]
            .iter()
            .find_map(|suffix| name.strip_suffix(suffix))
            .unwrap_or(name);
        assert!(
            help.iter().any(|known| known == name || known == base),
            "{name} is not announced"
        );
        let value = line.rsplit(' ').next().unwrap_or_default();
        assert!(value.parse::<f64>().is_ok(), "{line:?} has no number");
    }
}

#[test]
fn where_services_are_not_programmed_nothing_is_said_of_them() {
    let page = render(&Counts::default(), &Gauges::default());
    assert!(!page.contains("kubeproxy_"), "{page}");
}

#[test]
fn label_values_are_escaped() {
    assert_eq!(escape("a\"b\\c\nd"), "a\\\"b\\\\c\\nd");
}
