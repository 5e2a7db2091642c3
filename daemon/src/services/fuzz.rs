//! Whatever documents say, and in whatever order: nothing panics, what is refused names its place, and what is known at
//! the end does not depend on the way there.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use dataplane::tables::{PortKey, PortTable};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::fixture::{leaving, ready, service, slice};
use super::index::Index;
use super::node::Here;
use super::object::{Id, Object, unusable};
use super::source::parse;

fn here() -> Here {
    Here {
        name: "n1".to_owned(),
        zone: Some("east".to_owned()),
        addresses: ["192.0.2.10".parse().unwrap()].into(),
        node_port_addresses: ["192.0.2.10".parse().unwrap()].into(),
    }
}

/// Documents with all that they may have.
fn documents() -> [Value; 3] {
    [
        json!({
            "apiVersion": "v1", "kind": "Service", "metadata": {"name": "web", "namespace": "shop"},
            "spec": {
                "type": "LoadBalancer", "clusterIP": "10.96.0.7", "clusterIPs": ["10.96.0.7", "fd00:96::7"],
                "ports": [{"name": "http", "port": 80, "protocol": "TCP", "nodePort": 30080}],
                "externalIPs": ["203.0.113.5"], "loadBalancerSourceRanges": ["192.0.2.0/24"],
                "sessionAffinity": "ClientIP", "sessionAffinityConfig": {"clientIP": {"timeoutSeconds": 60}},
                "internalTrafficPolicy": "Local", "externalTrafficPolicy": "Local", "healthCheckNodePort": 30999,
            },
            "status": {"loadBalancer": {"ingress": [{"ip": "203.0.113.6", "ipMode": "VIP"}]}},
        }),
        json!({
            "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "addressType": "IPv4",
            "metadata": {"name": "web-1", "namespace": "shop", "labels": {"kubernetes.io/service-name": "web"}},
            "ports": [{"name": "http", "port": 8080, "protocol": "TCP"}],
            "endpoints": [{
                "addresses": ["10.244.0.2"], "nodeName": "n1", "zone": "east",
                "conditions": {"ready": true, "serving": true, "terminating": false},
                "hints": {"forZones": [{"name": "east"}], "forNodes": [{"name": "n1"}]},
            }],
        }),
        json!({
            "apiVersion": "v1", "kind": "Node",
            "metadata": {"name": "n1", "labels": {"topology.kubernetes.io/zone": "east"}},
            "spec": {"taints": [{"key": "a", "effect": "NoSchedule"}]},
            "status": {"addresses": [{"type": "InternalIP", "address": "192.0.2.10"}]},
        }),
    ]
}

/// Some value, mostly of a kind that could be meant.
fn value() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        (-2..70_000_i32).prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        ".{0,12}".prop_map(Value::from),
        prop::sample::select(vec![
            "127.0.0.1",
            "169.254.1.1",
            "224.0.0.1",
            "0.0.0.0",
            "192.0.2.10",
            "10.96.0.7",
            "::1",
            "fe80::1",
            "ff02::1",
            "::ffff:10.0.0.1",
            "10.0.0.1/33",
            "None",
            "Local",
            "UDP",
            "SCTP",
        ])
        .prop_map(Value::from),
        Just(json!([])),
        Just(json!({})),
        Just(json!([{"ip": "10.0.0.1"}, 7])),
    ]
}

/// All places in a value, as pointers.
fn places(value: &Value, at: &str, found: &mut Vec<String>) {
    found.push(at.to_owned());
    match value {
        Value::Object(map) => {
            for (key, value) in map {
                places(value, &format!("{at}/{}", key.replace('/', "~1")), found);
            }
        }
        Value::Array(list) => {
            for (index, value) in list.iter().enumerate() {
                places(value, &format!("{at}/{index}"), found);
            }
        }
        _ => {}
    }
}

/// The tables that follow from objects, of all Services.
fn tables(index: &Index) -> BTreeMap<String, BTreeMap<PortKey, PortTable>> {
    let names = index.services().map(|service| service.name.clone());
    names
        .map(|name| (name.clone(), index.tables(&name)))
        .collect()
}

/// No table has an address that nobody may have.
fn check(index: &Index) {
    for table in tables(index).values().flat_map(BTreeMap::values) {
        for frontend in table.frontends.keys() {
            let ip = IpAddr::from(frontend.address);
            assert_eq!(unusable(ip), None, "frontend {ip}");
            assert!(
                !here().addresses.contains(&ip) || frontend.port_be != 0,
                "all ports of {ip}"
            );
        }
        for backend in table.sets.iter().flatten() {
            let ip = IpAddr::from(backend.address);
            assert_eq!(unusable(ip), None, "backend {ip}");
        }
    }
}

/// A change: which object, and what becomes of it.
fn change() -> impl Strategy<Value = (Id, Option<Object>)> {
    let services = (0..4_u8, 0..3_u8, any::<[bool; 4]>()).prop_map(|(n, ip, [node, local, outside, gone])| {
        let name = format!("s{n}");
        let spec = json!({
            "type": if node { "NodePort" } else { "ClusterIP" },
            "ports": [{"port": 80, "nodePort": if node { 30_000 + i32::from(ip) } else { 0 }}],
            "externalTrafficPolicy": if local { "Local" } else { "Cluster" },
            "externalIPs": if outside { vec![format!("10.96.0.{}", ip + 1)] } else { Vec::new() },
            "created": format!("2026-01-0{}T00:00:00Z", n % 2 + 1),
        });
        let object = Object::Service(Box::new(service(&name, &format!("10.96.0.{ip}"), &spec)));
        (object.id(), (!gone).then_some(object))
    });
    let slices = (
        0..4_u8,
        prop::collection::vec((1..5_u8, 1..3_u8, any::<bool>()), 0..4),
        any::<bool>(),
    )
        .prop_map(|(n, endpoints, gone)| {
            let endpoints = endpoints.into_iter().map(|(ip, node, leaves)| {
                let (ip, node) = (format!("10.244.0.{ip}"), format!("n{node}"));
                if leaves {
                    leaving(&ip, &node)
                } else {
                    ready(&ip, &node)
                }
            });
            let object = Object::Slice(Box::new(slice(&format!("s{n}"), endpoints.collect())));
            (object.id(), (!gone).then_some(object))
        });
    prop_oneof![services, slices]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn text_of_any_kind_is_read_or_refused(text in ".{0,200}", is_json: bool) {
        let _ = parse(&text, is_json);
    }

    #[test]
    fn a_document_with_a_foreign_value_is_used_safely_or_refused(
        which in 0..3_usize, place: prop::sample::Index, value in value(),
    ) {
        let mut documents = documents();
        let mut all = Vec::new();
        places(&documents[which], "", &mut all);
        let place = place.get(&all);
        *documents[which].pointer_mut(place).unwrap() = value.clone();
        let mut objects = BTreeMap::new();
        for document in &documents {
            match parse(&document.to_string(), true) {
                Ok(found) => objects.extend(found.into_iter().map(|it| (it.id(), Arc::new(it)))),
                Err(bad) => {
                    prop_assert!(!bad.error.is_empty() && bad.document == 1, "{place}: {bad:?}");
                }
            }
        }
        let mut index = Index::default();
        index.set_here(here());
        index.update(&objects);
        check(&index);
    }

    #[test]
    fn any_sequence_of_changes_gives_what_its_end_gives(
        changes in prop::collection::vec(change(), 0..30), moved in 0..30_usize,
    ) {
        let mut index = Index::default();
        let mut objects: BTreeMap<Id, Arc<Object>> = BTreeMap::new();
        // What somebody who writes only what was touched has.
        let mut written: BTreeMap<String, BTreeMap<PortKey, PortTable>> = BTreeMap::new();
        for (n, (id, object)) in changes.into_iter().enumerate() {
            match object {
                Some(object) => objects.insert(id, Arc::new(object)),
                None => objects.remove(&id),
            };
            let mut touched = index.update(&objects);
            if n == moved {
                touched.extend(index.set_here(here()));
            }
            for name in touched {
                written.insert(name.clone(), index.tables(&name));
            }
        }
        for name in index.set_here(here()) {
            written.insert(name.clone(), index.tables(&name));
        }
        let mut at_once = Index::default();
        at_once.set_here(here());
        at_once.update(&objects);
        let mut wanted = tables(&at_once);
        for all in [&mut written, &mut wanted] {
            all.retain(|_, tables| !tables.is_empty());
        }
        prop_assert_eq!(written, wanted);
        check(&index);
    }
}
