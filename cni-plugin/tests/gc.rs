//! GC and STATUS: what is removed for which list, and when a node is not ready.
#![allow(clippy::unwrap_used, reason = "a test fails by it")]

mod node;

use node::{Node, assert_fails, reach, routed, with};
use serde_json::{Value, json};
use tests::netns::Netns;

fn config() -> Value {
    with(routed(), json!({"cniVersion": "1.1.0", "ipMasq": true}))
}

fn gc(node: &Node, pod: &Netns, key: &str, valid: Value) {
    let config = with(config(), json!({key: valid}));
    node.berth("x", pod.path(), &config)
        .without("CNI_CONTAINERID")
        .without("CNI_NETNS")
        .without("CNI_IFNAME")
        .gc()
        .unwrap();
}

#[test]
fn the_list_decides_what_stays() {
    let node = Node::new("gc");
    let pods: Vec<Netns> = (0..3).map(|_| Netns::new("pod").unwrap()).collect();
    for (number, pod) in pods.iter().enumerate() {
        node.berth(&format!("c{number}"), pod.path(), &config())
            .add()
            .unwrap();
    }
    let other = Netns::new("other").unwrap();
    let more = with(
        config(),
        json!({"name": "more", "ipam": {"type": "berth-ipam", "subnet": "10.78.0.0/24"}}),
    );
    node.berth("c9", other.path(), &more).add().unwrap();

    node.berth("x", pods[0].path(), &config()).gc().unwrap();
    assert_eq!(node.records().len(), 4, "no list, nothing removed");

    let valid =
        json!([{"containerID": "c0", "ifname": "eth0"}, {"containerID": "c1", "ifname": "net1"}]);
    gc(&node, &pods[0], "cni.dev/valid-attachments", valid);
    assert_eq!(node.records(), ["c0.eth0.json", "c9.eth0.json"]);
    assert_eq!(node.leased("pods"), ["10.77.0.2"]);
    assert_eq!(node.links().len(), 2);
    assert!(node::links(&pods[1]).is_empty() && node::links(&pods[2]).is_empty());
    reach(&node.netns, &pods[0], "10.77.0.2");
    let rules = node.netns.output("nft", ["list", "ruleset"]).unwrap();
    assert!(
        rules.contains("10.77.0.2") && !rules.contains("10.77.0.3"),
        "{rules}"
    );

    gc(&node, &pods[0], "cni.dev/attachments", json!([]));
    assert_eq!(node.records(), ["c9.eth0.json"], "only of this network");
    reach(&node.netns, &other, "10.78.0.2");
    gc(&node, &pods[0], "cni.dev/attachments", json!([]));
}

#[test]
fn leases_without_record_and_records_without_pod_go_too() {
    let (node, pod) = (Node::new("lost"), Netns::new("pod").unwrap());
    node.plugin("berth-ipam", "c8", pod.path(), &config())
        .add()
        .unwrap();
    node.berth("c1", pod.path(), &config()).add().unwrap();
    let keep = Netns::new("keep").unwrap();
    node.berth("c2", keep.path(), &config()).add().unwrap();
    drop(pod);
    let valid = json!([{"containerID": "c2", "ifname": "eth0"}]);
    gc(&node, &keep, "cni.dev/valid-attachments", valid);
    assert_eq!(node.records(), ["c2.eth0.json"]);
    assert_eq!(node.leased("pods"), ["10.77.0.4"]);
}

#[test]
fn a_list_that_cannot_be_read_removes_nothing() {
    let (node, pod) = (Node::new("broken"), Netns::new("pod").unwrap());
    node.berth("c1", pod.path(), &config()).add().unwrap();
    for (list, key) in [
        (json!("all"), "cni.dev/valid-attachments"),
        (
            json!([{"containerID": "c1"}]),
            "cni.dev/valid-attachments[0].ifname",
        ),
        (
            json!([{"ifname": "eth0", "containerID": 1}]),
            "cni.dev/valid-attachments[0].containerID",
        ),
    ] {
        let config = with(config(), json!({"cni.dev/valid-attachments": list}));
        let answer = node.berth("c1", pod.path(), &config).call("GC").unwrap();
        assert_fails(&answer, 7, &[key]);
        assert_eq!(node.records().len(), 1);
    }
}

#[test]
fn a_broken_record_does_not_keep_the_others() {
    let (node, pod) = (Node::new("record"), Netns::new("pod").unwrap());
    node.berth("c1", pod.path(), &config()).add().unwrap();
    let broken = node.state().join("attachments/c5.eth0.json");
    std::fs::write(&broken, "{").unwrap();
    let config = with(config(), json!({"cni.dev/valid-attachments": []}));
    let answer = node.berth("c1", pod.path(), &config).gc().unwrap();
    assert!(
        answer.stderr.contains(broken.to_str().unwrap()),
        "{}",
        answer.stderr
    );
    assert_eq!(node.records(), ["c5.eth0.json"]);
}

#[test]
fn status_says_why_a_node_is_not_ready() {
    let (node, pod) = (Node::new("status"), Netns::new("pod").unwrap());
    let status = |config: &Value| node.berth("x", pod.path(), config).call("STATUS").unwrap();
    status(&config()).success().unwrap();
    let without = with(config(), json!({"ipam": null}));
    status(&without).success().unwrap();
    let away = with(
        config(),
        json!({"bridge": "br0", "socket_file": "/nonexistent/db.sock"}),
    );
    assert_fails(&status(&away), 50, &["/nonexistent/db.sock"]);
    std::fs::remove_dir_all(node.leases()).unwrap();
    std::fs::write(node.leases(), "a file").unwrap();
    assert_fails(&status(&config()), 50, &[node.leases().to_str().unwrap()]);
    std::fs::remove_dir_all(node.state()).unwrap();
    std::fs::write(node.state(), "a file").unwrap();
    assert_fails(&status(&config()), 50, &[node.state().to_str().unwrap()]);
}
