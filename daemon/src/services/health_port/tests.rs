use serde_json::{Value, json};

use super::*;
use crate::services::fixture::{leaving, objects, ready, service, slice};
use crate::services::node::Here;
use crate::services::object::{Endpoint, Object};

fn index(all: impl IntoIterator<Item = Object>) -> Index {
    let mut index = Index::default();
    index.set_here(Here {
        name: "n1".to_owned(),
        node_port_addresses: ["192.0.2.1".parse().unwrap()].into(),
        ..Here::default()
    });
    index.update(&objects(all));
    index
}

fn asked(name: &str, ip: &str, more: &Value) -> Object {
    let mut spec = json!({
        "type": "LoadBalancer", "externalTrafficPolicy": "Local", "healthCheckNodePort": 32000,
    });
    for (key, value) in more.as_object().into_iter().flatten() {
        spec[key] = value.clone();
    }
    Object::Service(Box::new(service(name, ip, &spec)))
}

fn of(service: &str, endpoints: Vec<Endpoint>) -> Object {
    Object::Slice(Box::new(slice(service, endpoints)))
}

fn now(all: impl IntoIterator<Item = Object>) -> Wanted {
    wanted(&index(all), &BTreeMap::new())
}

#[test]
fn only_balanced_services_of_policy_local_are_asked_about() {
    for (spec, expected) in [
        (json!({}), true),
        (json!({"type": "NodePort"}), false),
        (json!({"externalTrafficPolicy": "Cluster"}), false),
        (json!({"healthCheckNodePort": 0}), false),
        (json!({"clusterIP": "None"}), false),
    ] {
        let wanted = now([asked("web", "10.96.0.1", &spec)]);
        assert_eq!(wanted.checks.contains_key(&32000), expected, "{spec}");
    }
}

#[test]
fn what_is_asked_about_follows_the_services() {
    let mut index = index([asked("web", "10.96.0.1", &json!({}))]);
    let ports = |index: &Index| -> Vec<u16> {
        let wanted = wanted(index, &BTreeMap::new());
        wanted.checks.into_keys().collect()
    };
    assert_eq!(ports(&index), [32000]);
    let moved = asked("web", "10.96.0.1", &json!({"healthCheckNodePort": 32001}));
    index.update(&objects([moved]));
    assert_eq!(ports(&index), [32001]);
    let other = asked("web", "10.96.0.1", &json!({"type": "ClusterIP"}));
    index.update(&objects([other]));
    assert_eq!(ports(&index), [0; 0]);
    index.update(&objects([asked("web", "10.96.0.1", &json!({}))]));
    index.update(&objects([]));
    assert_eq!(ports(&index), [0; 0]);
}

#[test]
fn endpoints_that_are_here_and_ready_count_once_by_address() {
    let not_ready = Endpoint {
        ready: false,
        ..ready("10.1.0.4", "n1")
    };
    let mut second = slice("web", vec![ready("10.1.0.1", "n1")]);
    second.name = "default/web-2".to_owned();
    let mut silent = slice("web", vec![ready("10.1.0.9", "n1")]);
    silent.name = "default/web-3".to_owned();
    silent.ports.clear();
    let endpoints = vec![
        ready("10.1.0.1", "n1"),
        ready("10.1.0.2", "n2"),
        leaving("10.1.0.3", "n1"),
        not_ready,
    ];
    let wanted = now([
        asked("web", "10.96.0.1", &json!({})),
        of("web", endpoints),
        Object::Slice(Box::new(second)),
        Object::Slice(Box::new(silent)),
    ]);
    assert_eq!(wanted.checks[&32000].local(true), 1);
}

#[test]
fn a_pod_counts_in_the_family_that_is_asked() {
    let dual = json!({"clusterIPs": ["10.96.0.1", "fd00:96::1"]});
    let pods = || {
        let v4 = vec![ready("10.1.0.1", "n1"), ready("10.1.0.2", "n1")];
        let mut v6 = slice("web", vec![ready("fd00:1::1", "n1")]);
        v6.name = "default/web-6".to_owned();
        [of("web", v4), Object::Slice(Box::new(v6))]
    };
    let [v4, v6] = pods();
    let wanted = now([asked("web", "10.96.0.1", &dual), v4, v6]);
    let check = &wanted.checks[&32000];
    assert_eq!((check.local(true), check.local(false)), (2, 1));
    // Of IPv4 alone: asked at an address of IPv6 it is still the same Service.
    let [v4, _] = pods();
    let wanted = now([asked("web", "10.96.0.1", &json!({})), v4]);
    let check = &wanted.checks[&32000];
    assert_eq!((check.local(true), check.local(false)), (2, 2));
}

#[test]
fn of_two_that_want_a_port_the_older_has_it() {
    let old = json!({"created": "2025-01-01T00:00:00Z"});
    let wanted = now([
        asked(
            "a-new",
            "10.96.0.1",
            &json!({"created": "2026-01-01T00:00:00Z"}),
        ),
        asked("z-old", "10.96.0.2", &old),
    ]);
    assert_eq!(wanted.checks[&32000].service, "default/z-old");
    assert_eq!(
        wanted.refused["default/a-new"],
        "spec.healthCheckNodePort: 32000 is Service default/z-old's already"
    );
}

#[test]
fn without_an_address_for_node_ports_it_is_said() {
    let mut index = index([asked("web", "10.96.0.1", &json!({}))]);
    index.set_here(Here::default());
    assert_eq!(
        wanted(&index, &BTreeMap::new()).refused["default/web"],
        "spec.healthCheckNodePort: 32000 is not listened on, as no address of this node takes NodePorts"
    );
}

#[test]
fn the_answer_is_in_kube_proxys_words() {
    let index = index([
        asked("web", "10.96.0.1", &json!({})),
        asked("web-2", "10.96.0.2", &json!({"healthCheckNodePort": 32001})),
        of("web", vec![ready("10.1.0.1", "n1")]),
    ]);
    let failed = [("default/web-2:80/TCP".to_owned(), "full".to_owned())].into();
    let good = wanted(&index, &failed).checks[&32000].clone();
    let verdict = good.verdict(true, true);
    assert_eq!(
        verdict.body,
        r#"{"service":{"namespace":"default","name":"web"},"localEndpoints":1,"serviceProxyHealthy":true}"#
    );
    assert_eq!((verdict.is_good, verdict.weight), (true, 1));
    for (failed, is_healthy) in [
        ("default/web-2:80/TCP", false),
        ("default/web:80/TCP", true),
    ] {
        let failed = [(failed.to_owned(), "full".to_owned())].into();
        let verdict = wanted(&index, &failed).checks[&32000].verdict(true, is_healthy);
        assert!(!verdict.is_good, "{verdict:?}");
        assert!(verdict.body.ends_with(r#""serviceProxyHealthy":false}"#));
    }
    let nobody = wanted(&index, &BTreeMap::new()).checks[&32001].verdict(true, true);
    assert_eq!((nobody.is_good, nobody.weight), (false, 0));
}
