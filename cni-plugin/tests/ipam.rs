//! IPAM by delegation and as a plugin of its own: configuration and environment
//! arrive complete, errors keep their codes, what was allocated is given back.
#![allow(clippy::unwrap_used, reason = "a test fails by it")]

mod node;

use std::os::unix::fs::PermissionsExt;

use node::{Node, assert_fails, routed, with};
use serde_json::{Value, json};
use tests::netns::Netns;

/// A delegate that notes each call (verb, environment, configuration) and then runs
/// `script`.
fn scripted(node: &Node, script: &str) -> Value {
    let notes = node.bin().join("notes");
    let text = format!(
        "#!/bin/sh\nconfig=$(cat)\n\
         echo \"$CNI_COMMAND $CNI_CONTAINERID $CNI_NETNS $CNI_IFNAME $CNI_ARGS $CNI_PATH $config\" >> {}\n{script}\n",
        notes.display()
    );
    let path = node.bin().join("scripted");
    std::fs::write(&path, text).unwrap();
    std::fs::set_permissions(&path, PermissionsExt::from_mode(0o755)).unwrap();
    with(
        routed(),
        json!({"ipam": {"type": "scripted", "color": "green"}}),
    )
}

fn notes(node: &Node) -> Vec<String> {
    let text = std::fs::read_to_string(node.bin().join("notes")).unwrap_or_default();
    text.lines().map(str::to_owned).collect()
}

fn verbs(node: &Node) -> Vec<String> {
    let first = |line: &String| line.split(' ').next().unwrap().to_owned();
    notes(node).iter().map(first).collect()
}

const ADDRESS: &str = r#"[ $CNI_COMMAND = ADD ] && echo '{"cniVersion":"1.0.0","ips":[{"address":"10.5.0.7/24","gateway":"10.5.0.1"}],"routes":[{"dst":"0.0.0.0/0"}],"dns":{"nameservers":["10.5.0.1"]}}'; exit 0"#;

#[test]
fn a_delegate_gets_everything_and_its_answer_counts() {
    let (node, pod) = (Node::new("delegate"), Netns::new("pod").unwrap());
    let config = scripted(&node, ADDRESS);
    let call = node
        .berth("c1", pod.path(), &config)
        .env("CNI_ARGS", "IgnoreUnknown=1;A=b");
    let result = call.add().unwrap();
    assert_eq!(result["ips"][0]["address"], "10.5.0.7/32");
    assert_eq!(result["dns"]["nameservers"][0], "10.5.0.1");
    let line = &notes(&node)[0];
    let bin = node.bin();
    for word in [
        "ADD c1",
        pod.path().to_str().unwrap(),
        "eth0",
        "IgnoreUnknown=1;A=b",
        bin.to_str().unwrap(),
        r#""color":"green""#,
        r#""name":"pods""#,
    ] {
        assert!(line.contains(word), "{word} is not in {line}");
    }
    let checked = with(config, json!({"prevResult": result}));
    node.berth("c1", pod.path(), &checked).check().unwrap();
    call.del().unwrap();
    assert_eq!(verbs(&node), ["ADD", "CHECK", "DEL"]);
    node.assert_bare();
}

#[test]
fn a_delegates_error_is_passed_on_and_nothing_was_done() {
    let (node, pod) = (Node::new("refusal"), Netns::new("pod").unwrap());
    let refusal = r#"echo '{"cniVersion":"1.0.0","code":142,"msg":"no lease today","details":"ask tomorrow"}'; exit 1"#;
    let call = node.berth("c1", pod.path(), &scripted(&node, refusal));
    let failure = call.call("ADD").unwrap().failure().unwrap();
    assert_eq!(
        (failure.code, failure.details.as_str()),
        (142, "ask tomorrow")
    );
    assert!(failure.msg.contains("no lease today"), "{failure:?}");
    node.assert_bare();
    assert_fails(&call.call("DEL").unwrap(), 142, &["no lease today"]);
    assert!(node::links(&pod).is_empty());
}

#[test]
fn a_delegate_that_talks_nonsense_is_told_apart() {
    let (node, pod) = (Node::new("nonsense"), Netns::new("pod").unwrap());
    let cases = [
        ("echo nonsense", 6, "scripted"),
        ("echo nonsense; exit 3", 999, "nonsense"),
        ("echo '{}'", 6, "no address"),
        (
            r#"echo '{"cniVersion":"1.0.0","ips":[{"address":"10.0.0.1"}]}'"#,
            6,
            "ips[0].address",
        ),
        ("kill -9 $$", 999, "signal"),
    ];
    for (script, code, word) in cases {
        let call = node.berth("c1", pod.path(), &scripted(&node, script));
        assert_fails(&call.call("ADD").unwrap(), code, &[word]);
        node.assert_bare();
    }
    let missing = with(routed(), json!({"ipam": {"type": "absent"}}));
    let call = node.berth("c1", pod.path(), &missing);
    assert_fails(
        &call.call("ADD").unwrap(),
        7,
        &["absent", "ipam.type", "CNI_PATH"],
    );
}

#[test]
fn an_add_that_fails_later_gives_the_address_back() {
    let (node, pod) = (Node::new("back"), Netns::new("pod").unwrap());
    pod.sh("ip link add eth0 type veth peer name other")
        .unwrap();
    let call = node.berth("c1", pod.path(), &scripted(&node, ADDRESS));
    assert_fails(&call.call("ADD").unwrap(), 100, &["eth0"]);
    assert_eq!(verbs(&node), ["ADD", "DEL"]);
    node.assert_bare();
}

#[test]
fn status_and_gc_reach_the_delegate() {
    let (node, pod) = (Node::new("reach"), Netns::new("pod").unwrap());
    let config = with(scripted(&node, ADDRESS), json!({"cniVersion": "1.1.0"}));
    let call = node.berth("c1", pod.path(), &config);
    call.status().unwrap();
    call.gc().unwrap();
    assert_eq!(verbs(&node), ["STATUS"], "a GC without a list does nothing");
    let config = with(config, json!({"cni.dev/valid-attachments": []}));
    node.berth("c1", pod.path(), &config).gc().unwrap();
    assert_eq!(verbs(&node), ["STATUS", "GC"]);
    let away = r#"echo '{"cniVersion":"1.1.0","code":50,"msg":"server away"}'; exit 1"#;
    let config = with(scripted(&node, away), json!({"cniVersion": "1.1.0"}));
    let answer = node
        .berth("c1", pod.path(), &config)
        .call("STATUS")
        .unwrap();
    assert_fails(&answer, 50, &["server away"]);
}

/// The same requests served in process, by the link `host-local` and by `berth-ipam`.
#[test]
fn in_process_and_executed_allocate_alike_from_one_store() {
    let node = Node::new("alike");
    let mut seen = Vec::new();
    for (number, kind) in ["berth-ipam", "host-local", "berth-ipam", "host-local"]
        .iter()
        .enumerate()
    {
        let pod = Netns::new("pod").unwrap();
        let mut config = routed();
        config["ipam"]["type"] = json!(kind);
        let result = node
            .berth(&format!("c{number}"), pod.path(), &config)
            .add()
            .unwrap();
        seen.push(result["ips"][0]["address"].as_str().unwrap().to_owned());
    }
    assert_eq!(
        seen,
        [
            "10.77.0.2/32",
            "10.77.0.3/32",
            "10.77.0.4/32",
            "10.77.0.5/32"
        ]
    );
    let lease = std::fs::read_to_string(node.leases().join("pods/10.77.0.3")).unwrap();
    assert_eq!(lease, "c1\r\neth0");
}

#[test]
fn the_ipam_plugin_serves_every_verb_on_its_own() {
    let (node, pod) = (Node::new("alone"), Netns::new("pod").unwrap());
    for name in ["berth-ipam", "host-local"] {
        let config = json!({
            "cniVersion": "1.1.0", "name": "alone", "type": "bridge",
            "ipam": {"type": name, "subnet": "10.6.0.0/29", "routes": [{"dst": "0.0.0.0/0"}]},
        });
        let call = node.plugin(name, "c1", pod.path(), &config);
        let result = call.add().unwrap();
        assert_eq!(result["ips"][0]["gateway"], "10.6.0.1");
        assert_eq!(result["routes"][0]["dst"], "0.0.0.0/0");
        assert!(result.get("interfaces").is_none() && result["ips"][0].get("interface").is_none());
        assert_fails(
            &call.call("ADD").unwrap(),
            100,
            &["already allocated", "c1"],
        );
        call.check().unwrap();
        call.status().unwrap();
        let listed = |valid: Value| {
            let mut config = config.clone();
            config["cni.dev/valid-attachments"] = valid;
            node.plugin(name, "c1", pod.path(), &config)
        };
        call.gc().unwrap();
        listed(json!([{"containerID": "c1", "ifname": "eth0"}]))
            .gc()
            .unwrap();
        assert_eq!(node.leased("alone").len(), 1);
        listed(json!([])).gc().unwrap();
        assert!(node.leased("alone").is_empty());
        assert_fails(&call.call("CHECK").unwrap(), 102, &["no address", "c1"]);
        call.del().unwrap();
    }
}

#[test]
fn exhaustion_and_requests_that_cannot_be_met_are_101() {
    let (node, pod) = (Node::new("exhausted"), Netns::new("pod").unwrap());
    let small = with(
        routed(),
        json!({"ipam": {"type": "berth-ipam", "subnet": "10.77.0.0/30"}}),
    );
    node.berth("c1", pod.path(), &small).add().unwrap();
    let other = Netns::new("other").unwrap();
    let call = node.berth("c2", other.path(), &small);
    assert_fails(
        &call.call("ADD").unwrap(),
        101,
        &["no IP addresses available", "10.77.0"],
    );
    assert!(node::links(&other).is_empty());
    assert_eq!((node.records().len(), node.links().len()), (1, 1));
    let taken = with(
        small.clone(),
        json!({"runtimeConfig": {"ips": ["10.77.0.2"]}}),
    );
    assert_fails(
        &node.berth("c2", other.path(), &taken).call("ADD").unwrap(),
        101,
        &["10.77.0.2"],
    );
    let outside = node
        .berth("c2", other.path(), &small)
        .env("CNI_ARGS", "IP=192.168.0.1");
    assert_fails(&outside.call("ADD").unwrap(), 101, &["192.168.0.1"]);
}

#[test]
fn the_runtime_gives_ranges_and_addresses() {
    let (node, pod) = (Node::new("runtime"), Netns::new("pod").unwrap());
    let ranges =
        json!([[{"subnet": "10.61.0.0/24", "rangeStart": "10.61.0.9"}], [{"subnet": "fd61::/64"}]]);
    let config = with(
        routed(),
        json!({
            "ipam": {"type": "berth-ipam"},
            "runtimeConfig": {"ipRanges": ranges, "ips": ["fd61::77"]},
        }),
    );
    let call = node.berth("c1", pod.path(), &config);
    let result = call.add().unwrap();
    assert_eq!(result["ips"][0]["address"], "10.61.0.9/32");
    assert_eq!(result["ips"][1]["address"], "fd61::77/128");
    call.del().unwrap();
    let config = with(config, json!({"args": {"cni": {"ips": ["10.61.0.50"]}}}));
    let call = node
        .berth("c1", pod.path(), &config)
        .env("CNI_ARGS", "IgnoreUnknown=1;IP=fd61::99");
    let result = call.call("ADD").unwrap();
    // Two addresses are asked for in one set: by CNI_ARGS and by the runtime.
    assert_fails(&result, 101, &["fd61::77"]);
    node.assert_bare();
}
