//! berth in a chain: after a plugin that made interfaces or gave addresses, before
//! others, and with a `prevResult` of another version.
#![allow(clippy::unwrap_used, reason = "a test fails by it")]

mod node;

use node::{Node, assert_fails, reach, routed, with};
use serde_json::{Value, json};
use tests::netns::Netns;

/// What a plugin before answered: an interface of its own with an address.
fn previous(pod: &Netns) -> Value {
    json!({
        "cniVersion": "1.0.0",
        "interfaces": [{"name": "host0"}, {"name": "net7", "mac": "02:00:00:00:00:07", "sandbox": pod.path()}],
        "ips": [{"interface": 1, "address": "172.20.0.7/24", "gateway": "172.20.0.1"}],
        "routes": [{"dst": "172.30.0.0/16", "gw": "172.20.0.1"}],
        "dns": {"nameservers": ["172.20.0.1"]},
    })
}

#[test]
fn with_ipam_it_adds_to_what_is_there() {
    let (node, pod) = (Node::new("adds"), Netns::new("pod").unwrap());
    let config = with(routed(), json!({"prevResult": previous(&pod)}));
    let result = node.berth("c1", pod.path(), &config).add().unwrap();
    let before = previous(&pod);
    for at in 0..2 {
        assert_eq!(result["interfaces"][at], before["interfaces"][at]);
    }
    assert_eq!(result["interfaces"][3]["name"], "eth0");
    assert_eq!(result["ips"][0], before["ips"][0]);
    assert_eq!(result["ips"][1]["interface"], 3);
    assert_eq!(result["ips"][1]["address"], "10.77.0.2/32");
    assert_eq!(result["routes"][0], before["routes"][0]);
    assert_eq!(result["dns"], before["dns"]);
    // What CHECK gets is the result of the whole chain, with what came after.
    let mut last = result.clone();
    last["interfaces"]
        .as_array_mut()
        .unwrap()
        .push(json!({"name": "tap9"}));
    node.berth(
        "c1",
        pod.path(),
        &with(routed(), json!({"prevResult": last})),
    )
    .check()
    .unwrap();
}

#[test]
fn without_ipam_it_takes_the_addresses_that_no_interface_has() {
    let (node, pod) = (Node::new("takes"), Netns::new("pod").unwrap());
    let mut before = previous(&pod);
    let ips = before["ips"].as_array_mut().unwrap();
    ips.push(json!({"address": "10.88.0.5/24", "gateway": "10.88.0.1"}));
    before["routes"]
        .as_array_mut()
        .unwrap()
        .push(json!({"dst": "10.99.0.0/16"}));
    let config = with(routed(), json!({"ipam": null, "prevResult": before}));
    let call = node.berth("c1", pod.path(), &config);
    let result = call.add().unwrap();
    assert_eq!(result["ips"].as_array().unwrap().len(), 2, "{result}");
    assert_eq!(result["ips"][1]["address"], "10.88.0.5/32");
    assert_eq!(result["ips"][1]["interface"], 3);
    reach(&node.netns, &pod, "10.88.0.5");
    let checked = with(config.clone(), json!({"prevResult": result}));
    node.berth("c1", pod.path(), &checked).check().unwrap();
    call.del().unwrap();
    node.assert_bare();
}

#[test]
fn a_routed_port_without_any_address_is_refused() {
    let (node, pod) = (Node::new("none"), Netns::new("pod").unwrap());
    let config = with(
        routed(),
        json!({"ipam": null, "prevResult": previous(&pod)}),
    );
    assert_fails(
        &node.berth("c1", pod.path(), &config).call("ADD").unwrap(),
        7,
        &["prevResult", "address"],
    );
    node.assert_bare();
}

#[test]
fn a_previous_result_may_have_another_version_than_the_configuration() {
    let (node, pod) = (Node::new("versions"), Netns::new("pod").unwrap());
    let old = json!({"cniVersion": "0.2.0", "ip4": {"ip": "10.88.0.5/24", "gateway": "10.88.0.1"}});
    let config = with(
        routed(),
        json!({"cniVersion": "1.1.0", "ipam": null, "prevResult": old}),
    );
    let call = node.berth("c1", pod.path(), &config);
    let result = call.add().unwrap();
    assert_eq!(result["cniVersion"], "1.1.0");
    assert_eq!(result["ips"][0]["address"], "10.88.0.5/32");
    assert_eq!(result["ips"][0]["interface"], 1);
    call.del().unwrap();

    let new = json!({"cniVersion": "1.1.0", "ips": [{"address": "10.88.0.5/24"}]});
    let config = with(
        routed(),
        json!({"cniVersion": "0.3.1", "ipam": null, "prevResult": new}),
    );
    let result = node.berth("c1", pod.path(), &config).add().unwrap();
    assert_eq!(result["cniVersion"], "0.3.1");
    assert_eq!(result["ips"][0]["version"], "4");
}
