//! What records come of which configurations and addresses.

use std::path::PathBuf;

use attachment::record::{Datapath, SwitchPort};
use serde_json::{Value, json};

use super::*;
use crate::field::Field;
use crate::request::{Environment, Verb};
use crate::version::SpecVersion;

fn request(keys: Value) -> Request {
    let mut config = json!({"cniVersion": "1.0.0", "name": "pods", "ipam": {"type": "berth-ipam"}});
    for (key, value) in keys.as_object().unwrap() {
        config[key] = value.clone();
    }
    let environment: Environment = [
        ("CNI_CONTAINERID", "c1"),
        ("CNI_NETNS", "/run/netns/c1"),
        ("CNI_IFNAME", "eth0"),
        ("CNI_PATH", "/bin"),
    ]
    .into_iter()
    .map(|(key, value)| (key.to_owned(), value.into()))
    .collect();
    Request::parse(Verb::Add, &environment, config.to_string().as_bytes()).unwrap()
}

fn allocated() -> CniResult {
    let value = json!({
        "ips": [{"address": "10.1.0.5/24", "gateway": "10.1.0.1"}, {"address": "fd00::5/64"}],
        "routes": [{"dst": "192.168.0.0/16"}, {"dst": "10.9.0.0/16", "gw": "10.1.0.9", "mtu": 1400}],
    });
    CniResult::from_field(&Field::at("ipam", Some(&value)), SpecVersion::V1_1_0).unwrap()
}

fn build(keys: Value, port: Port) -> Result<Attachment, Error> {
    let request = request(keys);
    let config = Config::parse(&request).unwrap();
    let netns = NetnsRef {
        path: PathBuf::from("/run/netns/c1"),
        dev: 1,
        inode: 2,
    };
    record(&request, &config, netns, port, &allocated())
}

fn switch() -> Port {
    Port::Veth(SwitchPort::new("/db.sock", "br0", Datapath::Userspace))
}

fn routes_of(record: &Attachment) -> Vec<String> {
    let text = |route: &Route| match route.gateway {
        Some(gateway) => format!("{} via {gateway}", route.dst),
        None => route.dst.to_string(),
    };
    record.routes.iter().map(text).collect()
}

#[test]
fn routes_go_through_the_gateway_of_their_family_unless_they_name_one() {
    let record = build(json!({"bridge": "br0"}), switch()).unwrap();
    assert_eq!(
        routes_of(&record),
        ["192.168.0.0/16 via 10.1.0.1", "10.9.0.0/16 via 10.1.0.9"]
    );
    assert_eq!(record.routes[1].mtu, Some(1400));
    assert!(record.port.switch().unwrap().gateways.is_empty());
}

#[test]
fn a_default_gateway_gives_each_family_a_default_route_and_the_bridge_its_addresses() {
    let record = build(json!({"bridge": "br0", "isDefaultGateway": true}), switch()).unwrap();
    assert_eq!(
        routes_of(&record)[2..],
        ["0.0.0.0/0 via 10.1.0.1", "::/0 via fd00::1"]
    );
    let gateways: Vec<String> = record
        .port
        .switch()
        .unwrap()
        .gateways
        .iter()
        .map(ToString::to_string)
        .collect();
    assert_eq!(gateways, ["10.1.0.1/24", "fd00::1/64"]);
}

#[test]
fn masquerade_covers_every_address_within_its_subnet() {
    let record = build(json!({"bridge": "br0", "ipMasq": true}), switch()).unwrap();
    let text: Vec<String> = record
        .masquerade
        .iter()
        .map(|one| format!("{} in {}", one.address, one.network))
        .collect();
    assert_eq!(text, ["10.1.0.5 in 10.1.0.0/24", "fd00::5 in fd00::/64"]);
}

#[test]
fn the_mac_is_the_one_asked_for_or_always_the_same() {
    let one = build(json!({"bridge": "br0"}), switch()).unwrap();
    let two = build(json!({"bridge": "br0"}), switch()).unwrap();
    assert_eq!(one.mac, two.mac);
    assert!(one.mac.is_unicast());
    assert_ne!(one.mac, attachment::names::host_mac("c1", "eth0"));
    let asked = json!({"bridge": "br0", "runtimeConfig": {"mac": "02:00:00:00:00:07"}});
    assert_eq!(
        build(asked, switch()).unwrap().mac.to_string(),
        "02:00:00:00:00:07"
    );
}

#[test]
fn an_mtu_that_would_turn_ipv6_off_is_refused() {
    let error = build(json!({"bridge": "br0", "mtu": 1200}), switch()).unwrap_err();
    assert_eq!(error.code(), 7);
    assert!(error.to_string().contains("1200"), "{error}");
}
