//! Configurations that are refused: each error says key and value.

#![allow(
    clippy::unwrap_used,
    reason = "a test fails by panicking, its own functions included"
)]

use ipam::Config;
use serde_json::json;

#[test]
fn every_error_names_key_and_value() {
    for (network, message) in [
        (json!({}), "ipam is missing"),
        (json!({"ipam": null}), "ipam is missing"),
        (json!([1, 2]), "configuration: [1,2] is not an object"),
        (
            json!({"ipam": "host-local"}),
            "ipam: \"host-local\" is not an object",
        ),
        (
            json!({"ipam": {}}),
            "no IP ranges: ipam has neither subnet nor ranges, and runtimeConfig no ipRanges",
        ),
        (
            json!({"ipam": {"rangeStart": "10.0.0.1"}}),
            "no IP ranges: ipam has neither subnet nor ranges, and runtimeConfig no ipRanges",
        ),
        (
            json!({"ipam": {"subnet": 7}}),
            "ipam.subnet: 7 is not a string",
        ),
        (
            json!({"ipam": {"subnet": "10.0.0.0"}}),
            "ipam.subnet: \"10.0.0.0\" is not a network as ADDRESS/LENGTH",
        ),
        (
            json!({"ipam": {"subnet": "10.0.0.0/24", "gateway": "x"}}),
            "ipam.gateway: \"x\" is not an IP address",
        ),
        (
            json!({"ipam": {"ranges": [[{}]]}}),
            "ipam.ranges[0][0].subnet is missing",
        ),
        (
            json!({"ipam": {"ranges": [[]]}}),
            "ipam.ranges[0]: [] is an empty range set",
        ),
        (
            json!({"ipam": {"ranges": {}}}),
            "ipam.ranges: {} is not a list",
        ),
        (
            json!({"ipam": {"ranges": [{"subnet": "10.0.0.0/24"}]}}),
            "ipam.ranges[0]: {\"subnet\":\"10.0.0.0/24\"} is not a list",
        ),
        (
            json!({"ipam": {"ranges": [[null]]}}),
            "ipam.ranges[0][0]: null is not an object",
        ),
        (
            json!({"ipam": {"subnet": "10.0.0.0/24"}, "cniVersion": 1}),
            "cniVersion: 1 is not a string",
        ),
        (
            json!({"ipam": {"subnet": "10.0.0.0/24", "dataDir": []}}),
            "ipam.dataDir: [] is not a string",
        ),
        (
            json!({"ipam": {"subnet": "10.0.0.0/24", "routes": [{"gw": "10.0.0.1"}]}}),
            "ipam.routes[0].dst is missing",
        ),
        (
            json!({"ipam": {"subnet": "10.0.0.0/24", "routes": [{"dst": "0.0.0.0/0", "mtu": -1}]}}),
            "ipam.routes[0].mtu: -1 is not a number from 0 to 4294967295",
        ),
        (
            json!({"ipam": {"subnet": "10.0.0.0/24"}, "args": {"cni": []}}),
            "args.cni: [] is not an object",
        ),
        (
            json!({"ipam": {"subnet": "10.0.0.0/24"}, "runtimeConfig": {"ipRanges": [[{"subnet": "10.0.0.1/24"}]]}}),
            "runtimeConfig.ipRanges[0][0]: 10.0.0.1/24 has host bits set, the network address for length 24 is 10.0.0.0",
        ),
    ] {
        assert_eq!(
            Config::parse("mynet", &network, "")
                .unwrap_err()
                .to_string(),
            message,
            "{network}"
        );
    }
    let long = json!({"ipam": {"subnet": "x".repeat(500)}});
    assert!(
        Config::parse("mynet", &long, "")
            .unwrap_err()
            .to_string()
            .len()
            < 200
    );
}

#[test]
fn a_name_that_is_no_safe_directory_name_is_refused() {
    let network = json!({"ipam": {"subnet": "10.0.0.0/24"}});
    for name in ["", ".", "..", "a/b", "../etc", "-a", ".berth", "a b", "ä"] {
        let refused = Config::parse(name, &network, "").unwrap_err();
        assert_eq!(
            refused.to_string(),
            format!("name: {name:?} is not a network name")
        );
        assert!(ipam::Store::of_network(name, &network).is_err());
    }
    for name in ["a", "0", "cbr0", "my-net_1.0"] {
        assert_eq!(Config::parse(name, &network, "").unwrap().network, name);
    }
}
