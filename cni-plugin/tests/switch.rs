//! Ports of a real Open vSwitch: the row, packets through the bridge, the gateway,
//! and what is answered when the switch or its bridge is away.
#![allow(clippy::unwrap_used, reason = "a test fails by it")]

mod node;

use node::{Node, assert_fails, reach, routed, with};
use serde_json::{Value, json};
use tests::leftovers::Leftovers;
use tests::netns::Netns;
use tests::ovs::{Datapath, Ovs};

/// The strategies of the userspace datapath; a bond needs a kernel with bonding, and
/// has its scenarios in the VM.
const STRATEGIES: [&str; 4] = ["veth", "rename", "macvlan", "auto"];

fn switch(node: &Node) -> Ovs {
    let ovs = Ovs::start(&node.netns, Datapath::Userspace).unwrap();
    ovs.add_bridge("br0").unwrap();
    ovs
}

fn config(ovs: &Ovs, port: &str) -> Value {
    with(
        routed(),
        json!({"bridge": "br0", "port": port, "socket_file": ovs.socket()}),
    )
}

fn address(result: &Value) -> String {
    let text = result["ips"][0]["address"].as_str().unwrap();
    text.split('/').next().unwrap().to_owned()
}

#[test]
fn two_pods_of_each_strategy_reach_each_other_and_leave_nothing() {
    let node = Node::new("switch");
    let ovs = switch(&node);
    let guard = Leftovers::new()
        .netns(&node.netns)
        .unwrap()
        .switch(&ovs)
        .unwrap();
    for strategy in STRATEGIES {
        let pods = [Netns::new("a").unwrap(), Netns::new("b").unwrap()];
        let config = config(&ovs, strategy);
        let calls = [
            node.berth("a", pods[0].path(), &config),
            node.berth("b", pods[1].path(), &config),
        ];
        let results = calls.each_ref().map(|call| call.add().unwrap());
        reach(&pods[0], &pods[1], &address(&results[1]));
        reach(&pods[1], &pods[0], &address(&results[0]));
        let interfaces = results[0]["interfaces"].as_array().unwrap();
        assert_eq!(interfaces[0]["name"], "br0", "{strategy}");
        assert_eq!(interfaces.last().unwrap()["name"], "eth0", "{strategy}");
        assert_eq!(
            results[0]["ips"][0]["interface"],
            interfaces.len() - 1,
            "{strategy}"
        );
        assert_eq!(results[0]["ips"][0]["gateway"], "10.77.0.1");
        for (call, result) in calls.iter().zip(&results) {
            let checked = with(config.clone(), json!({"prevResult": result}));
            call.clone().config(&node.placed(&checked)).check().unwrap();
        }
        for call in &calls {
            call.del().unwrap();
            call.del().unwrap();
        }
        assert!(node::links(&pods[0]).is_empty(), "{strategy}");
        guard.check().unwrap();
        assert!(node.records().is_empty() && node.leased("pods").is_empty());
    }
}

#[test]
fn a_port_has_its_vlan_trunks_number_and_owner() {
    let (node, pod) = (Node::new("vlan"), Netns::new("pod").unwrap());
    let ovs = switch(&node);
    let keys = json!({
        "vlan": 7, "trunk": [{"id": 9}, {"minID": 20, "maxID": 22}], "ofport_request": 33, "mtu": 1400,
        "runtimeConfig": {"mac": "02:11:22:33:44:55"},
    });
    let call = node
        .berth("c1", pod.path(), &with(config(&ovs, "rename"), keys))
        .env(
            "CNI_ARGS",
            "K8S_POD_NAMESPACE=ns;K8S_POD_NAME=web;IgnoreUnknown=1",
        );
    call.add().unwrap();
    let name = ovs.vsctl(&["list-ports", "br0"]).unwrap();
    let column = |table: &str, column: &str| ovs.vsctl(&["get", table, &name, column]).unwrap();
    assert_eq!(column("port", "tag"), "7");
    assert_eq!(column("port", "trunks"), "[9, 20, 21, 22]");
    assert_eq!(column("interface", "ofport"), "33");
    assert_eq!(column("interface", "external_ids:iface-id"), "web.ns");
    assert_eq!(
        column("interface", "external_ids:attached-mac"),
        "\"02:11:22:33:44:55\""
    );
    assert_eq!(pod.ip_json("link show eth0").unwrap()[0]["mtu"], 1400);
}

#[test]
fn the_bridge_becomes_the_gateway() {
    let (node, pod) = (Node::new("gateway"), Netns::new("pod").unwrap());
    let ovs = switch(&node);
    let ranges = json!([[{"subnet": "10.77.0.0/24"}], [{"subnet": "fd77::/64"}]]);
    let keys = json!({"isDefaultGateway": true, "ipam": {"type": "berth-ipam", "ranges": ranges}});
    let call = node.berth("c1", pod.path(), &with(config(&ovs, "veth"), keys));
    let result = call.add().unwrap();
    let routes: Vec<&str> = result["routes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|route| route["gw"].as_str().unwrap())
        .collect();
    assert_eq!(routes, ["10.77.0.1", "fd77::1"]);
    // Past the bridge, which only a default route and forwarding make possible.
    reach(&pod, &node.netns, "192.0.2.10");
    reach(&pod, &node.netns, "2001:db8::10");
    assert_eq!(
        node.netns
            .output("cat", ["/proc/sys/net/ipv4/ip_forward"])
            .unwrap(),
        "1"
    );
    call.del().unwrap();
}

#[test]
fn a_bridge_that_does_not_exist_is_error_7() {
    let (node, pod) = (Node::new("nobridge"), Netns::new("pod").unwrap());
    let ovs = switch(&node);
    let config = with(
        config(&ovs, "auto"),
        json!({"bridge": "br9", "cniVersion": "1.1.0"}),
    );
    let call = node.berth("c1", pod.path(), &config);
    assert_fails(&call.call("ADD").unwrap(), 7, &["bridge", "br9"]);
    assert_fails(&call.call("STATUS").unwrap(), 50, &["br9"]);
    assert!(node.records().is_empty() && node.leased("pods").is_empty());
    call.del().unwrap();
}

#[test]
fn a_route_that_the_kernel_refuses_takes_the_port_back() {
    let node = Node::new("route");
    let ovs = switch(&node);
    let guard = Leftovers::new()
        .netns(&node.netns)
        .unwrap()
        .switch(&ovs)
        .unwrap();
    for strategy in STRATEGIES {
        let pod = Netns::new("pod").unwrap();
        let mut config = config(&ovs, strategy);
        config["ipam"]["routes"] = json!([{"dst": "10.1.0.0/16", "gw": "203.0.113.1"}]);
        let answer = node.berth("c1", pod.path(), &config).call("ADD").unwrap();
        assert_fails(&answer, 999, &["10.1.0.0/16", "unreachable"]);
        guard.check().unwrap();
        assert!(node::links(&pod).is_empty(), "{strategy}");
        assert!(node.records().is_empty() && node.leased("pods").is_empty());
    }
}

#[test]
fn a_database_that_is_away_is_error_11_and_does_not_hold_a_pod_back() {
    let (node, pod) = (Node::new("away"), Netns::new("pod").unwrap());
    let mut ovs = switch(&node);
    let config = config(&ovs, "veth");
    let call = node.berth("c1", pod.path(), &config);
    let result = call.add().unwrap();
    ovs.stop_ovsdb();
    let check = with(config.clone(), json!({"prevResult": result}));
    let answer = node.berth("c1", pod.path(), &check).call("CHECK").unwrap();
    assert_fails(&answer, 11, &["OVSDB does not answer"]);
    let other = Netns::new("other").unwrap();
    let second = node.berth("c2", other.path(), &config);
    assert_fails(&second.call("ADD").unwrap(), 11, &["db.sock"]);
    assert!(node::links(&other).is_empty());
    assert_eq!((node.records().len(), node.leased("pods").len()), (1, 1));
    second.del().unwrap();
    // The record tells whoever comes later what is still to be removed.
    call.del().unwrap();
    assert!(node::links(&pod).is_empty() && node.leased("pods").is_empty());
    let record = std::fs::read_to_string(node.state().join("attachments/c1.eth0.json")).unwrap();
    assert!(record.contains("\"deleting\""), "{record}");
    ovs.start_ovsdb().unwrap();
    call.del().unwrap();
    assert_eq!(ovs.vsctl(&["list-ports", "br0"]).unwrap(), "");
    assert!(node.records().is_empty());
}

#[test]
fn a_port_of_somebody_else_is_named_and_left() {
    let (node, pod) = (Node::new("foreign"), Netns::new("pod").unwrap());
    let ovs = switch(&node);
    let config = config(&ovs, "rename");
    let call = node.berth("c1", pod.path(), &config);
    call.add().unwrap();
    let name = ovs.vsctl(&["list-ports", "br0"]).unwrap();
    call.del().unwrap();
    ovs.vsctl(&[
        "add-port",
        "br0",
        &name,
        "--",
        "set",
        "interface",
        &name,
        "type=internal",
    ])
    .unwrap();
    assert_fails(&call.call("ADD").unwrap(), 100, &[&name]);
    call.del().unwrap();
    assert_eq!(ovs.vsctl(&["list-ports", "br0"]).unwrap(), name);
    assert!(node.records().is_empty() && node.leased("pods").is_empty());
}

#[test]
fn gc_removes_ports_that_have_lost_their_record() {
    let node = Node::new("gc");
    let ovs = switch(&node);
    let pods = [Netns::new("a").unwrap(), Netns::new("b").unwrap()];
    let config = with(config(&ovs, "veth"), json!({"cniVersion": "1.1.0"}));
    for (id, pod) in ["a", "b"].iter().zip(&pods) {
        node.berth(id, pod.path(), &config).add().unwrap();
    }
    std::fs::remove_file(node.state().join("attachments/a.eth0.json")).unwrap();
    let valid = json!([{"containerID": "b", "ifname": "eth0"}]);
    let gc = with(config, json!({"cni.dev/valid-attachments": valid}));
    node.berth("x", pods[0].path(), &gc).gc().unwrap();
    let ports = ovs.vsctl(&["list-ports", "br0"]).unwrap();
    assert_eq!(ports.lines().count(), 1, "{ports}");
    assert_eq!(
        ovs.vsctl(&["get", "interface", &ports, "external_ids:berth-container"])
            .unwrap(),
        "b"
    );
    assert_eq!(node.leased("pods"), ["10.77.0.3"]);
}

#[test]
fn a_dead_vswitchd_does_not_hold_a_pod_back() {
    let node = Node::new("dead");
    let mut ovs = switch(&node);
    let guard = Leftovers::new()
        .netns(&node.netns)
        .unwrap()
        .switch(&ovs)
        .unwrap();
    let pods = STRATEGIES.map(|strategy| (Netns::new(strategy).unwrap(), config(&ovs, strategy)));
    for (number, (pod, config)) in pods.iter().enumerate() {
        node.berth(&format!("c{number}"), pod.path(), config)
            .add()
            .unwrap();
    }
    ovs.kill_vswitchd().unwrap();
    for (number, (pod, config)) in pods.iter().enumerate() {
        node.berth(&format!("c{number}"), pod.path(), config)
            .del()
            .unwrap();
        assert!(node::links(pod).is_empty(), "{config}");
    }
    assert!(node.records().is_empty() && node.leased("pods").is_empty());
    ovs.start_vswitchd().unwrap();
    guard.check().unwrap();
}
