//! Services for clients outside, and for pods whose sockets are not seen: in packets.

use std::net::SocketAddr;

use anyhow::{Result, ensure};
use serde_json::{Value, json};
use tests::netns::Netns;
use tests::traffic::Answerer;
use tests::wait;

use crate::lan::{CLIENT_V4, CLIENT_V6, Lan, REMOTE_V4, REMOTE_V6};
use crate::rig::{BACKEND, LIMIT, NODE_V4, NODE_V6, Rig, service};

/// The families, each with a ClusterIP, the node's address, the client's and the far backend's.
pub const FAMILIES: [(bool, &str, &str, &str, &str); 2] = [
    (true, "10.96.0.1", NODE_V4, CLIENT_V4, REMOTE_V4),
    (false, "fd00:96::1", NODE_V6, CLIENT_V6, REMOTE_V6),
];

/// A slice of local backends and the far one.
pub fn slice(rig: &Rig, v4: bool, local: &[usize], far: bool) -> Value {
    let mut slice = rig.slice("web", v4, local);
    if far {
        let address = if v4 { REMOTE_V4 } else { REMOTE_V6 };
        let endpoints = slice["endpoints"].as_array_mut().expect("a list");
        endpoints.push(json!({"addresses": [address], "nodeName": "n2"}));
    }
    slice
}

pub fn write(rig: &Rig, spec: &Value, local: &[usize], far: bool) -> Result<()> {
    let slices = [true, false].map(|v4| slice(rig, v4, local, far));
    let [v4, v6] = slices;
    rig.write("web.yaml", &[service("web", 1, spec), v4, v6])
}

/// A rig with two backends and a wire around it.
pub fn rig(more: &[&str]) -> Result<(Rig, Lan)> {
    let (mut rig, lan) = Rig::on_a_wire(2)?;
    rig.start_with(more)?;
    Ok((rig, lan))
}

pub fn end(rig: Rig, lan: Lan) -> Result<()> {
    rig.finish()?;
    drop(lan);
    Ok(())
}

/// Waits until each of these has answered, and nobody else, always showing `from` as the client it saw.
pub fn all_of(
    rig: &Rig,
    lan: &Lan,
    at: (&str, &str, u16),
    names: &[&str],
    from: &str,
) -> Result<()> {
    let (how, to, port) = at;
    wait::until_ok(LIMIT, &format!("{how} to {to} port {port}"), || {
        let answers = rig.talk_bare(&lan.client, how, to, port, 40)?;
        for name in names {
            let wanted = format!("{name} saw {from} from ");
            ensure!(
                answers.iter().any(|line| line.starts_with(&wanted)),
                "nothing like {wanted:?}: {answers:?}"
            );
        }
        for line in &answers {
            let known = names
                .iter()
                .any(|name| line.starts_with(&format!("{name} saw {from} from ")));
            ensure!(known, "{line:?} of {answers:?}");
        }
        Ok(())
    })
}

/// Rows 1, 5 and 14: a client outside reaches every backend, here and on another node, by the node's port and by the
/// ClusterIP; backends see the node.
#[test]
fn a_client_outside_reaches_every_backend_as_the_node() -> Result<()> {
    let (rig, lan) = rig(&[])?;
    write(&rig, &json!({"type": "NodePort"}), &[0, 1], true)?;
    for (_, cluster_ip, node, _, _) in FAMILIES {
        for how in ["tcp", "udp"] {
            for (to, port) in [(node, 30001), (cluster_ip, 80)] {
                all_of(&rig, &lan, (how, to, port), &["b0", "b1", "far"], node)?;
            }
        }
    }
    end(rig, lan)
}

/// Row 8: policy Local keeps the client's address, asks those here alone, and drops where there are none.
#[test]
fn policy_local_keeps_the_clients_address_or_drops() -> Result<()> {
    let (rig, lan) = rig(&[])?;
    let local = json!({"type": "NodePort", "externalTrafficPolicy": "Local"});
    write(&rig, &local, &[0, 1], true)?;
    for (_, _, node, client, _) in FAMILIES {
        for how in ["tcp", "udp"] {
            all_of(&rig, &lan, (how, node, 30001), &["b0", "b1"], client)?;
        }
    }
    write(&rig, &local, &[], true)?;
    for (_, _, node, ..) in FAMILIES {
        for how in ["tcp", "udp"] {
            // Silence: neither refused nor answered.
            let silent = |line: &str| line == "error TimedOut" || line == "error WouldBlock";
            rig.await_bare(&lan.client, (how, node, 30001), silent)?;
        }
    }
    ensure!(rig.verdict("packet_dropped")? > 0);
    end(rig, lan)
}

/// Rows 3 and 4: nobody there is refused by RST or ICMP, and so is a port of a ClusterIP that the Service has not.
#[test]
fn nobody_there_is_refused_in_packets() -> Result<()> {
    let (rig, lan) = rig(&[])?;
    let pod = rig.node.add_pod("unseen")?;
    write(&rig, &json!({"type": "NodePort"}), &[], false)?;
    for (_, cluster_ip, node, _, _) in FAMILIES {
        for how in ["tcp", "udp"] {
            for (to, port) in [(node, 30001), (cluster_ip, 80), (cluster_ip, 81)] {
                refuses(&rig, &lan.client, (how, to, port))?;
                refuses(&rig, &pod.netns, (how, to, port))?;
            }
        }
    }
    write(&rig, &json!({"type": "NodePort"}), &[0], false)?;
    for (_, cluster_ip, node, ..) in FAMILIES {
        all_of(&rig, &lan, ("tcp", node, 30001), &["b0"], node)?;
        refuses(&rig, &lan.client, ("tcp", cluster_ip, 81))?;
        // ICMP to an address of a Service alone is refused too, and the node itself still answers.
        refuses(&rig, &lan.client, ("echo", cluster_ip, 0))?;
        rig.await_bare(&lan.client, ("echo", node, 0), |line| {
            line.starts_with("alive")
        })?;
    }
    rig.node.del_pod(pod)?;
    end(rig, lan)
}

/// Waits until one question is refused: the kernel makes no more than an ICMP error a second for each host.
fn refuses(rig: &Rig, from: &Netns, (how, to, port): (&str, &str, u16)) -> Result<()> {
    wait::until_ok(LIMIT, &format!("{how} to {to} port {port}"), || {
        let answers = rig.talk_bare(from, how, to, port, 1)?;
        ensure!(answers == ["error ConnectionRefused"], "{answers:?}");
        Ok(())
    })
}

/// Rows 6, 7 and 12: addresses of load balancers and external ones from outside; whoever is not within the ranges gets
/// no answer from the balancer's, and one from the others.
#[test]
fn load_balancer_addresses_serve_only_their_source_ranges() -> Result<()> {
    const EXTERNAL: &str = "203.0.113.5";
    const BALANCER: &str = "203.0.113.6";
    let (rig, lan) = rig(&[])?;
    let set = |ranges: &[&str]| {
        let spec = json!({
            "type": "LoadBalancer", "externalIPs": [EXTERNAL], "loadBalancerSourceRanges": ranges,
        });
        let mut web = service("web", 1, &spec);
        web["status"] = json!({"loadBalancer": {"ingress": [{"ip": BALANCER}]}});
        rig.write("web.yaml", &[web, slice(&rig, true, &[0], true)])
    };
    let silent = |line: &str| line == "error TimedOut" || line == "error WouldBlock";
    set(&[])?;
    for to in [EXTERNAL, BALANCER] {
        all_of(&rig, &lan, ("tcp", to, 80), &["b0", "far"], NODE_V4)?;
    }
    set(&["198.51.100.0/24", "192.0.2.128/25"])?;
    rig.await_bare(&lan.client, ("tcp", BALANCER, 80), silent)?;
    all_of(&rig, &lan, ("tcp", EXTERNAL, 80), &["b0", "far"], NODE_V4)?;
    ensure!(rig.verdict("packet_not_allowed")? > 0);
    set(&["198.51.100.0/24", "192.0.2.0/30"])?;
    all_of(&rig, &lan, ("udp", BALANCER, 80), &["b0", "far"], NODE_V4)?;
    end(rig, lan)
}

/// Rows 1 and 13, failure 8: a pod whose sockets no program sees is served packet by packet; it keeps its address, but
/// where it reaches itself it is seen as the node.
#[test]
fn a_pod_whose_sockets_are_not_seen_is_served_in_packets() -> Result<()> {
    let (rig, lan) = rig(&[])?;
    let pod = rig.node.add_pod("unseen")?;
    write(&rig, &json!({}), &[0, 1], true)?;
    let netns = &pod.netns;
    for (v4, cluster_ip, ..) in FAMILIES {
        let own = if v4 { pod.v4() } else { pod.v6() };
        for how in ["tcp", "udp"] {
            let good = |line: &str| line.contains(&format!("saw {own} from "));
            rig.await_bare(netns, (how, cluster_ip, 80), good)?;
            let answers = rig.talk_bare(netns, how, cluster_ip, 80, 40)?;
            for name in ["b0", "b1", "far"] {
                ensure!(
                    answers.iter().any(|line| line.starts_with(name)),
                    "{name}: {answers:?}"
                );
            }
        }
    }
    write(&rig, &json!({}), &[0], false)?;
    let itself = rig.pod(0);
    for (_, cluster_ip, node, ..) in FAMILIES {
        for how in ["tcp", "udp"] {
            let good = |line: &str| line.starts_with(&format!("b0 saw {node} from "));
            rig.await_bare(&itself.netns, (how, cluster_ip, 80), good)?;
        }
    }
    rig.node.del_pod(pod)?;
    end(rig, lan)
}

/// Pods of one node reach each other past the host's stack, and the hop is counted off.
#[test]
fn pods_of_one_node_take_the_short_way() -> Result<()> {
    let (rig, lan) = rig(&[])?;
    let pod = rig.node.add_pod("near")?;
    let before = rig.verdict("packet_local")?;
    for backend in [rig.pod(0).v4(), rig.pod(0).v6()] {
        let to = backend.to_string();
        let good = |line: &str| line.starts_with("b0 saw ");
        rig.await_bare(&pod.netns, ("tcp", &to, 8080), good)?;
        rig.await_bare(&pod.netns, ("udp", &to, 8080), good)?;
    }
    let v4 = rig.pod(0).v4().to_string();
    rig.await_bare(&pod.netns, ("echo", &v4, 0), |line| {
        line.starts_with("alive ttl 63")
    })?;
    ensure!(rig.verdict("packet_local")? > before);
    rig.node.del_pod(pod)?;
    end(rig, lan)
}

/// Datagrams in fragments arrive, here and on the other node.
#[test]
fn fragments_find_their_flow() -> Result<()> {
    let (rig, lan) = rig(&[])?;
    write(&rig, &json!({"type": "NodePort"}), &[0], false)?;
    for (_, _, node, ..) in FAMILIES {
        all_of(&rig, &lan, ("udp-big", node, 30001), &["b0"], node)?;
    }
    write(&rig, &json!({"type": "NodePort"}), &[], true)?;
    for (_, _, node, ..) in FAMILIES {
        all_of(&rig, &lan, ("udp-big", node, 30001), &["far"], node)?;
    }
    end(rig, lan)
}

/// Row 16: a client with a fixed port that goes on sending finds the next backend when its own has gone.
#[test]
fn a_datagram_flow_is_cut_when_its_backend_goes() -> Result<()> {
    let (rig, lan) = rig(&[])?;
    for (_, _, node, ..) in FAMILIES {
        let at = ("udp-fixed", node, 30001);
        let from = |name: &'static str| move |line: &str| line.starts_with(name);
        for _ in 0..2 {
            write(&rig, &json!({"type": "NodePort"}), &[0], false)?;
            rig.await_bare(&lan.client, at, from("b0"))?;
            write(&rig, &json!({"type": "NodePort"}), &[], false)?;
            rig.await_bare(&lan.client, at, from("error"))?;
            write(&rig, &json!({"type": "NodePort"}), &[1], false)?;
            rig.await_bare(&lan.client, at, from("b1"))?;
        }
    }
    end(rig, lan)
}

/// XDP gives the same answers: what goes back by the device it came in by is sent from there, all else is left to the
/// program after it.
#[test]
fn xdp_gives_the_same_answers() -> Result<()> {
    for mode in ["generic", "native"] {
        let (rig, mut lan) = rig(&["--xdp", mode])?;
        lan.receive_xdp(&rig.bpf_dir().with_file_name("wire"))?;
        write(&rig, &json!({"type": "NodePort"}), &[0], true)?;
        for (_, cluster_ip, node, ..) in FAMILIES {
            for how in ["udp", "tcp", "udp-big"] {
                for (to, port) in [(node, 30001), (cluster_ip, 80)] {
                    all_of(&rig, &lan, (how, to, port), &["b0", "far"], node)?;
                }
            }
        }
        ensure!(
            rig.verdict("packet_to_tc")? > 0,
            "{mode}: nothing was left to tc"
        );
        let shown = rig.node.netns.sh("ip -d link show up0")?;
        let word = if mode == "generic" {
            "xdpgeneric"
        } else {
            "xdp"
        };
        ensure!(shown.contains(&format!("mtu 1500 {word} ")), "{shown}");
        write(&rig, &json!({"type": "NodePort"}), &[], false)?;
        refuses(&rig, &lan.client, ("tcp", NODE_V4, 30001))?;
        end(rig, lan)?;
    }
    Ok(())
}

/// Failure 4: a client whose packets are too large for the way to its backend is told so, about the address it had asked
/// for, and sends smaller ones from then on; a backend whose answers are, likewise.
#[test]
fn path_mtu_discovery_works_through_a_service() -> Result<()> {
    let (mut rig, lan) = Rig::on_a_narrow_wire(1, 1400)?;
    rig.start_with(&["--uplink", "up0,up1"])?;
    write(&rig, &json!({"type": "NodePort"}), &[], true)?;
    // The answerer sees the address that the packets leave by.
    for ((_, cluster_ip, node, ..), own) in
        FAMILIES.into_iter().zip(["198.51.100.1", "2001:db8:1::1"])
    {
        for (to, port) in [(node, 30001), (cluster_ip, 80)] {
            all_of(&rig, &lan, ("udp", to, port), &["far"], own)?;
            let learnt = || lan.client.sh(&format!("ip route get {to}"));
            ensure!(!learnt()?.contains("mtu 1400"), "{}", learnt()?);
            all_of(&rig, &lan, ("udp-mid", to, port), &["far"], own)?;
            ensure!(learnt()?.contains("mtu 1400"), "{}", learnt()?);
        }
    }
    end(rig, lan)
}

/// A pod that is added while no daemon runs is served in packets: the plugin puts the pinned programs on its port.
#[test]
fn a_pod_added_without_a_daemon_is_served() -> Result<()> {
    let (mut rig, lan) = rig(&[])?;
    write(&rig, &json!({"type": "NodePort"}), &[0, 1], true)?;
    all_of(
        &rig,
        &lan,
        ("tcp", NODE_V4, 30001),
        &["b0", "b1", "far"],
        NODE_V4,
    )?;
    rig.node.kill_berthd()?;
    let pod = rig.node.add_pod("unseen")?;
    for (v4, cluster_ip, ..) in FAMILIES {
        let own = if v4 { pod.v4() } else { pod.v6() };
        for how in ["tcp", "udp"] {
            let good = |line: &str| line.contains(&format!("saw {own} from "));
            rig.await_bare(&pod.netns, (how, cluster_ip, 80), good)?;
        }
    }
    rig.start()?;
    rig.node.del_pod(pod)?;
    end(rig, lan)
}

/// `portMappings`: a pod's port at the node's addresses, for clients outside, who keep their address, for pods and for
/// the node; it goes with the pod, and one that another pod has is refused and told.
#[test]
fn a_pods_port_at_the_node() -> Result<()> {
    let (rig, lan) = rig(&[])?;
    let mut config = rig.node.config().clone();
    config["runtimeConfig"] = json!({"portMappings": [
        {"hostPort": 8088, "containerPort": 8080, "protocol": "tcp"},
        {"hostPort": 8088, "containerPort": 8080, "protocol": "udp"},
        {"hostPort": 8089, "containerPort": 8080, "protocol": "tcp", "hostIP": "192.0.2.99"},
    ]});
    let pod = rig.node.add_pod_with("host", &config)?;
    let _answerers = [pod.v4(), pod.v6()]
        .map(|ip| Answerer::start(&pod.netns, "host", SocketAddr::new(ip, BACKEND)))
        .into_iter()
        .collect::<Result<Vec<_>>>()?;
    let client = rig.node.add_pod("client")?;
    for (v4, _, node, from, _) in FAMILIES {
        for how in ["tcp", "udp"] {
            all_of(&rig, &lan, (how, node, 8088), &["host"], from)?;
            let own = if v4 { client.v4() } else { client.v6() };
            let good = |line: &str| line.starts_with(&format!("host saw {own} from "));
            rig.await_bare(&client.netns, (how, node, 8088), good)?;
            let good = |line: &str| line.starts_with("host saw ");
            rig.await_answers(&rig.node.netns, (how, node, 8088), good)?;
        }
        // Of an address that is not the node's.
        rig.await_bare(&lan.client, ("tcp", node, 8089), |line| {
            line.starts_with("error")
        })?;
    }
    let second = rig.node.add_pod_with("second", &config)?;
    wait::until_ok(LIMIT, "the conflict to be told", || {
        let problems = rig.ask("services")?["problems"].to_string();
        ensure!(
            problems.contains("hostPort 8088/TCP of pod demo/second"),
            "{problems}"
        );
        Ok(())
    })?;
    rig.node.del_pod(second)?;
    drop(_answerers);
    rig.node.del_pod(pod)?;
    refuses(&rig, &lan.client, ("tcp", NODE_V4, 8088))?;
    rig.node.del_pod(client)?;
    end(rig, lan)
}
