//! Tables of configurations that are accepted, and of those that are not.

use serde_json::{Value, json};

use super::*;
use crate::request::{Environment, Verb};

/// A request with the given keys put over a valid routed configuration.
fn request(keys: Value, args: &str) -> Request {
    let mut config = json!({
        "cniVersion": "1.0.0", "name": "pods", "type": "berth",
        "ipam": {"type": "berth-ipam"},
    });
    for (key, value) in keys.as_object().unwrap() {
        config[key] = value.clone();
    }
    let environment: Environment = [
        ("CNI_CONTAINERID", "c1"),
        ("CNI_NETNS", "/run/netns/c1"),
        ("CNI_IFNAME", "eth0"),
        ("CNI_PATH", "/opt/cni/bin"),
        ("CNI_ARGS", args),
    ]
    .into_iter()
    .map(|(key, value)| (key.to_owned(), value.into()))
    .collect();
    Request::parse(Verb::Add, &environment, config.to_string().as_bytes()).unwrap()
}

fn parse(keys: Value) -> Result<Config, Error> {
    Config::parse(&request(keys, ""))
}

#[test]
fn defaults_are_those_of_the_contract() {
    let config = parse(json!({})).unwrap();
    assert_eq!(config.places.state_dir, PathBuf::from("/run/berth"));
    assert_eq!(
        config.places.socket_file,
        PathBuf::from("/run/openvswitch/db.sock")
    );
    assert_eq!(config.switch, None);
    assert_eq!(config.gateway, Gateway::Elsewhere);
    assert_eq!(
        (config.mtu, config.ip_masq, config.mac),
        (None, false, None)
    );
    assert_eq!(config.ipam, IpamSource::InProcess);
}

#[test]
fn a_switch_is_read_with_all_its_keys() {
    let config = parse(json!({
        "bridge": "br0", "port": "bond", "vlan": 7, "ofport_request": 12,
        "trunk": [{"id": 9}, {"minID": 3, "maxID": 5}, {"id": 4}],
        "isGateway": true, "mtu": 1400,
    }))
    .unwrap();
    assert_eq!(
        config.switch,
        Some(SwitchConfig {
            bridge: "br0".into(),
            port: PortChoice::Bond,
            vlan: Some(7),
            trunks: vec![3, 4, 5, 9],
            ofport_request: Some(12),
        })
    );
    assert_eq!(config.gateway, Gateway::Bridge);
    assert_eq!(config.mtu, Some(1400));
}

#[test]
fn a_wrong_value_names_its_key() {
    let cases = [
        (json!({"bridge": 1}), "bridge"),
        (json!({"bridge": "a/b"}), "bridge"),
        (json!({"bridge": "longer-than-15-b"}), "bridge"),
        (json!({"bridge": "br0", "port": "tap"}), "port"),
        (json!({"port": "rename"}), "port"),
        (json!({"vlan": 5}), "vlan"),
        (json!({"bridge": "br0", "vlan": 4095}), "vlan"),
        (json!({"bridge": "br0", "vlan": -1}), "vlan"),
        (json!({"bridge": "br0", "vlan": "5"}), "vlan"),
        (json!({"bridge": "br0", "trunk": 5}), "trunk"),
        (json!({"bridge": "br0", "trunk": [{}]}), "trunk[0]"),
        (
            json!({"bridge": "br0", "trunk": [{"id": 4096}]}),
            "trunk[0].id",
        ),
        (
            json!({"bridge": "br0", "trunk": [{"minID": 1}]}),
            "trunk[0]",
        ),
        (
            json!({"bridge": "br0", "trunk": [{"id": 1, "maxID": 2}]}),
            "trunk[0]",
        ),
        (
            json!({"bridge": "br0", "trunk": [{"minID": 3, "maxID": 2}]}),
            "trunk[0].maxID",
        ),
        (
            json!({"bridge": "br0", "ofport_request": 0}),
            "ofport_request",
        ),
        (
            json!({"bridge": "br0", "ofport_request": 65280}),
            "ofport_request",
        ),
        (json!({"socket_file": "db.sock"}), "socket_file"),
        (json!({"stateDir": true}), "stateDir"),
        (json!({"bpfDir": 1}), "bpfDir"),
        (json!({"isGateway": "yes"}), "isGateway"),
        (json!({"isDefaultGateway": 1}), "isDefaultGateway"),
        (json!({"mtu": 67}), "mtu"),
        (json!({"mtu": 65536}), "mtu"),
        (json!({"mtu": "1500"}), "mtu"),
        (json!({"ipMasq": "true"}), "ipMasq"),
        (json!({"ipMasqBackend": "iptables"}), "ipMasqBackend"),
        (json!({"ipMasqBackend": 1}), "ipMasqBackend"),
        (json!({"ipam": null}), "ipam"),
        (json!({"ipam": "berth-ipam"}), "ipam"),
        (json!({"ipam": {}}), "ipam.type"),
        (json!({"ipam": {"type": 1}}), "ipam.type"),
        (json!({"ipam": {"type": "../sh"}}), "ipam.type"),
        (json!({"dns": {"nameservers": [1]}}), "dns.nameservers[0]"),
        (json!({"dns": []}), "dns"),
        (json!({"runtimeConfig": []}), "runtimeConfig"),
        (json!({"runtimeConfig": {"mac": "x"}}), "runtimeConfig.mac"),
        (
            json!({"runtimeConfig": {"mac": "01:00:5e:00:00:01"}}),
            "runtimeConfig.mac",
        ),
        (
            json!({"runtimeConfig": {"mac": "00:00:00:00:00:00"}}),
            "runtimeConfig.mac",
        ),
        (
            json!({"runtimeConfig": {"ips": "10.0.0.1"}}),
            "runtimeConfig.ips",
        ),
        (
            json!({"runtimeConfig": {"ipRanges": [{}]}}),
            "runtimeConfig.ipRanges[0]",
        ),
        (
            json!({"runtimeConfig": {"bandwidth": {"egressRate": -1}}}),
            "runtimeConfig.bandwidth.egressRate",
        ),
        (
            json!({"runtimeConfig": {"portMappings": [{"hostPort": 1}]}}),
            "runtimeConfig.portMappings[0].containerPort",
        ),
        (
            json!({"runtimeConfig": {"portMappings": [{"hostPort": 70000, "containerPort": 1}]}}),
            "runtimeConfig.portMappings[0].hostPort",
        ),
        (
            json!({"runtimeConfig": {"portMappings": [{"hostPort": 1, "containerPort": 1, "protocol": "icmp"}]}}),
            "runtimeConfig.portMappings[0].protocol",
        ),
        (
            json!({"runtimeConfig": {"portMappings": [{"hostPort": 1, "containerPort": 1, "hostIP": "h"}]}}),
            "runtimeConfig.portMappings[0].hostIP",
        ),
        (
            json!({"runtimeConfig": {"dns": {"servers": "x"}}}),
            "runtimeConfig.dns.servers",
        ),
        (json!({"args": {"cni": {"mac": 1}}}), "args.cni.mac"),
        (json!({"args": 1}), "args"),
        (json!({"prevResult": 1}), "prevResult"),
    ];
    for (keys, key) in cases {
        match parse(keys.clone()) {
            Err(Error::Field(error)) => assert_eq!(error.key, key, "{keys}"),
            other => panic!("{keys}: {other:?}"),
        }
    }
}

#[test]
fn unknown_keys_and_nulls_are_no_error() {
    parse(json!({"foo": 1, "bridge": null, "runtimeConfig": {"foo": 1, "mac": null}})).unwrap();
}

#[test]
fn the_mac_comes_from_the_most_specific_place() {
    let from_args = "MAC=02:00:00:00:00:03";
    let mac = |keys: Value, args: &str| {
        let config = Config::parse(&request(keys, args)).unwrap();
        config.mac.map(|mac| mac.to_string())
    };
    let one = json!({"mac": "02:00:00:00:00:01"});
    let two = json!({"cni": {"mac": "02:00:00:00:00:02"}});
    assert_eq!(
        mac(json!({"runtimeConfig": one, "args": two}), from_args).as_deref(),
        Some("02:00:00:00:00:01")
    );
    assert_eq!(
        mac(json!({"args": two}), from_args).as_deref(),
        Some("02:00:00:00:00:02")
    );
    assert_eq!(
        mac(json!({}), from_args).as_deref(),
        Some("02:00:00:00:00:03")
    );
    assert_eq!(mac(json!({}), ""), None);
    assert!(matches!(
        Config::parse(&request(json!({}), "MAC=zz")),
        Err(Error::Environment(_))
    ));
}

#[test]
fn addresses_may_come_from_the_plugin_before() {
    let previous = json!({"cniVersion": "1.0.0", "ips": [{"address": "10.0.0.2/24"}]});
    let config = parse(json!({"ipam": null, "prevResult": previous})).unwrap();
    assert_eq!(config.ipam, IpamSource::PrevResult);
    let config = parse(json!({"ipam": {"type": "dhcp"}, "prevResult": previous})).unwrap();
    assert_eq!(config.ipam, IpamSource::Delegate("dhcp".into()));
}

#[test]
fn clean_up_reads_little_and_forgives_much() {
    let request = request(
        json!({"mtu": "x", "vlan": -1, "prevResult": 5, "dns": 1, "ipam": null, "bridge": "b"}),
        "",
    );
    let cleanup = Cleanup::parse(&request).unwrap();
    assert_eq!((cleanup.ipam, cleanup.on_switch), (None, true));
}

#[test]
fn the_pod_is_known_from_cni_args() {
    let args = "IgnoreUnknown=1;K8S_POD_NAMESPACE=ns;K8S_POD_NAME=web;K8S_POD_UID=u";
    let config = Config::parse(&request(json!({}), args)).unwrap();
    let pod = config.pod.unwrap();
    assert_eq!(
        (pod.namespace.as_str(), pod.name.as_str(), pod.uid.as_str()),
        ("ns", "web", "u")
    );
}
