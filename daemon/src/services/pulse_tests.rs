use serde_json::json;

use super::*;
use crate::services::fixture::{objects, ready, service, slice};
use crate::services::node::Here;
use crate::services::object::{Node, Object};

fn index(all: Vec<Object>) -> Index {
    let mut index = Index::default();
    index.set_here(Here {
        name: "n1".to_owned(),
        node_port_addresses: ["192.0.2.1".parse().unwrap()].into(),
        ..Here::default()
    });
    index.update(&objects(all));
    index
}

fn node(leaving: Option<Leaving>) -> Object {
    Object::Node(Box::new(Node {
        name: "n1".to_owned(),
        leaving,
        ..Node::default()
    }))
}

fn checked() -> Vec<Object> {
    let spec = json!({
        "type": "LoadBalancer", "externalTrafficPolicy": "Local", "healthCheckNodePort": 32000,
    });
    let slice = slice("web", vec![ready("10.1.0.1", "n1")]);
    vec![
        Object::Service(Box::new(service("web", "10.96.0.1", &spec))),
        Object::Slice(Box::new(slice)),
    ]
}

#[test]
fn a_node_on_its_way_out_is_unhealthy_and_alive() {
    let (pulse, now) = (Pulse::default(), Instant::now());
    for (leaving, problem) in [
        (
            Leaving::Deleted,
            "node n1 takes nothing new: it is being deleted",
        ),
        (
            Leaving::Autoscaler,
            "node n1 takes nothing new: the cluster autoscaler is about to remove it (taint ToBeDeletedByClusterAutoscaler)",
        ),
    ] {
        let mut all = checked();
        all.push(node(Some(leaving)));
        pulse.settled(&index(all), &BTreeMap::new());
        assert_eq!(pulse.problems(now), [problem]);
        assert_eq!(pulse.late(now), None);
        let verdict = pulse.verdict(32000, true).unwrap();
        assert!(!verdict.is_good && verdict.weight == 1, "{verdict:?}");
    }
    let mut all = checked();
    all.push(node(None));
    pulse.settled(&index(all), &BTreeMap::new());
    assert_eq!(pulse.problems(now), [""; 0]);
    assert!(pulse.verdict(32000, true).unwrap().is_good);
    assert_eq!(pulse.verdict(32001, true), None);
}

#[test]
fn a_change_that_is_not_written_in_time_is_told() {
    let pulse = Pulse::default();
    let mut index = index(checked());
    pulse.queued(index.take_changes());
    let now = Instant::now();
    assert_eq!(pulse.problems(now + LATE / 2), [""; 0]);
    let late = "a change of Services has waited for 61 s to be written";
    let then = now + LATE + Duration::from_secs(1);
    assert_eq!(pulse.late(then).as_deref(), Some(late));
    assert_eq!(pulse.problems(then), [late]);
    pulse.settled(&index, &BTreeMap::new());
    assert_eq!(pulse.late(then), None);
}

#[test]
fn changes_and_their_age_are_counted() {
    let pulse = Pulse::default();
    let mut index = index(checked());
    let mut changes = index.take_changes();
    assert_eq!(index.take_changes(), Changes::default());
    // Of before the start, and of a clock ahead of ours.
    changes.triggered_us = vec![1, clock::now_us() + 60_000_000];
    pulse.queued(changes);
    pulse.wrote(Duration::from_millis(3));
    let failed = [("default/web:80/TCP".to_owned(), "full".to_owned())].into();
    pulse.settled(&index, &failed);
    let syncs = pulse.syncs();
    assert_eq!((syncs.service_changes, syncs.endpoint_changes), (1, 1));
    assert_eq!((syncs.writes.count(), syncs.programming.count()), (1, 1));
    assert!(syncs.last_queued_at > 0.0 && syncs.last_written_at == 0.0);
    // The node is well, the Service is not.
    assert_eq!(pulse.problems(Instant::now()), [""; 0]);
    assert!(!pulse.verdict(32000, true).unwrap().is_good);
    pulse.settled(&index, &BTreeMap::new());
    assert!(pulse.syncs().last_written_at >= syncs.last_queued_at);
    assert_eq!(pulse.syncs().programming.count(), 1);
}

#[test]
fn who_waits_is_woken_by_a_change_alone() {
    let pulse = Pulse::default();
    let index = index(checked());
    pulse.settled(&index, &BTreeMap::new());
    let mut wanted = pulse.wanted();
    assert_eq!(wanted.borrow_and_update().checks.len(), 1);
    pulse.settled(&index, &BTreeMap::new());
    assert!(!wanted.has_changed().unwrap());
}
