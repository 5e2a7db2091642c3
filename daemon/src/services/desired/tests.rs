//! kube-proxy's rows, as far as they are decided here.

use serde_json::{Value, json};

use super::*;
use crate::services::fixture::{leaving, ready, service, slice};

fn here() -> Here {
    Here {
        name: "n1".to_owned(),
        zone: Some("east".to_owned()),
        addresses: ["192.0.2.1", "192.0.2.9"]
            .map(|ip| ip.parse().unwrap())
            .into(),
        node_port_addresses: ["192.0.2.1".parse().unwrap()].into(),
    }
}

/// What is behind an address: backends inside and outside as last numbers of their addresses, and flags.
fn behind(spec: &Value, endpoints: Vec<Endpoint>, at: &str, port: u16) -> (Vec<u8>, Vec<u8>, u32) {
    let service = service("web", "10.96.0.7", spec);
    let slice = slice("web", endpoints);
    let claims = claims(&service, &here(), |ip| {
        ip == "10.96.0.7".parse::<IpAddr>().unwrap()
    });
    let tables = tables(&service, &[&slice], &here(), &claims.frontends);
    let frontend = frontend(at.parse().unwrap(), port, if port == 0 { 0 } else { 6 });
    let table = tables
        .values()
        .find(|table| table.frontends.contains_key(&frontend));
    let table = table.unwrap_or_else(|| panic!("nothing at {at}:{port}"));
    let target = table.frontends[&frontend];
    let numbers = |set: usize| -> Vec<u8> {
        let backends = table.backends(&frontend, set);
        backends
            .iter()
            .map(|backend| match IpAddr::from(backend.address) {
                IpAddr::V4(v4) => v4.octets()[3],
                IpAddr::V6(_) => 0,
            })
            .collect()
    };
    (
        numbers(target.inside),
        numbers(target.outside),
        target.flags,
    )
}

const BOTH_REJECT: u32 = Flags::INSIDE_REJECT | Flags::OUTSIDE_REJECT;

#[test]
fn ready_endpoints_serve_and_else_those_that_are_leaving() {
    let none = json!({});
    let of = |endpoints: Vec<Endpoint>| behind(&none, endpoints, "10.96.0.7", 80);
    let mut not_ready = ready("10.1.0.9", "n1");
    not_ready.ready = false;
    not_ready.serving = false;
    assert_eq!(
        of(vec![
            ready("10.1.0.1", "n1"),
            leaving("10.1.0.2", "n1"),
            not_ready.clone()
        ])
        .0,
        [1]
    );
    assert_eq!(
        of(vec![leaving("10.1.0.2", "n1"), not_ready.clone()]).0,
        [2]
    );
    assert_eq!(of(vec![not_ready]), (vec![], vec![], BOTH_REJECT));
    assert_eq!(of(Vec::new()), (vec![], vec![], BOTH_REJECT));
}

#[test]
fn internal_policy_local() {
    let local = json!({"internalTrafficPolicy": "Local"});
    let of = |endpoints: Vec<Endpoint>| behind(&local, endpoints, "10.96.0.7", 80);
    let both = vec![ready("10.1.0.1", "n1"), ready("10.1.0.2", "n2")];
    assert_eq!(of(both).0, [1]);
    let elsewhere = of(vec![ready("10.1.0.2", "n2")]);
    assert_eq!(elsewhere.0, [0_u8; 0]);
    assert_eq!(elsewhere.2, Flags::INSIDE_DROP | Flags::OUTSIDE_DROP);
    assert_eq!(of(Vec::new()).2, BOTH_REJECT, "nobody anywhere");
    // Ready ones elsewhere do not keep a leaving one here from serving: each policy decides by itself.
    assert_eq!(
        of(vec![leaving("10.1.0.1", "n1"), ready("10.1.0.2", "n2")]).0,
        [1]
    );
}

#[test]
fn external_policy_local_holds_for_those_outside_alone() {
    let spec = json!({
        "type": "LoadBalancer", "externalTrafficPolicy": "Local", "externalIPs": ["203.0.113.5"],
        "ports": [{"port": 80, "nodePort": 30080}], "ingress": [{"ip": "203.0.113.6"}],
    });
    let endpoints = || vec![ready("10.1.0.1", "n1"), ready("10.1.0.2", "n2")];
    for (at, port) in [
        ("192.0.2.1", 30080),
        ("203.0.113.5", 80),
        ("203.0.113.6", 80),
    ] {
        let (inside, outside, flags) = behind(&spec, endpoints(), at, port);
        assert_eq!((inside, outside), (vec![1, 2], vec![1]), "{at}");
        assert_ne!(flags & Flags::KEEP_SOURCE, 0, "{at}");
        let elsewhere = behind(&spec, vec![ready("10.1.0.2", "n2")], at, port);
        assert_eq!((elsewhere.0, elsewhere.1), (vec![2], vec![]), "{at}");
        assert_ne!(elsewhere.2 & Flags::OUTSIDE_DROP, 0, "{at}");
    }
    assert_eq!(behind(&spec, endpoints(), "10.96.0.7", 80).1, [1, 2]);
}

#[test]
fn other_ports_of_a_cluster_ip_are_refused() {
    let (inside, _, flags) = behind(&json!({}), vec![ready("10.1.0.1", "n1")], "10.96.0.7", 0);
    assert_eq!(
        (inside, flags),
        (vec![], BOTH_REJECT),
        "port and protocol 0 stand for all"
    );
}

#[test]
fn hints_count_if_all_have_one_and_one_is_for_here() {
    let hinted = |ip: &str, zone: Option<&str>, node: Option<&str>| Endpoint {
        zones: zone.into_iter().map(str::to_owned).collect(),
        nodes: node.into_iter().map(str::to_owned).collect(),
        ..ready(ip, "n2")
    };
    let table = [
        (
            "zone",
            vec![
                hinted("10.1.0.1", Some("east"), None),
                hinted("10.1.0.2", Some("west"), None),
            ],
            vec![1],
        ),
        (
            "one without",
            vec![
                hinted("10.1.0.1", Some("east"), None),
                hinted("10.1.0.2", None, None),
            ],
            vec![1, 2],
        ),
        (
            "none for here",
            vec![
                hinted("10.1.0.1", Some("west"), None),
                hinted("10.1.0.2", Some("west"), None),
            ],
            vec![1, 2],
        ),
        (
            "node before zone",
            vec![
                hinted("10.1.0.1", Some("east"), Some("n1")),
                hinted("10.1.0.2", Some("east"), Some("n3")),
            ],
            vec![1],
        ),
        (
            "no node, then zone",
            vec![
                hinted("10.1.0.1", Some("east"), Some("n4")),
                hinted("10.1.0.2", Some("west"), Some("n3")),
            ],
            vec![1],
        ),
    ];
    for (what, endpoints, expected) in table {
        assert_eq!(
            behind(&json!({}), endpoints, "10.96.0.7", 80).0,
            expected,
            "{what}"
        );
    }
}

#[test]
fn addresses_that_are_others_are_refused() {
    let spec = json!({
        "type": "LoadBalancer", "externalIPs": ["192.0.2.9", "10.96.0.7", "203.0.113.5"],
        "ingress": [{"ip": "192.0.2.1"}, {"ip": "203.0.113.7", "ipMode": "Proxy"}, {"hostname": "lb.example"}],
    });
    let service = service("web", "10.96.0.7", &spec);
    let claims = claims(&service, &here(), |ip| {
        ip == "10.96.0.7".parse::<IpAddr>().unwrap()
    });
    assert_eq!(
        claims.refused,
        [
            "spec.externalIPs: 192.0.2.9 is an address of this node",
            "spec.externalIPs: 10.96.0.7 is a Service's address within the cluster",
            "status.loadBalancer.ingress: 192.0.2.1 is an address of this node",
        ]
    );
    let mut claimed: Vec<String> = claims
        .frontends
        .keys()
        .map(|f| f.address.to_string())
        .collect();
    claimed.sort();
    assert_eq!(
        claimed,
        ["10.96.0.7", "10.96.0.7", "203.0.113.5"],
        "a proxy's address is not ours"
    );
}

#[test]
fn a_port_is_matched_by_name_and_protocol() {
    let spec = json!({"ports": [{"port": 80, "name": "http"}]});
    let it = service("web", "10.96.0.7", &spec);
    assert!(
        endpoints(
            &it.ports[0],
            &[&slice("web", vec![ready("10.1.0.1", "n1")])]
        )
        .is_empty()
    );
}
