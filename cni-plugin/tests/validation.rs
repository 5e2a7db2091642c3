//! The environment and the configuration: what is refused, with which code and
//! words, and that nothing is changed by it.
#![allow(clippy::unwrap_used, reason = "a test fails by it")]

mod node;

use std::path::Path;

use node::{Node, assert_fails, routed, with};
use proptest::prelude::*;
use proptest::test_runner::{Config as Cases, TestRunner};
use serde_json::{Value, json};
use tests::cni::Cni;
use tests::netns::Netns;

/// A call that only its change makes wrong.
fn call(node: &Node, pod: &Netns, version: &str) -> Cni {
    let config = with(routed(), json!({"cniVersion": version}));
    node.berth("c1", pod.path(), &config)
}

#[test]
fn a_missing_variable_is_error_4_and_is_named() {
    let (node, pod) = (Node::new("env"), Netns::new("pod").unwrap());
    let cases: [(&str, &[&str]); 5] = [
        (
            "ADD",
            &["CNI_CONTAINERID", "CNI_NETNS", "CNI_IFNAME", "CNI_PATH"],
        ),
        (
            "CHECK",
            &["CNI_CONTAINERID", "CNI_NETNS", "CNI_IFNAME", "CNI_PATH"],
        ),
        ("DEL", &["CNI_CONTAINERID", "CNI_IFNAME", "CNI_PATH"]),
        ("GC", &["CNI_PATH"]),
        ("STATUS", &["CNI_PATH"]),
    ];
    for (verb, variables) in cases {
        for variable in variables {
            let answer = call(&node, &pod, "1.1.0")
                .without(variable)
                .call(verb)
                .unwrap();
            assert_fails(
                &answer,
                4,
                &[&format!("required env variables [{variable}] missing")],
            );
        }
        let mut none = call(&node, &pod, "1.1.0");
        for variable in variables {
            none = none.without(variable);
        }
        assert_fails(&none.call(verb).unwrap(), 4, &[&variables.join(",")]);
    }
    assert!(node.links().is_empty() && node.records().is_empty());
}

#[test]
fn an_invalid_variable_is_error_4_and_shows_its_value() {
    let (node, pod) = (Node::new("env"), Netns::new("pod").unwrap());
    let cases = [
        ("CNI_CONTAINERID", "-x"),
        ("CNI_CONTAINERID", "a/b"),
        ("CNI_IFNAME", "sixteen-bytes-xx"),
        ("CNI_IFNAME", ".."),
        ("CNI_IFNAME", "a b"),
        ("CNI_IFNAME", "a:b"),
        ("CNI_IFNAME", "a/b"),
        ("CNI_ARGS", "IP"),
        ("CNI_ARGS", "FOO=bar"),
        ("CNI_ARGS", "IgnoreUnknown=perhaps"),
        ("CNI_ARGS", "MAC=nonsense"),
        ("CNI_ARGS", "MAC=01:00:5e:00:00:01"),
    ];
    for (variable, value) in cases {
        let answer = call(&node, &pod, "1.0.0")
            .env(variable, value)
            .call("ADD")
            .unwrap();
        let shown = value.rsplit('=').next().unwrap();
        assert_fails(
            &answer,
            4,
            &[variable, if value == "FOO=bar" { "FOO" } else { shown }],
        );
    }
    let answer = call(&node, &pod, "1.0.0").call("add").unwrap();
    assert_fails(&answer, 4, &["CNI_COMMAND", "\"add\""]);
    assert!(node.links().is_empty() && node.records().is_empty() && node.leased("pods").is_empty());
}

#[test]
fn a_namespace_that_is_none_is_error_8() {
    let (node, pod) = (Node::new("netns"), Netns::new("pod").unwrap());
    let file = tempfile::NamedTempFile::new().unwrap();
    let own = node.netns.path().to_owned();
    for path in [
        file.path(),
        Path::new("/proc/self/ns/mnt"),
        Path::new("/nonexistent"),
        &own,
    ] {
        for verb in ["ADD", "CHECK"] {
            let answer = call(&node, &pod, "1.0.0")
                .env("CNI_NETNS", path)
                .call(verb)
                .unwrap();
            assert_fails(&answer, 8, &[path.to_str().unwrap()]);
        }
    }
    for path in [file.path(), Path::new("/nonexistent")] {
        call(&node, &pod, "1.0.0")
            .env("CNI_NETNS", path)
            .del()
            .unwrap();
    }
    call(&node, &pod, "1.0.0")
        .without("CNI_NETNS")
        .del()
        .unwrap();
    assert!(node.links().is_empty() && node.records().is_empty() && node.leased("pods").is_empty());
}

#[test]
fn input_that_is_no_configuration_is_refused_by_kind() {
    let (node, pod) = (Node::new("stdin"), Netns::new("pod").unwrap());
    let whole = node.placed(&routed()).to_string();
    let cut = &whole[..whole.len() - 2];
    let cases: [(&str, u32, &str); 9] = [
        ("", 6, "network configuration"),
        (cut, 6, "EOF"),
        ("[1]", 6, "not an object"),
        ("nonsense", 6, "network configuration"),
        (r#"{"cniVersion":"1.0.0"}"#, 7, "name"),
        (r#"{"cniVersion":"1.0.0","name":"a b"}"#, 7, "a b"),
        (r#"{"cniVersion":"3.0.0","name":"a"}"#, 1, "3.0.0"),
        (r#"{"cniVersion":3,"name":"a"}"#, 6, "cniVersion"),
        (
            r#"{"cniVersion":"1.0.0","name":"a","type":"berth"}"#,
            7,
            "ipam",
        ),
    ];
    for (input, code, word) in cases {
        let answer = call(&node, &pod, "1.0.0")
            .raw_config(input)
            .call("ADD")
            .unwrap();
        assert_fails(&answer, code, &[word]);
    }
    let answer = call(&node, &pod, "1.0.0")
        .raw_config([0xff, 0xfe, 0])
        .call("DEL")
        .unwrap();
    assert_fails(&answer, 6, &["network configuration"]);
    assert!(node.links().is_empty() && node.records().is_empty());
}

#[test]
fn a_wrong_value_is_error_7_with_key_and_value_and_changes_nothing() {
    let (node, pod) = (Node::new("config"), Netns::new("pod").unwrap());
    let cases = [
        (json!({"mtu": "big"}), "mtu", "\"big\""),
        (
            json!({"ipMasqBackend": "iptables"}),
            "ipMasqBackend",
            "iptables",
        ),
        (json!({"port": "bond"}), "port", "bond"),
        (json!({"vlan": 5000, "bridge": "br0"}), "vlan", "5000"),
        (
            json!({"socket_file": "x", "bridge": "br0"}),
            "socket_file",
            "\"x\"",
        ),
        (
            json!({"runtimeConfig": {"mac": 5}}),
            "runtimeConfig.mac",
            "5",
        ),
        (
            json!({"prevResult": {"ips": [{"address": "10.0.0.1"}]}}),
            "prevResult.ips[0].address",
            "10.0.0.1",
        ),
        (
            json!({"prevResult": {"ips": [{"address": "10.0.0.1/8", "interface": 3}]}}),
            "prevResult.ips[0].interface",
            "3",
        ),
        (
            json!({"ipam": {"type": "berth-ipam", "subnet": "10.0.0.0/33"}}),
            "subnet",
            "10.0.0.0/33",
        ),
        (
            json!({"ipam": {"type": "no-such-plugin"}}),
            "ipam.type",
            "no-such-plugin",
        ),
    ];
    for (change, key, value) in cases {
        let config = with(routed(), change);
        let answer = node.berth("c1", pod.path(), &config).call("ADD").unwrap();
        assert_fails(&answer, 7, &[key, value]);
        assert!(
            node.links().is_empty() && node::links(&pod).is_empty(),
            "{config}"
        );
        assert!(
            node.records().is_empty() && node.leased("pods").is_empty(),
            "{config}"
        );
    }
}

#[test]
fn verbs_are_refused_to_older_configurations() {
    let (node, pod) = (Node::new("verbs"), Netns::new("pod").unwrap());
    for (verb, version) in [("CHECK", "0.3.1"), ("GC", "1.0.0"), ("STATUS", "1.0.0")] {
        let answer = call(&node, &pod, version).call(verb).unwrap();
        assert_fails(&answer, 1, &[verb, version]);
        assert_eq!(answer.failure().unwrap().cni_version, version);
    }
}

#[test]
fn version_needs_nothing_and_reads_nothing() {
    let (node, pod) = (Node::new("version"), Netns::new("pod").unwrap());
    for name in ["berth", "berth-ipam", "host-local", "loopback", "flannel"] {
        let plugin = node
            .plugin(name, "c1", pod.path(), &Value::Null)
            .raw_config("no json");
        let plugin = ["CNI_CONTAINERID", "CNI_NETNS", "CNI_IFNAME", "CNI_PATH"]
            .into_iter()
            .fold(plugin, |plugin, variable| plugin.without(variable));
        let answer = plugin.call("VERSION").unwrap().success().unwrap();
        assert_eq!(
            answer.json.unwrap()["supportedVersions"],
            json!([
                "0.1.0", "0.2.0", "0.3.0", "0.3.1", "0.4.0", "1.0.0", "1.1.0"
            ]),
            "{name}"
        );
    }
}

#[test]
fn without_a_command_it_introduces_itself() {
    let node = Node::new("about");
    for name in ["berth", "berth-ipam", "host-local", "loopback", "flannel"] {
        let output = node
            .netns
            .command(node.bin().join(name))
            .env_remove("CNI_COMMAND")
            .output()
            .unwrap();
        assert!(
            output.status.success() && output.stdout.is_empty(),
            "{output:?}"
        );
        let about = String::from_utf8(output.stderr).unwrap();
        assert!(
            about.contains(name) && about.contains("0.1.0, 0.2.0"),
            "{about}"
        );
        let output = node
            .netns
            .command(node.bin().join(name))
            .arg("--version")
            .output()
            .unwrap();
        let version = String::from_utf8(output.stdout).unwrap();
        for word in [name, env!("CARGO_PKG_VERSION"), "ABI 2", "commit "] {
            assert!(version.contains(word), "{word} is not in {version}");
        }
    }
}

#[test]
fn flannel_says_that_it_is_not_there_yet_but_lets_pods_go() {
    let (node, pod) = (Node::new("flannel"), Netns::new("pod").unwrap());
    let config = json!({"cniVersion": "1.1.0", "name": "pods", "type": "flannel"});
    let flannel = node.plugin("flannel", "c1", pod.path(), &config);
    assert_fails(
        &flannel.call("ADD").unwrap(),
        103,
        &["flannel", "not implemented"],
    );
    assert_fails(
        &flannel.call("STATUS").unwrap(),
        50,
        &["flannel", "not implemented"],
    );
    flannel.del().unwrap();
}

/// The parsers themselves are fuzzed in process; here it is the whole binary.
#[test]
fn arbitrary_input_never_ends_in_anything_but_an_error_object() {
    let (node, pod) = (Node::new("fuzz"), Netns::new("pod").unwrap());
    let verbs = prop::sample::select(vec!["ADD", "DEL", "CHECK", "GC", "STATUS", "", "X"]);
    let input = prop_oneof![
        prop::collection::vec(any::<u8>(), 0..64),
        "[{}\\[\\]:,\"a-z0-9. ]{0,64}".prop_map(String::into_bytes),
        (0..400usize).prop_map(|at| routed().to_string().bytes().take(at).collect::<Vec<u8>>()),
    ];
    let cases = Cases {
        cases: 96,
        failure_persistence: None,
        ..Cases::default()
    };
    TestRunner::new(cases)
        .run(
            &(verbs, input, "[ -~]{0,20}", "[ -~]{0,20}"),
            |(verb, input, id, args)| {
                let is_config =
                    serde_json::from_slice::<Value>(&input).is_ok_and(|value| value.is_object());
                prop_assume!(!is_config && !verb.is_empty());
                let answer = call(&node, &pod, "1.0.0")
                    .raw_config(input)
                    .env("CNI_CONTAINERID", id)
                    .env("CNI_ARGS", args)
                    .call(verb)
                    .unwrap();
                prop_assert_eq!(answer.status, Some(1), "{:?}", answer);
                let failure = answer.failure();
                prop_assert!(failure.is_ok(), "{:?}", answer);
                prop_assert!(
                    [1, 4, 6, 7].contains(&failure.unwrap().code),
                    "{:?}",
                    answer
                );
                Ok(())
            },
        )
        .unwrap();
    assert!(node.links().is_empty() && node.records().is_empty());
}
