use serde_json::json;

use super::*;
use crate::services::fixture::{objects, ready, service, slice};

fn index(all: Vec<Object>) -> Index {
    let mut index = Index::default();
    index.set_here(here("192.0.2.1"));
    index.update(&objects(all));
    index
}

fn here(ip: &str) -> Here {
    let ip = ip.parse().unwrap();
    Here {
        name: "n1".to_owned(),
        zone: None,
        addresses: [ip].into(),
        node_port_addresses: [ip].into(),
    }
}

fn a_service(name: &str, ip: &str, spec: serde_json::Value) -> Object {
    Object::Service(Box::new(service(name, ip, &spec)))
}

fn addresses(index: &Index, name: &str) -> Vec<String> {
    let granted = index.granted(name);
    granted
        .iter()
        .filter(|(_, (origin, _))| *origin != Origin::OtherPort)
        .map(|(frontend, _)| format!("{}:{}", frontend.address, u16::from_be(frontend.port_be)))
        .collect()
}

#[test]
fn of_two_that_claim_an_address_the_older_has_it_whatever_the_order() {
    let old = a_service(
        "zz-old",
        "10.96.0.7",
        json!({"created": "2025-01-01T00:00:00Z"}),
    );
    let new = a_service(
        "aa-new",
        "10.96.0.7",
        json!({"created": "2026-01-01T00:00:00Z"}),
    );
    let undated = a_service("aaa", "10.96.0.7", json!({}));
    for order in [[&old, &new, &undated], [&undated, &new, &old]] {
        let mut index = Index::default();
        for end in 1..=3 {
            index.update(&objects(
                order[..end].iter().map(|object| (*object).clone()),
            ));
        }
        assert_eq!(addresses(&index, "default/zz-old"), ["10.96.0.7:80"]);
        assert_eq!(addresses(&index, "default/aa-new"), [""; 0]);
        assert_eq!(
            index.refused("default/aa-new"),
            ["ClusterIP 10.96.0.7 port 80 is Service default/zz-old's already"]
        );
        // When it goes, the next one has it, and is told.
        let touched = index.update(&objects([new.clone(), undated.clone()]));
        assert!(touched.contains("default/aa-new"), "{touched:?}");
        assert_eq!(addresses(&index, "default/aa-new"), ["10.96.0.7:80"]);
    }
}

#[test]
fn an_address_outside_is_refused_once_it_is_a_cluster_ip() {
    let outside = a_service("out", "10.96.0.1", json!({"externalIPs": ["10.96.0.9"]}));
    let inside = a_service("in", "10.96.0.9", json!({}));
    let mut index = index(vec![outside.clone()]);
    assert_eq!(
        addresses(&index, "default/out"),
        ["10.96.0.1:80", "10.96.0.9:80"]
    );
    let touched = index.update(&objects([outside.clone(), inside]));
    assert!(touched.contains("default/out"), "{touched:?}");
    assert_eq!(addresses(&index, "default/out"), ["10.96.0.1:80"]);
    assert_eq!(addresses(&index, "default/in"), ["10.96.0.9:80"]);
    index.update(&objects([outside]));
    assert_eq!(
        addresses(&index, "default/out"),
        ["10.96.0.1:80", "10.96.0.9:80"]
    );
}

#[test]
fn a_change_touches_whom_it_concerns() {
    let service = |n: u8| a_service(&format!("s{n}"), &format!("10.96.0.{n}"), json!({}));
    let slice =
        |n: u8, ip: &str| Object::Slice(Box::new(slice(&format!("s{n}"), vec![ready(ip, "n1")])));
    let mut all = vec![
        service(1),
        service(2),
        slice(1, "10.1.0.1"),
        slice(2, "10.1.0.2"),
    ];
    let mut index = index(all.clone());
    all[2] = slice(1, "10.1.0.3");
    assert_eq!(
        index.update(&objects(all.clone())),
        ["default/s1".to_owned()].into()
    );
    assert_eq!(index.update(&objects(all.clone())), BTreeSet::new());
    all.remove(3);
    assert_eq!(
        index.update(&objects(all)),
        ["default/s2".to_owned()].into()
    );
    assert!(index.slices_of("default/s2").is_empty());
}

#[test]
fn node_ports_follow_the_nodes_addresses() {
    let spec = json!({"type": "NodePort", "ports": [{"port": 80, "nodePort": 30080}]});
    let mut index = index(vec![a_service("np", "10.96.0.1", spec)]);
    assert_eq!(
        addresses(&index, "default/np"),
        ["10.96.0.1:80", "192.0.2.1:30080"]
    );
    assert_eq!(
        index.set_here(here("192.0.2.2")),
        ["default/np".to_owned()].into()
    );
    assert_eq!(
        addresses(&index, "default/np"),
        ["10.96.0.1:80", "192.0.2.2:30080"]
    );
}
