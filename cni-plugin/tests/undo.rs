//! An ADD that fails leaves nothing, whatever it had done by then; and what it meets
//! of others, it leaves alone.
#![allow(clippy::unwrap_used, reason = "a test fails by it")]

mod node;

use std::os::unix::fs::PermissionsExt;

use node::{Node, assert_fails, routed, with};
use serde_json::json;
use tests::leftovers::Leftovers;
use tests::netns::Netns;

#[test]
fn a_name_taken_in_root_is_named_and_left() {
    let (node, pod) = (Node::new("taken"), Netns::new("pod").unwrap());
    let call = node.berth("c1", pod.path(), &routed());
    call.add().unwrap();
    let name = node.links()[0].clone();
    call.del().unwrap();
    node.netns
        .sh(&format!("ip link add {name} type veth peer name foreign"))
        .unwrap();
    assert_fails(&call.call("ADD").unwrap(), 100, &[&name, "somebody else"]);
    call.del().unwrap();
    let mut left = node.links();
    left.sort();
    assert_eq!(left, [name.as_str(), "foreign"]);
    assert!(node.records().is_empty() && node.leased("pods").is_empty());
    assert!(node::links(&pod).is_empty());
}

#[test]
fn an_interface_in_the_pod_is_left() {
    let (node, pod) = (Node::new("pod"), Netns::new("pod").unwrap());
    pod.sh("ip link add eth0 type veth peer name other")
        .unwrap();
    let call = node.berth("c1", pod.path(), &routed());
    assert_fails(
        &call.call("ADD").unwrap(),
        100,
        &["eth0", pod.path().to_str().unwrap()],
    );
    call.del().unwrap();
    assert_eq!(node::links(&pod).len(), 2);
    node.assert_bare();
}

#[test]
fn a_second_add_fails_and_the_first_stays() {
    let (node, pod) = (Node::new("second"), Netns::new("pod").unwrap());
    let call = node.berth("c1", pod.path(), &routed());
    let result = call.add().unwrap();
    assert_fails(
        &call.call("ADD").unwrap(),
        100,
        &["c1/eth0", "exists already"],
    );
    let check = with(routed(), json!({"prevResult": result}));
    node.berth("c1", pod.path(), &check).check().unwrap();
    assert_eq!(node.leased("pods").len(), 1);
}

#[test]
fn masquerade_that_fails_takes_everything_back() {
    let (node, pod) = (Node::new("nft"), Netns::new("pod").unwrap());
    let guard = Leftovers::new().netns(&node.netns).unwrap();
    // An nft that can look but not change.
    let nft = node.bin().join("nft");
    std::fs::write(
        &nft,
        "#!/bin/sh\ncat > /dev/null\necho 'Error: none today' >&2\nexit 1\n",
    )
    .unwrap();
    std::fs::set_permissions(&nft, PermissionsExt::from_mode(0o755)).unwrap();
    let config = with(routed(), json!({"ipMasq": true}));
    let path = format!(
        "{}:{}",
        node.bin().display(),
        std::env::var("PATH").unwrap()
    );
    let call = node.berth("c1", pod.path(), &config).env("PATH", path);
    assert_fails(&call.call("ADD").unwrap(), 999, &["none today"]);
    guard.check().unwrap();
    node.assert_bare();
    assert!(node::links(&pod).is_empty());
}

#[test]
fn a_state_directory_that_cannot_be_written_is_error_5() {
    let (node, pod) = (Node::new("state"), Netns::new("pod").unwrap());
    std::fs::write(node.state(), "a file").unwrap();
    let call = node.berth("c1", pod.path(), &routed());
    let state = node.state();
    assert_fails(&call.call("ADD").unwrap(), 5, &[state.to_str().unwrap()]);
    assert!(node.links().is_empty() && node::links(&pod).is_empty());
    assert!(node.leased("pods").is_empty());
}

#[test]
fn a_lease_store_that_cannot_be_written_is_error_5() {
    let (node, pod) = (Node::new("store"), Netns::new("pod").unwrap());
    std::fs::write(node.leases(), "a file").unwrap();
    let call = node.berth("c1", pod.path(), &routed());
    let leases = node.leases();
    assert_fails(&call.call("ADD").unwrap(), 5, &[leases.to_str().unwrap()]);
    assert!(node.links().is_empty() && node.records().is_empty());
}

#[test]
fn masquerade_without_nft_is_refused_before_anything_is_done() {
    let (node, pod) = (Node::new("absent"), Netns::new("pod").unwrap());
    let script = "for nft in /usr/sbin/nft /sbin/nft; do mount --bind /dev/null $nft; done; exec \"$0\" \"$@\"";
    let call = node
        .berth("c1", pod.path(), &with(routed(), json!({"ipMasq": true})))
        .wrapped(&["unshare", "--mount", "sh", "-ec", script]);
    assert_fails(&call.call("ADD").unwrap(), 50, &["ipMasq", "nft"]);
    node.assert_bare();
}

#[test]
fn a_read_only_store_is_error_5_and_leaves_nothing() {
    let (node, pod) = (Node::new("readonly"), Netns::new("pod").unwrap());
    let state = node.state();
    std::fs::create_dir(&state).unwrap();
    let script = format!(
        "mount -t tmpfs -o ro none {}; exec \"$0\" \"$@\"",
        state.display()
    );
    let call = node
        .berth("c1", pod.path(), &routed())
        .wrapped(&["unshare", "--mount", "sh", "-ec", &script]);
    assert_fails(
        &call.call("ADD").unwrap(),
        5,
        &[state.to_str().unwrap(), "Read-only"],
    );
    assert!(node.links().is_empty() && node.leased("pods").is_empty());
}

/// A tmpfs too small for a record: the disk fills up in the middle of ADD.
#[test]
fn a_full_disk_is_error_5_and_leaves_nothing() {
    let (node, pod) = (Node::new("full"), Netns::new("pod").unwrap());
    std::fs::create_dir(node.state()).unwrap();
    let state = node.state();
    // The file system is mounted in a mount namespace of the plugin's own.
    let script = format!(
        "mount -t tmpfs -o size=4k,nr_inodes=5 none {0} && head -c 4096 /dev/zero > {0}/filler; exec \"$0\" \"$@\"",
        state.display()
    );
    let call = node
        .berth("c1", pod.path(), &routed())
        .wrapped(&["unshare", "--mount", "sh", "-c", &script]);
    assert_fails(&call.call("ADD").unwrap(), 5, &[state.to_str().unwrap()]);
    assert!(node.links().is_empty() && node::links(&pod).is_empty());
    assert!(node.leased("pods").is_empty());
}
