//! Routed ports end to end: packets between pods and the node, every version of a
//! result, CHECK of each thing that can be off, and nothing left after DEL.
#![allow(clippy::unwrap_used, reason = "a test fails by it")]

mod node;

use node::{Node, assert_fails, reach, routed, with};
use serde_json::{Value, json};
use tests::leftovers::Leftovers;
use tests::netns::Netns;

/// Both families.
fn dual() -> Value {
    let ranges = json!([[{"subnet": "10.77.0.0/24"}], [{"subnet": "fd77::/64"}]]);
    with(
        routed(),
        json!({"ipam": {"type": "berth-ipam", "ranges": ranges}}),
    )
}

/// The address of a family in a result, without prefix.
fn address(result: &Value, ipv6: bool) -> String {
    let ips = result["ips"].as_array().unwrap().iter();
    let mut texts = ips.map(|ip| ip["address"].as_str().unwrap().split('/').next().unwrap());
    texts
        .find(|text| text.contains(':') == ipv6)
        .unwrap()
        .to_owned()
}

#[test]
fn two_pods_reach_each_other_and_the_node_in_both_families() {
    let node = Node::new("routed");
    let guard = Leftovers::new().netns(&node.netns).unwrap();
    let pods = [Netns::new("a").unwrap(), Netns::new("b").unwrap()];
    let calls = [
        node.berth("a", pods[0].path(), &dual()),
        node.berth("b", pods[1].path(), &dual()),
    ];
    let results = calls.each_ref().map(|call| call.add().unwrap());
    for ipv6 in [false, true] {
        let to = results.each_ref().map(|result| address(result, ipv6));
        reach(&pods[0], &pods[1], &to[1]);
        reach(&pods[1], &pods[0], &to[0]);
        reach(&node.netns, &pods[0], &to[0]);
        reach(&node.netns, &pods[1], &to[1]);
    }
    // The node's own address, which the pod knows nothing of but its default route.
    reach(&pods[0], &node.netns, "192.0.2.10");
    reach(&pods[1], &node.netns, "2001:db8::10");
    for call in &calls {
        call.del().unwrap();
        call.del().unwrap();
    }
    guard.check().unwrap();
    node.assert_bare();
    assert!(node::links(&pods[0]).is_empty());
}

#[test]
fn a_result_says_what_is_there_in_the_shape_of_its_version() {
    let node = Node::new("shapes");
    for version in [
        "0.1.0", "0.2.0", "0.3.0", "0.3.1", "0.4.0", "1.0.0", "1.1.0",
    ] {
        let pod = Netns::new("pod").unwrap();
        let call = node.berth(
            "c1",
            pod.path(),
            &with(dual(), json!({"cniVersion": version})),
        );
        let result = call.add().unwrap();
        assert_eq!(result["cniVersion"], version);
        let listed = pod.ip_json("addr show eth0").unwrap();
        let mac = &listed[0]["address"];
        if version < "0.3.0" {
            assert!(
                result["ip4"]["ip"]
                    .as_str()
                    .unwrap()
                    .starts_with("10.77.0."),
                "{result}"
            );
            assert!(
                result["ip6"]["ip"].as_str().unwrap().starts_with("fd77::"),
                "{result}"
            );
            assert_eq!(result["ip4"]["routes"][0]["dst"], "0.0.0.0/0");
        } else {
            let interfaces = result["interfaces"].as_array().unwrap();
            assert_eq!(interfaces.len(), 2, "{result}");
            assert_eq!(interfaces[0]["name"], json!(node.links()[0]));
            assert!(interfaces[0].get("sandbox").is_none());
            assert_eq!(interfaces[1]["name"], "eth0");
            assert_eq!(&interfaces[1]["mac"], mac);
            assert_eq!(interfaces[1]["sandbox"], json!(pod.path()));
            assert_eq!(interfaces[1].get("mtu").is_some(), version == "1.1.0");
            for (ip, family) in result["ips"].as_array().unwrap().iter().zip(["4", "6"]) {
                assert_eq!(ip["interface"], 1);
                assert_eq!(
                    ip.get("version"),
                    (version < "1.0.0").then(|| json!(family)).as_ref()
                );
            }
            assert_eq!(result["routes"][0]["gw"], "169.254.1.1");
        }
        if version >= "0.4.0" {
            let config = with(dual(), json!({"cniVersion": version, "prevResult": result}));
            node.berth("c1", pod.path(), &config).check().unwrap();
        }
        call.del().unwrap();
    }
}

#[test]
fn mac_address_mtu_and_dns_are_as_asked() {
    let (node, pod) = (Node::new("asked"), Netns::new("pod").unwrap());
    let config = with(
        routed(),
        json!({
            "mtu": 1400,
            "dns": {"nameservers": ["10.77.0.1"], "domain": "a", "search": ["b"]},
            "runtimeConfig": {
                "mac": "02:11:22:33:44:55", "ips": ["10.77.0.44"],
                "dns": {"servers": ["10.9.9.9"]}, "bandwidth": {"ingressRate": 1000, "ingressBurst": 1000},
                "portMappings": [{"hostPort": 8080, "containerPort": 80, "protocol": "tcp"}],
            },
            "args": {"cni": {"mac": "02:11:22:33:44:66"}},
        }),
    );
    let answer = node
        .berth("c1", pod.path(), &config)
        .env(
            "CNI_ARGS",
            "IgnoreUnknown=1;K8S_POD_NAMESPACE=ns;K8S_POD_NAME=web;MAC=02:11:22:33:44:77",
        )
        .call("ADD")
        .unwrap()
        .success()
        .unwrap();
    let result = answer.json.unwrap();
    let link = &pod.ip_json("addr show eth0").unwrap()[0];
    assert_eq!(link["address"], "02:11:22:33:44:55");
    assert_eq!(link["mtu"], 1400);
    assert_eq!(address(&result, false), "10.77.0.44");
    assert_eq!(
        result["dns"],
        json!({"nameservers": ["10.9.9.9"], "search": ["b"], "domain": "a"})
    );
    assert!(
        answer.stderr.contains("bandwidth is not enforced"),
        "{}",
        answer.stderr
    );
    let record = std::fs::read_to_string(node.state().join("attachments/c1.eth0.json")).unwrap();
    let record: Value = serde_json::from_str(&record).unwrap();
    assert_eq!(record["pod"]["name"], "web");
    assert_eq!(record["port_mappings"][0]["hostPort"], 8080);
    assert_eq!(record["bandwidth"]["ingressRate"], 1000);
    assert_eq!(record["phase"], "ready");
}

#[test]
fn the_derived_mac_is_stable_and_the_mtu_that_of_the_uplink() {
    let (node, pod) = (Node::new("stable"), Netns::new("pod").unwrap());
    node.netns
        .sh("ip link add up0 mtu 1350 type veth peer name up1; ip link set up0 up; ip link set up1 up; \
             ip addr add 192.0.2.2/24 dev up0; ip route add default via 192.0.2.1")
        .unwrap();
    let call = node.berth("c1", pod.path(), &routed());
    call.add().unwrap();
    let first = pod.ip_json("link show eth0").unwrap();
    assert_eq!(first[0]["mtu"], 1350);
    call.del().unwrap();
    call.add().unwrap();
    let second = pod.ip_json("link show eth0").unwrap();
    assert_eq!(first[0]["address"], second[0]["address"]);
}

#[test]
fn check_names_what_is_off() {
    let (node, pod) = (Node::new("check"), Netns::new("pod").unwrap());
    let call = node.berth("c1", pod.path(), &dual());
    let result = call.add().unwrap();
    let (four, host_end) = (address(&result, false), node.links()[0].clone());
    let check = node.berth(
        "c1",
        pod.path(),
        &with(dual(), json!({"prevResult": result})),
    );
    check.check().unwrap();
    assert_fails(&call.call("CHECK").unwrap(), 7, &["prevResult"]);

    let in_pod = |line: &str| pod.sh(line).unwrap();
    let on_node = |line: String| node.netns.sh(&line).unwrap();
    in_pod("ip route del default");
    assert_fails(&check.call("CHECK").unwrap(), 102, &["route to 0.0.0.0/0"]);
    in_pod("ip route add default via 169.254.1.1 dev eth0 onlink");
    check.check().unwrap();
    in_pod("ip link set eth0 mtu 1300");
    assert_fails(&check.call("CHECK").unwrap(), 102, &["eth0", "1300"]);
    in_pod("ip link set eth0 mtu 1500");
    on_node(format!("ip route del {four}"));
    assert_fails(
        &check.call("CHECK").unwrap(),
        102,
        &[&format!("host route to {four}")],
    );
    on_node(format!("ip route add {four} dev {host_end}"));
    check.check().unwrap();
    on_node(format!("ip link set {host_end} down"));
    assert_fails(&check.call("CHECK").unwrap(), 102, &[&host_end, "down"]);
    in_pod(&format!("ip addr del {four}/32 dev eth0"));
    assert_fails(
        &check.call("CHECK").unwrap(),
        102,
        &[&format!("address {four}/32")],
    );
}

#[test]
fn check_compares_with_what_the_runtime_was_told() {
    let (node, pod) = (Node::new("told"), Netns::new("pod").unwrap());
    let result = node.berth("c1", pod.path(), &routed()).add().unwrap();
    let altered = |change: &dyn Fn(&mut Value)| {
        let mut previous = result.clone();
        change(&mut previous);
        let config = with(routed(), json!({"prevResult": previous}));
        node.berth("c1", pod.path(), &config).call("CHECK").unwrap()
    };
    altered(&|_| {}).success().unwrap();
    let answer = altered(&|result| result["ips"][0]["address"] = json!("10.77.0.99/32"));
    assert_fails(&answer, 102, &["10.77.0.99"]);
    let answer = altered(&|result| result["interfaces"][1]["mac"] = json!("02:00:00:00:00:01"));
    assert_fails(&answer, 102, &["02:00:00:00:00:01"]);
    let answer = altered(&|result| result["interfaces"][1]["name"] = json!("eth7"));
    assert_fails(&answer, 102, &["eth0"]);
    let answer = altered(&|result| result["ips"] = json!([]));
    assert_fails(&answer, 102, &["lacks address"]);
    let config = with(routed(), json!({"prevResult": result}));
    let other = node.berth("c2", pod.path(), &config).call("CHECK").unwrap();
    assert_fails(&other, 3, &["c2/eth0"]);
    std::fs::remove_file(node.leases().join("pods").join(&node.leased("pods")[0])).unwrap();
    assert_fails(&altered(&|_| {}), 102, &["no address", "c1"]);
}

#[test]
fn several_interfaces_in_one_pod() {
    let (node, pod) = (Node::new("several"), Netns::new("pod").unwrap());
    let second = with(
        routed(),
        json!({"name": "more", "ipam": {"type": "berth-ipam", "subnet": "10.78.0.0/24"}}),
    );
    let one = node.berth("c1", pod.path(), &routed());
    let two = node.berth("c1", pod.path(), &second).ifname("net1");
    let (first, second) = (one.add().unwrap(), two.add().unwrap());
    assert_eq!(node::links(&pod), ["eth0", "net1"]);
    reach(&node.netns, &pod, &address(&first, false));
    reach(&node.netns, &pod, &address(&second, false));
    one.del().unwrap();
    assert_eq!(node::links(&pod), ["net1"]);
    reach(&node.netns, &pod, &address(&second, false));
    two.del().unwrap();
    assert!(node::links(&pod).is_empty() && node.links().is_empty() && node.records().is_empty());
}

#[test]
fn del_works_with_less_and_less() {
    let node = Node::new("less");
    let guard = Leftovers::new().netns(&node.netns).unwrap();
    let attach = || {
        let pod = Netns::new("pod").unwrap();
        node.berth("c1", pod.path(), &routed()).add().unwrap();
        pod
    };
    // Without its record: names and marks suffice.
    let pod = attach();
    std::fs::remove_file(node.state().join("attachments/c1.eth0.json")).unwrap();
    node.berth("c1", pod.path(), &routed()).del().unwrap();
    guard.check().unwrap();
    // With a record cut off.
    let pod = attach();
    std::fs::write(
        node.state().join("attachments/c1.eth0.json"),
        "{\"version\": 1,",
    )
    .unwrap();
    node.berth("c1", pod.path(), &routed()).del().unwrap();
    guard.check().unwrap();
    // After its namespace.
    let pod = attach();
    drop(pod);
    node.berth("c1", std::path::Path::new("/run/netns/gone"), &routed())
        .without("CNI_NETNS")
        .del()
        .unwrap();
    guard.check().unwrap();
    // With a configuration that ADD would refuse, and a prevResult that makes no sense.
    let pod = attach();
    let broken = with(routed(), json!({"mtu": "x", "prevResult": 7, "port": 5}));
    node.berth("c1", pod.path(), &broken).del().unwrap();
    guard.check().unwrap();
    assert!(node.records().is_empty() && node.leased("pods").is_empty());
    // With no ipam any more: all but the lease, which GC finds.
    let pod = attach();
    node.berth("c1", pod.path(), &with(routed(), json!({"ipam": null})))
        .del()
        .unwrap();
    guard.check().unwrap();
    assert_eq!(node.leased("pods").len(), 1);
    let gc = with(
        routed(),
        json!({"cniVersion": "1.1.0", "cni.dev/valid-attachments": []}),
    );
    node.berth("c1", pod.path(), &gc).gc().unwrap();
    assert!(node.leased("pods").is_empty());
}

/// The children that may be started with more than one system call.
const NO_CHILDREN: [&str; 6] = [
    "strace",
    "-qq",
    "-o",
    "/dev/null",
    "-e",
    "inject=clone,clone3,fork,vfork:error=EAGAIN",
];

#[test]
fn del_does_without_the_child_that_deletes_for_it() {
    let (node, pod) = (Node::new("childless"), Netns::new("pod").unwrap());
    let guard = Leftovers::new().netns(&node.netns).unwrap();
    let call = node.berth("c1", pod.path(), &routed());
    call.add().unwrap();
    let answer = call.wrapped(&NO_CHILDREN).del().unwrap();
    assert!(
        answer.stderr.contains("not taken down ahead"),
        "{}",
        answer.stderr
    );
    assert!(node::links(&pod).is_empty());
    guard.check().unwrap();
    node.assert_bare();
}

#[test]
fn both_ends_are_gone_when_del_answers() {
    let (node, pod) = (Node::new("gone"), Netns::new("pod").unwrap());
    let call = node.berth("c1", pod.path(), &routed());
    for _ in 0..10 {
        call.add().unwrap();
        call.del().unwrap();
        assert!(node.links().is_empty() && node::links(&pod).is_empty());
        assert_eq!(node.netns.sh("ip route show dev lo; ip route").unwrap(), "");
    }
}

#[test]
fn the_child_leaves_a_device_of_another_mark_alone() {
    let node = Node::new("mark");
    node.netns
        .sh("ip link add brt0 type veth peer name peer0; ip link set brt0 alias berth:other/eth0")
        .unwrap();
    let mut child = node.netns.command(node.bin().join("berth"));
    child.args(["--delete-link", "brt0", "berth:c1/eth0"]);
    assert!(child.status().unwrap().success());
    assert_eq!(node.links().len(), 2);
}

#[test]
fn many_pods_come_and_go_at_once() {
    let node = Node::new("many");
    let guard = Leftovers::new().netns(&node.netns).unwrap();
    let pods: Vec<Netns> = (0..24).map(|_| Netns::new("pod").unwrap()).collect();
    let call = |number: usize| node.berth(&format!("c{number}"), pods[number].path(), &dual());
    let at_once = |verb: &str| -> Vec<Value> {
        std::thread::scope(|scope| {
            let call = &call;
            let threads: Vec<_> = (0..pods.len())
                .map(|number| scope.spawn(move || call(number).call(verb).unwrap().success()))
                .collect();
            let answers = threads
                .into_iter()
                .map(|thread| thread.join().unwrap().unwrap());
            answers
                .map(|answer| answer.json.unwrap_or_default())
                .collect()
        })
    };
    let mut addresses: Vec<String> = at_once("ADD")
        .iter()
        .map(|one| address(one, false))
        .collect();
    addresses.sort();
    addresses.dedup();
    assert_eq!(addresses.len(), pods.len());
    at_once("DEL");
    guard.check().unwrap();
    node.assert_bare();
}
