//! `ipMasq`: as whom the world sees a pod, and that rules come and go with pods.
#![allow(clippy::unwrap_used, reason = "a test fails by it")]

mod node;

use node::{Node, assert_fails, routed, seen_as, with};
use serde_json::{Value, json};
use tests::netns::Netns;

fn config() -> Value {
    let ranges = json!([[{"subnet": "10.77.0.0/24"}], [{"subnet": "fd77::/64"}]]);
    with(
        routed(),
        json!({"ipMasq": true, "ipam": {"type": "berth-ipam", "ranges": ranges}}),
    )
}

/// A world beyond the node, at 198.51.100.2 and 2001:db8:1::2, with a way back to
/// the pods, so that an answer alone proves nothing about masquerade.
fn world(node: &Node) -> Netns {
    let world = Netns::new("world").unwrap();
    let script = format!(
        "ip link add up0 type veth peer name eth0 netns {name}; \
         ip addr add 198.51.100.1/24 dev up0; ip addr add 2001:db8:1::1/64 dev up0 nodad; ip link set up0 up",
        name = "/proc/self/fd/9",
    );
    // iproute2 takes a namespace by path when it has a slash in it.
    node.netns
        .sh(&format!("exec 9<{}; {script}", world.path().display()))
        .unwrap();
    world
        .sh("ip addr add 198.51.100.2/24 dev eth0; ip addr add 2001:db8:1::2/64 dev eth0 nodad; ip link set eth0 up; \
             ip route add default via 198.51.100.1; ip route add default via 2001:db8:1::1")
        .unwrap();
    world
}

fn tables(node: &Node) -> String {
    node.netns.output("nft", ["list", "ruleset"]).unwrap()
}

fn ips(result: &Value) -> Vec<String> {
    let ips = result["ips"].as_array().unwrap().iter();
    ips.map(|ip| {
        ip["address"]
            .as_str()
            .unwrap()
            .split('/')
            .next()
            .unwrap()
            .to_owned()
    })
    .collect()
}

#[test]
fn the_world_sees_the_node_and_pods_see_each_other() {
    let node = Node::new("masq");
    let world = world(&node);
    let pods = [Netns::new("a").unwrap(), Netns::new("b").unwrap()];
    let calls = [
        node.berth("a", pods[0].path(), &config()),
        node.berth("b", pods[1].path(), &config()),
    ];
    let results = calls.each_ref().map(|call| ips(&call.add().unwrap()));
    assert_eq!(
        seen_as(&pods[0], &world, "198.51.100.2").to_string(),
        "198.51.100.1"
    );
    assert_eq!(
        seen_as(&pods[1], &world, "2001:db8:1::2").to_string(),
        "2001:db8:1::1"
    );
    assert_eq!(
        seen_as(&pods[0], &pods[1], &results[1][0]).to_string(),
        results[0][0]
    );
    assert_eq!(
        seen_as(&pods[0], &pods[1], &results[1][1]).to_string(),
        results[0][1]
    );

    calls[0].del().unwrap();
    let rules = tables(&node);
    assert!(
        !rules.contains(&format!("{} comment", results[0][0])),
        "{rules}"
    );
    assert!(
        rules.contains(&format!("{} comment", results[1][0])),
        "{rules}"
    );
    assert_eq!(
        seen_as(&pods[1], &world, "198.51.100.2").to_string(),
        "198.51.100.1"
    );
    calls[1].del().unwrap();
    assert_eq!(tables(&node), "");
}

#[test]
fn without_it_the_world_sees_the_pod() {
    let node = Node::new("plain");
    let world = world(&node);
    let pod = Netns::new("pod").unwrap();
    let call = node.berth("c1", pod.path(), &routed());
    let result = call.add().unwrap();
    assert_eq!(
        seen_as(&pod, &world, "198.51.100.2").to_string(),
        ips(&result)[0]
    );
    assert_eq!(tables(&node), "");
}

#[test]
fn what_a_packet_costs_does_not_grow_with_pods() {
    let node = Node::new("constant");
    let rules_with = |count: usize| {
        let pods: Vec<Netns> = (0..count).map(|_| Netns::new("pod").unwrap()).collect();
        for (number, pod) in pods.iter().enumerate() {
            node.berth(&format!("c{number}"), pod.path(), &config())
                .add()
                .unwrap();
        }
        let listed = node
            .netns
            .output("nft", ["-j", "list", "table", "inet", "berth"])
            .unwrap();
        let listed: Value = serde_json::from_str(&listed).unwrap();
        let items = listed["nftables"].as_array().unwrap();
        let rules = items
            .iter()
            .filter(|item| item.get("rule").is_some())
            .count();
        for (number, pod) in pods.iter().enumerate() {
            node.berth(&format!("c{number}"), pod.path(), &config())
                .del()
                .unwrap();
        }
        rules
    };
    assert_eq!(rules_with(1), rules_with(4));
    assert_eq!(tables(&node), "");
}

#[test]
fn foreign_rules_and_tables_stay() {
    let node = Node::new("foreign");
    node.netns
        .sh("nft add table inet other; nft add table inet berth; nft add chain inet berth services")
        .unwrap();
    let before = tables(&node);
    let pod = Netns::new("pod").unwrap();
    let call = node.berth("c1", pod.path(), &config());
    call.add().unwrap();
    assert!(tables(&node).contains("masquerade"));
    call.del().unwrap();
    let after = tables(&node);
    assert!(
        after.contains("table inet other") && after.contains("chain services"),
        "{before}\n{after}"
    );
    assert!(!after.contains("comment"), "{after}");
}

#[test]
fn del_without_record_and_check_know_the_rules() {
    let (node, pod) = (Node::new("record"), Netns::new("pod").unwrap());
    let call = node.berth("c1", pod.path(), &config());
    let result = call.add().unwrap();
    let check = node.berth(
        "c1",
        pod.path(),
        &with(config(), json!({"prevResult": result})),
    );
    check.check().unwrap();
    node.netns
        .sh("nft flush map inet berth masquerade-ip4")
        .unwrap();
    assert_fails(&check.call("CHECK").unwrap(), 102, &["masquerade"]);
    std::fs::remove_file(node.state().join("attachments/c1.eth0.json")).unwrap();
    call.del().unwrap();
    assert_eq!(tables(&node), "");
    node.assert_bare();
}

#[test]
fn an_address_that_a_former_pod_left_in_the_map_gets_its_new_owner() {
    let (node, pod) = (Node::new("former"), Netns::new("pod").unwrap());
    let call = node.berth("c1", pod.path(), &config());
    let first = ips(&call.add().unwrap())[0].clone();
    // The node lost everything but the rules: records and leases are gone.
    std::fs::remove_dir_all(node.state()).unwrap();
    std::fs::remove_dir_all(node.leases()).unwrap();
    let other = Netns::new("other").unwrap();
    let mut wide = config();
    wide["runtimeConfig"] = json!({"ips": [first]});
    wide["ipam"]["ranges"][0][0]["subnet"] = json!("10.77.0.0/16");
    let second = node.berth("c2", other.path(), &wide);
    assert_eq!(ips(&second.add().unwrap())[0], first);
    call.del().unwrap();
    assert!(
        tables(&node).contains(&format!("{first} comment")),
        "{}",
        tables(&node)
    );
    second.del().unwrap();
    assert_eq!(tables(&node), "");
}
