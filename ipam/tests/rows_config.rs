//! Rows H21 to H30 of host-local: the configuration.

#![allow(
    clippy::unwrap_used,
    reason = "a test fails by panicking, its own functions included"
)]

mod own_store;

use ipam::{Config, ConfigError, Range, RangeSet};
use own_store::{Rig, add, ip};
use serde_json::{Value, json};

fn parse(version: &str, ipam: Value) -> Result<Config, ConfigError> {
    parse_all(
        &json!({"cniVersion": version, "name": "mynet", "type": "ipvlan", "ipam": ipam}),
        "",
    )
}

fn parse_all(network: &Value, args: &str) -> Result<Config, ConfigError> {
    Config::parse("mynet", network, args)
}

fn range(subnet: &str, start: &str, end: &str, gateway: &str) -> Range {
    Range::new(
        subnet.parse().unwrap(),
        Some(ip(start)),
        Some(ip(end)),
        Some(ip(gateway)),
    )
    .unwrap()
}

fn set(ranges: Vec<Range>) -> RangeSet {
    RangeSet::new(ranges).unwrap()
}

const SMALL: fn() -> Range = || range("10.1.2.0/24", "10.1.2.9", "10.1.2.20", "10.1.2.30");
const OTHER: fn() -> Range = || range("11.1.2.0/24", "11.1.2.9", "11.1.2.20", "11.1.2.30");

fn small() -> Value {
    json!({"subnet": "10.1.2.0/24", "rangeStart": "10.1.2.9", "rangeEnd": "10.1.2.20", "gateway": "10.1.2.30"})
}

fn other() -> Value {
    json!({"subnet": "11.1.2.0/24", "rangeStart": "11.1.2.9", "rangeEnd": "11.1.2.20", "gateway": "11.1.2.30"})
}

#[test]
fn h21_old_style() {
    let config = parse("0.3.1", small()).unwrap();
    assert_eq!(config.network, "mynet");
    assert_eq!(config.cni_version, "0.3.1");
    assert_eq!(config.range_sets, [set(vec![SMALL()])]);
    assert_eq!(config.data_dir.to_str(), Some("/var/lib/cni/networks"));
    assert_eq!(
        (config.routes, config.resolv_conf, config.requested),
        (vec![], None, vec![])
    );
    let rig = Rig::new();
    assert_eq!(
        add(&rig.config(small()), "id", "eth0").unwrap(),
        ["10.1.2.9/24"]
    );
    assert_eq!(rig.files("mynet")["10.1.2.9"], "id\r\neth0");
}

#[test]
fn h22_new_style() {
    let ranges = json!({"ranges": [[small(), {"subnet": "10.1.4.0/24"}], [other()]]});
    let config = parse("0.3.1", ranges.clone()).unwrap();
    let second = range("10.1.4.0/24", "10.1.4.1", "10.1.4.254", "10.1.4.1");
    assert_eq!(
        config.range_sets,
        [set(vec![SMALL(), second]), set(vec![OTHER()])]
    );
    let rig = Rig::new();
    assert_eq!(
        add(&rig.config(ranges), "id", "eth0").unwrap(),
        ["10.1.2.9/24", "11.1.2.9/24"]
    );
}

#[test]
fn h23_mixed_with_runtime_ranges() {
    let mut ipam = small();
    ipam["ranges"] = json!([[other()]]);
    let runtime = json!({"irrelevant": "a", "ipRanges": [[{"subnet": "12.1.3.0/24"}]]});
    let network =
        json!({"cniVersion": "0.3.1", "name": "mynet", "runtimeConfig": runtime, "ipam": ipam});
    let config = parse_all(&network, "").unwrap();
    let first = range("12.1.3.0/24", "12.1.3.1", "12.1.3.254", "12.1.3.1");
    assert_eq!(
        config.range_sets,
        [set(vec![first]), set(vec![SMALL()]), set(vec![OTHER()])]
    );
    // Runtime ranges alone will do.
    let network = json!({"cniVersion": "0.3.1", "runtimeConfig": runtime, "ipam": {}});
    assert_eq!(parse_all(&network, "").unwrap().range_sets.len(), 1);
}

#[test]
fn h24_cni_args_with_and_without_prefix_length() {
    let network = json!({"cniVersion": "0.3.1", "name": "mynet", "ipam": {"ranges": [[small()]]}});
    for (args, address) in [
        ("IP=10.1.2.10", "10.1.2.10"),
        ("IP=10.1.2.11/24", "10.1.2.11"),
    ] {
        assert_eq!(parse_all(&network, args).unwrap().requested, [ip(address)]);
        let value = args.strip_prefix("IP=");
        assert_eq!(
            Config::parse_with_args_ip("mynet", &network, value)
                .unwrap()
                .requested,
            [ip(address)]
        );
        let rig = Rig::new();
        let network = rig.network("1.0.0", "mynet", json!({"ranges": [[small()]]}));
        let config = parse_all(&network, args).unwrap();
        assert_eq!(
            add(&config, "id", "eth0").unwrap(),
            [format!("{address}/24")]
        );
    }
    let refused = Config::parse_with_args_ip("mynet", &network, Some("10.1.2")).unwrap_err();
    assert_eq!(
        refused.to_string(),
        "CNI_ARGS: IP: \"10.1.2\" is not an IP address"
    );
}

#[test]
fn h25_config_args_with_and_without_prefix_length() {
    let ranges = json!([[small()], [other()], [{"subnet": "2001:db8:1::/64"}]]);
    for (ips, args) in [
        (
            json!(["10.1.2.11", "11.11.11.11", "2001:db8:1::11"]),
            "IP=10.1.2.10",
        ),
        (
            json!(["10.1.2.11/24", "11.11.11.11/24", "2001:db8:1::11/64"]),
            "IP=10.1.2.10/24",
        ),
        (
            json!([
                "10.1.2.11",
                "10.1.2.10",
                "::ffff:11.11.11.11",
                "2001:DB8:1:0::11",
                "10.1.2.11/24"
            ]),
            "IP=10.1.2.10",
        ),
    ] {
        let network = json!({
            "cniVersion": "0.3.1", "name": "mynet", "args": {"cni": {"ips": ips}}, "ipam": {"ranges": ranges},
        });
        let requested = parse_all(&network, args).unwrap().requested;
        assert_eq!(
            requested,
            [
                ip("10.1.2.10"),
                ip("10.1.2.11"),
                ip("11.11.11.11"),
                ip("2001:db8:1::11")
            ]
        );
    }
    let network = json!({"cniVersion": "0.3.1", "args": {"cni": {"ips": ["10.1.2.9", "10.1.2"]}}, "ipam": small()});
    let refused = parse_all(&network, "").unwrap_err();
    assert_eq!(
        refused.to_string(),
        "args.cni.ips[1]: \"10.1.2\" is not an IP address"
    );
}

#[test]
fn h26_overlap_between_sets() {
    let refused = parse(
        "0.3.1",
        json!({"ranges": [
            [{"subnet": "10.1.2.0/24"}, {"subnet": "10.2.2.0/24"}],
            [{"subnet": "10.1.4.0/24"}, {"subnet": "10.1.6.0/24"}, {"subnet": "10.1.8.0/24"}, {"subnet": "10.1.2.0/24"}],
        ]}),
    );
    assert_eq!(
        refused.unwrap_err().to_string(),
        "ipam.ranges[0] overlaps with ipam.ranges[1]: ranges 10.1.2.1-10.1.2.254 and 10.1.2.1-10.1.2.254 share addresses"
    );
    let mut ipam = small();
    ipam["ranges"] = json!([[{"subnet": "10.1.0.0/16"}]]);
    assert_eq!(
        parse("0.3.1", ipam).unwrap_err().to_string(),
        "ipam overlaps with ipam.ranges[0]: ranges 10.1.2.9-10.1.2.20 and 10.1.0.1-10.1.255.254 share addresses"
    );
}

#[test]
fn h26_overlap_in_a_set() {
    let refused = parse(
        "0.3.1",
        json!({"ranges": [[{"subnet": "10.1.0.0/22"}, {"subnet": "10.1.2.0/24"}]]}),
    );
    assert_eq!(
        refused.unwrap_err().to_string(),
        "ipam.ranges[0]: ranges 10.1.0.1-10.1.3.254 and 10.1.2.1-10.1.2.254 overlap"
    );
}

#[test]
fn h27_mixed_families_in_a_set() {
    let refused = parse(
        "0.3.1",
        json!({"ranges": [[{"subnet": "10.1.0.0/22"}, {"subnet": "2001:db8:5::/64"}]]}),
    );
    assert_eq!(
        refused.unwrap_err().to_string(),
        "ipam.ranges[0]: 10.1.0.1-10.1.3.254 and 2001:db8:5::1-2001:db8:5:0:ffff:ffff:ffff:ffff \
         are of different address families in one range set"
    );
}

#[test]
fn h28_too_many_ranges_for_0_2_0() {
    let two = json!({"ranges": [[{"subnet": "10.1.2.0/24"}], [{"subnet": "11.1.2.0/24"}]]});
    let two_of_v6 =
        json!({"ranges": [[{"subnet": "2001:db8:1::/64"}], [{"subnet": "2001:db8:2::/64"}]]});
    for ranges in [&two, &two_of_v6] {
        for version in ["0.2.0", "0.1.0", "", "0.2", "banana"] {
            let refused = parse(version, ranges.clone()).unwrap_err();
            assert_eq!(
                refused,
                ConfigError::TooManyAddresses {
                    version: version.to_owned()
                }
            );
        }
        for version in ["0.3.0", "0.3.1", "0.4.0", "1.0.0", "1.1.0", "0.3"] {
            assert_eq!(
                parse(version, ranges.clone()).unwrap().range_sets.len(),
                2,
                "{version}"
            );
        }
    }
    assert!(
        parse_all(&json!({"ipam": two}), "").is_err(),
        "no version is 0.1.0"
    );
}

#[test]
fn h29_one_v4_and_one_v6_range_for_0_2_0() {
    let ranges = json!({"ranges": [[{"subnet": "10.1.2.0/24"}], [{"subnet": "2001:db8:1::/48"}]]});
    assert_eq!(parse("0.2.0", ranges.clone()).unwrap().range_sets.len(), 2);
    let rig = Rig::new();
    let config = Config::parse("mynet", &rig.network("0.2.0", "mynet", ranges), "").unwrap();
    assert_eq!(
        add(&config, "id", "eth0").unwrap(),
        ["10.1.2.2/24", "2001:db8:1::2/48"]
    );
}

#[test]
fn h30_runtime_ips() {
    let network = json!({
        "cniVersion": "0.3.1", "name": "mynet", "ipam": {"subnet": "10.1.2.0/24"},
        "runtimeConfig": {"ips": ["192.168.0.1", "192.168.0.5/24", "2001:db8::1/64"]},
    });
    let config = parse_all(&network, "").unwrap();
    assert_eq!(
        config.requested,
        [ip("192.168.0.1"), ip("192.168.0.5"), ip("2001:db8::1")]
    );
    let rig = Rig::new();
    let mut network = rig.network("1.0.0", "mynet", json!({"subnet": "10.1.2.0/24"}));
    network["runtimeConfig"] = json!({"ips": ["10.1.2.44/24"]});
    assert_eq!(
        add(&parse_all(&network, "").unwrap(), "id", "eth0").unwrap(),
        ["10.1.2.44/24"]
    );
    network["runtimeConfig"] = json!({"ips": "10.1.2.44"});
    assert_eq!(
        parse_all(&network, "").unwrap_err().to_string(),
        "runtimeConfig.ips: \"10.1.2.44\" is not a list"
    );
}

#[test]
fn keys_match_whatever_their_case_and_null_is_absence_as_upstream_has_it() {
    let network = json!({
        "cniVersion": "1.0.0", "args": null, "runtimeConfig": null,
        "IPAM": {"Subnet": "10.1.2.0/24", "rangestart": "10.1.2.9", "rangeEnd": null, "gateway": "", "routes": null, "dataDir": ""},
    });
    let config = parse_all(&network, "").unwrap();
    assert_eq!(
        config.range_sets,
        [set(vec![range(
            "10.1.2.0/24",
            "10.1.2.9",
            "10.1.2.254",
            "10.1.2.1"
        )])]
    );
    assert_eq!(config.data_dir.to_str(), Some("/var/lib/cni/networks"));
}
