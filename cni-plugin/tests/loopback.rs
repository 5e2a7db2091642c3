//! The plugin `loopback`: every version, CHECK, a result that passes through.
#![allow(clippy::unwrap_used, reason = "a test fails by it")]

mod node;

use node::{Node, assert_fails};
use serde_json::{Value, json};
use tests::netns::Netns;

fn is_up(pod: &Netns) -> bool {
    let listed = pod.ip_json("link show lo").unwrap();
    listed[0]["flags"]
        .as_array()
        .unwrap()
        .contains(&json!("UP"))
}

fn config(version: &str) -> Value {
    json!({"cniVersion": version, "name": "lo", "type": "loopback"})
}

#[test]
fn lo_goes_up_and_down_in_every_version() {
    let (node, pod) = (Node::new("lo"), Netns::new("pod").unwrap());
    for version in [
        "0.1.0", "0.2.0", "0.3.0", "0.3.1", "0.4.0", "1.0.0", "1.1.0",
    ] {
        pod.output("ip", ["link", "set", "lo", "down"]).unwrap();
        let plugin = node.plugin("loopback", "c1", pod.path(), &config(version));
        let result = plugin.add().unwrap();
        assert!(is_up(&pod), "{version}");
        assert_eq!(result["cniVersion"], version);
        match version {
            "0.1.0" | "0.2.0" => assert_eq!(result["ip4"]["ip"], "127.0.0.1/8"),
            _ => {
                assert_eq!(result["interfaces"][0]["name"], "lo");
                assert_eq!(result["interfaces"][0]["sandbox"], json!(pod.path()));
                assert_eq!(result["ips"][0]["address"], "127.0.0.1/8");
                assert_eq!(result["ips"][0]["interface"], 0);
            }
        }
        plugin.del().unwrap();
        assert!(!is_up(&pod), "{version}");
        plugin.del().unwrap();
    }
}

#[test]
fn check_looks_at_lo() {
    let (node, pod) = (Node::new("lo"), Netns::new("pod").unwrap());
    let plugin = node.plugin("loopback", "c1", pod.path(), &config("1.0.0"));
    plugin.add().unwrap();
    plugin.check().unwrap();
    pod.output("ip", ["link", "set", "lo", "down"]).unwrap();
    assert_fails(&plugin.call("CHECK").unwrap(), 102, &["lo", "down"]);
}

#[test]
fn a_previous_result_passes_through() {
    let (node, pod) = (Node::new("lo"), Netns::new("pod").unwrap());
    let previous = json!({
        "cniVersion": "1.0.0",
        "interfaces": [{"name": "eth0", "mac": "02:00:00:00:00:01", "sandbox": pod.path()}],
        "ips": [{"interface": 0, "address": "10.0.0.2/24", "gateway": "10.0.0.1"}],
        "routes": [{"dst": "0.0.0.0/0"}],
        "dns": {"nameservers": ["10.0.0.1"]},
    });
    let mut config = config("1.0.0");
    config["prevResult"] = previous.clone();
    let result = node
        .plugin("loopback", "c1", pod.path(), &config)
        .add()
        .unwrap();
    assert_eq!(result, previous);
}

#[test]
fn the_plugins_own_lo_is_left_alone() {
    let (node, pod) = (Node::new("lo"), Netns::new("pod").unwrap());
    let plugin = node.plugin("loopback", "c1", pod.path(), &config("1.0.0"));
    let own = plugin.env("CNI_NETNS", node.netns.path());
    for verb in ["ADD", "DEL"] {
        assert_fails(&own.call(verb).unwrap(), 8, &["own network namespace"]);
    }
    assert!(is_up(&node.netns));
    own.env("CNI_NETNS_OVERRIDE", "1").add().unwrap();
    node.plugin("loopback", "c1", &pod.path().join("gone"), &config("1.0.0"))
        .del()
        .unwrap();
}
