use serde_json::{Value, json};

use super::*;
use k8s_openapi::api::core::v1 as core;
use k8s_openapi::api::discovery::v1 as discovery;

fn service(spec: Value) -> Result<Service, String> {
    let object = json!({"metadata": {"name": "web", "namespace": "shop"}, "spec": spec});
    let service: core::Service = serde_json::from_value(object).unwrap();
    service
        .try_into()
        .map_err(|error: crate::services::error::Invalid| error.to_string())
}

fn slice(object: Value) -> Result<Slice, String> {
    let slice: discovery::EndpointSlice = serde_json::from_value(object).unwrap();
    slice
        .try_into()
        .map_err(|error: crate::services::error::Invalid| error.to_string())
}

#[test]
fn a_service_is_read_with_its_defaults() {
    let it = service(json!({"clusterIP": "10.96.0.1", "ports": [{"port": 53, "protocol": "UDP"}]}))
        .unwrap();
    assert_eq!(it.name, "shop/web");
    assert_eq!(it.kind, Some(Kind::ClusterIp));
    assert_eq!(it.ports[0].protocol, Protocol::Udp);
    assert_eq!(
        (it.affinity_seconds, it.internal_local, it.external_local),
        (0, false, false)
    );
}

#[test]
fn what_needs_nothing_has_no_kind() {
    for spec in [
        json!({"clusterIP": "None", "ports": [{"port": 80}]}),
        json!({"type": "ExternalName", "externalName": "example.org"}),
    ] {
        assert_eq!(service(spec).unwrap().kind, None);
    }
    let object = json!({
        "metadata": {"name": "web", "labels": {"service.kubernetes.io/service-proxy-name": "other"}},
        "spec": {"clusterIP": "10.96.0.1", "ports": [{"port": 80}]},
    });
    let it: core::Service = serde_json::from_value(object).unwrap();
    assert_eq!(Service::try_from(it).unwrap().kind, None);
}

#[test]
fn what_cannot_be_names_field_and_value() {
    let ports = json!([{"port": 80}]);
    let table = [
        (json!({"ports": ports}), "spec.clusterIP: is missing"),
        (
            json!({"clusterIP": "ten", "ports": ports}),
            "spec.clusterIP: \"ten\" is not an IP address",
        ),
        (
            json!({"clusterIP": "127.0.0.1", "ports": ports}),
            "spec.clusterIP: 127.0.0.1 is a loopback address",
        ),
        (
            json!({"clusterIP": "169.254.1.1", "ports": ports}),
            "spec.clusterIP: 169.254.1.1 is a link-local address",
        ),
        (
            json!({"clusterIP": "224.0.0.1", "ports": ports}),
            "spec.clusterIP: 224.0.0.1 is a multicast address",
        ),
        (
            json!({"clusterIPs": ["10.0.0.1", "10.0.0.2"], "ports": ports}),
            "spec.clusterIPs[1]: 10.0.0.2 is the second of its family",
        ),
        (
            json!({"clusterIP": "10.0.0.1", "ports": [{"port": 0}]}),
            "spec.ports[0].port: 0 is not from 1 to 65535",
        ),
        (
            json!({"clusterIP": "10.0.0.1", "ports": [{"port": 80}, {"port": 80}]}),
            "spec.ports[1].port: 80/TCP is there already",
        ),
        (
            json!({"clusterIP": "10.0.0.1", "ports": [{"port": 80, "nodePort": 70000}]}),
            "spec.ports[0].nodePort: 70000 is not from 1 to 65535",
        ),
        (
            json!({"clusterIP": "10.0.0.1", "ports": ports, "type": "Fancy"}),
            "spec.type: \"Fancy\" is not ClusterIP, NodePort, LoadBalancer or ExternalName",
        ),
        (
            json!({"clusterIP": "10.0.0.1", "ports": ports, "externalIPs": ["::1"]}),
            "spec.externalIPs[0]: ::1 is a loopback address",
        ),
        (
            json!({"clusterIP": "10.0.0.1", "ports": ports, "sessionAffinity": "ClientIP", "sessionAffinityConfig": {"clientIP": {"timeoutSeconds": 90_000}}}),
            "spec.sessionAffinityConfig.clientIP.timeoutSeconds: 90000 is not from 1 to 86400",
        ),
        (
            json!({"clusterIP": "10.0.0.1", "ports": ports, "externalTrafficPolicy": "Near"}),
            "spec.externalTrafficPolicy: \"Near\" is not Cluster or Local",
        ),
        (
            json!({"clusterIP": "10.0.0.1", "ports": ports, "loadBalancerSourceRanges": ["10.0.0.0/40"]}),
            "spec.loadBalancerSourceRanges[0]: \"10.0.0.0/40\" is not a CIDR",
        ),
    ];
    for (spec, expected) in table {
        assert_eq!(service(spec.clone()).unwrap_err(), expected, "{spec}");
    }
}

#[test]
fn a_slice_is_read_and_its_conditions_have_defaults() {
    let it = slice(json!({
        "metadata": {"name": "web-1", "namespace": "shop", "labels": {"kubernetes.io/service-name": "web"}},
        "addressType": "IPv4",
        "ports": [{"name": "http", "port": 8080}, {"name": "none"}],
        "endpoints": [
            {"addresses": ["10.1.0.1"]},
            {"addresses": ["10.1.0.2"], "conditions": {"ready": false, "serving": true, "terminating": true}, "nodeName": "n2"},
            {"addresses": ["127.0.0.1"]},
        ],
    }))
    .unwrap();
    assert_eq!(it.service.as_deref(), Some("shop/web"));
    assert_eq!(it.ports.len(), 1);
    let states: Vec<_> = it
        .endpoints
        .iter()
        .map(|e| (e.ready, e.serving, e.terminating))
        .collect();
    assert_eq!(states, [(true, true, false), (false, true, true)]);
    assert_eq!(
        it.refused,
        ["shop/web-1: endpoints[2].addresses[0]: 127.0.0.1 is a loopback address"]
    );
}

#[test]
fn a_slice_of_the_wrong_family_is_refused() {
    let error = slice(json!({
        "metadata": {"name": "web-1"}, "addressType": "IPv6", "ports": [],
        "endpoints": [{"addresses": ["10.1.0.1"]}],
    }))
    .unwrap_err();
    assert_eq!(
        error,
        "endpoints[0].addresses[0]: 10.1.0.1 is not of addressType IPv6"
    );
}

#[test]
fn a_node_on_its_way_out_is_known_by_its_deletion_or_the_autoscalers_taint() {
    let taint = |key: &str| json!([{"key": "other", "effect": "NoExecute"}, {"key": key, "effect": "NoSchedule"}]);
    let deleted = json!("2026-01-01T00:00:00Z");
    let autoscaler = "ToBeDeletedByClusterAutoscaler";
    for (deletion, taints, expected) in [
        (json!(null), json!(null), None),
        (json!(null), taint("ToBeDeletedByMe"), None),
        (json!(null), taint(autoscaler), Some(Leaving::Autoscaler)),
        (deleted, taint(autoscaler), Some(Leaving::Deleted)),
    ] {
        let node: core::Node = serde_json::from_value(json!({
            "metadata": {"name": "n1", "deletionTimestamp": deletion}, "spec": {"taints": taints},
        }))
        .unwrap();
        assert_eq!(Node::try_from(node).unwrap().leaving, expected);
    }
}

#[test]
fn a_slice_tells_when_what_led_to_it_happened() {
    for (time, expected) in [
        ("1970-01-01T00:00:01.5Z", Some(1_500_000)),
        ("1970-01-01T01:00:01+01:00", Some(1_000_000)),
        ("yesterday", None),
    ] {
        let it = slice(json!({
            "metadata": {
                "name": "web-1",
                "annotations": {"endpoints.kubernetes.io/last-change-trigger-time": time},
            },
            "addressType": "IPv4", "endpoints": [],
        }));
        assert_eq!(it.unwrap().triggered_us, expected, "{time}");
    }
}
