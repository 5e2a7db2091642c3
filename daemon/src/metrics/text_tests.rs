//! The page as a scraper reads it.

use std::collections::BTreeSet;
use std::time::Duration;

use super::*;

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
fn label_values_are_escaped() {
    assert_eq!(escape("a\"b\\c\nd"), "a\\\"b\\\\c\\nd");
}
