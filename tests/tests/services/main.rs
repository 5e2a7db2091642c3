//! Services by manifests: the programs drive, sockets in pods answer.
//!
//! Natively and in the VM; each test has a BPF file system and a cgroup of its own.

mod health;
mod lan;
mod outside;
mod rig;
mod sockets;
mod switched;
mod upgrade;

use std::fs;
use std::net::SocketAddr;
use std::process::Stdio;

use anyhow::{Context, Result, ensure};
use rig::{LIMIT, NODE_V4, NODE_V6, Rig, service};
use serde_json::json;
use tests::wait;

const FAMILIES: [(bool, &str, &str); 2] =
    [(true, "10.96.0.1", NODE_V4), (false, "fd00:96::1", NODE_V6)];

/// Rows 1, 4 and 5 of kube-proxy's: each way of asking, in each family, from a pod and from the node; every backend is
/// asked, the peer is shown as the Service, and other ports are refused.
#[test]
fn every_backend_is_reached_in_each_way_from_pods_and_from_the_node() -> Result<()> {
    let rig = Rig::new(3)?;
    let client = rig.node.add_pod("client")?;
    let web = service("web", 1, &json!({"type": "NodePort"}));
    let (v4, v6) = (
        rig.slice("web", true, &[0, 1, 2]),
        rig.slice("web", false, &[0, 1, 2]),
    );
    rig.write("web.yaml", &[web, v4, v6])?;
    for from in [&client.netns, &rig.node.netns] {
        for (_, cluster_ip, node) in FAMILIES {
            for (to, port) in [(cluster_ip, 80), (node, 30001)] {
                let place = SocketAddr::new(to.parse()?, port);
                for how in ["tcp", "udp", "udp-send"] {
                    let good = |line: &str| {
                        line.starts_with('b') && line.ends_with(&format!("from {place}"))
                    };
                    rig.await_answers(from, (how, to, port), good)?;
                    let answers = rig.talk(from, how, to, port, 60)?;
                    for backend in ["b0", "b1", "b2"] {
                        let some = answers.iter().any(|line| line.starts_with(backend));
                        ensure!(
                            some,
                            "{how} to {place}: {backend} was never asked: {answers:?}"
                        );
                    }
                }
            }
            for how in ["tcp", "udp", "udp-send"] {
                let refused = |line: &str| line == "error ConnectionRefused";
                rig.await_answers(from, (how, cluster_ip, 81), refused)?;
            }
        }
    }
    // Sockets of IPv6 that speak IPv4.
    for how in ["tcp", "udp", "udp-send"] {
        let good =
            |line: &str| line.starts_with('b') && line.ends_with("from [::ffff:10.96.0.1]:80");
        rig.await_answers(&client.netns, (how, "::ffff:10.96.0.1", 80), good)?;
    }
    let shown = rig.ask("services")?;
    let ports = shown["services"][0]["ports"].as_array().context("ports")?;
    ensure!(ports.len() == 2, "{shown}");
    for port in ports {
        ensure!(
            port["backends"].as_array().context("backends")?.len() == 6,
            "{port}"
        );
        for frontend in port["frontends"].as_array().context("frontends")? {
            ensure!(frontend["inside"] == 3, "{frontend}");
        }
    }
    rig.node.del_pod(client)?;
    rig.finish()
}

/// Rows 2 and 3: who is leaving serves if nobody else does; nobody at all is refused; back again is served again.
#[test]
fn endpoints_come_and_go() -> Result<()> {
    let rig = Rig::new(2)?;
    let from = &rig.node.netns;
    rig.write("service.yaml", &[service("web", 1, &json!({}))])?;
    let set = |backends: &[usize]| rig.write("slice.yaml", &[rig.slice("web", true, backends)]);
    for how in ["tcp", "udp", "udp-send"] {
        let at = (how, "10.96.0.1", 80);
        let refused = |line: &str| line == "error ConnectionRefused";
        rig.write("slice.yaml", &[rig.slice("web", true, &[])])?;
        rig.await_answers(from, at, refused)?;
        set(&[0])?;
        rig.await_answers(from, at, |line| line.starts_with("b0"))?;
        set(&[1])?;
        rig.await_answers(from, at, |line| line.starts_with("b1"))?;
        let mut leaving = rig.slice("web", true, &[0, 1]);
        leaving["endpoints"][0]["conditions"] =
            json!({"ready": false, "serving": true, "terminating": true});
        rig.write("slice.yaml", &[leaving.clone()])?;
        rig.await_answers(from, at, |line| line.starts_with("b1"))?;
        leaving["endpoints"][1]["conditions"] = json!({"ready": false, "serving": false});
        rig.write("slice.yaml", &[leaving])?;
        rig.await_answers(from, at, |line| line.starts_with("b0"))?;
        fs::remove_file(rig.manifests.path().join("slice.yaml"))?;
        rig.await_answers(from, at, refused)?;
    }
    rig.finish()
}

/// Row 11: a client stays with its backend on every address of the port, until that backend is gone.
#[test]
fn a_client_with_affinity_stays_with_its_backend() -> Result<()> {
    let rig = Rig::new(3)?;
    let clients = [rig.node.add_pod("c0")?, rig.node.add_pod("c1")?];
    let spec = json!({"type": "NodePort", "sessionAffinity": "ClientIP"});
    rig.write(
        "web.yaml",
        &[service("web", 1, &spec), rig.slice("web", true, &[0, 1, 2])],
    )?;
    for client in &clients {
        let from = &client.netns;
        rig.await_answers(from, ("tcp", "10.96.0.1", 80), |line| line.starts_with('b'))?;
        let first = rig.talk(from, "tcp", "10.96.0.1", 80, 1)?[0][..2].to_owned();
        for (to, port) in [("10.96.0.1", 80), (NODE_V4, 30001)] {
            let answers = rig.talk(from, "tcp", to, port, 40)?;
            ensure!(
                answers.iter().all(|line| line.starts_with(&first)),
                "{first}: {answers:?}"
            );
        }
    }
    let first = rig.talk(&clients[0].netns, "tcp", "10.96.0.1", 80, 1)?[0][..2].to_owned();
    let gone: usize = first[1..].parse()?;
    let left: Vec<usize> = (0..3).filter(|n| *n != gone).collect();
    rig.write(
        "web.yaml",
        &[service("web", 1, &spec), rig.slice("web", true, &left)],
    )?;
    let other = |line: &str| line.starts_with('b') && !line.starts_with(&first);
    rig.await_answers(&clients[0].netns, ("tcp", "10.96.0.1", 80), other)?;
    for client in clients {
        rig.node.del_pod(client)?;
    }
    rig.finish()
}

/// Rows 6 to 9, 15 and 17, for clients inside: who is asked at each kind of address, under each policy and hint.
#[test]
fn addresses_policies_and_hints_decide_who_is_asked() -> Result<()> {
    const EXTERNAL: &str = "203.0.113.5";
    const BALANCER: &str = "203.0.113.6";
    const PROXY: &str = "203.0.113.7";
    let rig = Rig::new(2)?;
    let from = &rig.node.netns;
    // Of this node is b0 alone.
    let mut slice = rig.slice("web", true, &[0, 1]);
    slice["endpoints"][1]["nodeName"] = json!("n2");
    let node = json!({
        "apiVersion": "v1", "kind": "Node",
        "metadata": {"name": "n1", "labels": {"topology.kubernetes.io/zone": "east"}},
    });
    rig.write("node.yaml", &[node])?;
    let set = |more: &serde_json::Value| {
        let mut web = service("web", 1, more);
        web["status"] = json!({"loadBalancer": {"ingress": [
            {"ip": BALANCER}, {"ip": PROXY, "ipMode": "Proxy"},
        ]}});
        rig.write("web.yaml", &[web])
    };
    let only = |backend: &'static str| move |line: &str| line.starts_with(backend);
    let both = |to: &str, port: u16| -> Result<()> {
        wait::until_ok(LIMIT, &format!("both at {to}"), || {
            let answers = rig.talk(from, "tcp", to, port, 40)?;
            for backend in ["b0", "b1"] {
                ensure!(
                    answers.iter().any(|line| line.starts_with(backend)),
                    "{answers:?}"
                );
            }
            ensure!(
                answers.iter().all(|line| line.starts_with('b')),
                "{answers:?}"
            );
            Ok(())
        })
    };
    let nobody = |line: &str| line.starts_with("error");
    let outside = json!({"type": "LoadBalancer", "externalIPs": [EXTERNAL]});

    rig.write("slice.yaml", &[slice.clone()])?;
    set(&outside)?;
    for (to, port) in [
        ("10.96.0.1", 80),
        (EXTERNAL, 80),
        (BALANCER, 80),
        (NODE_V4, 30001),
    ] {
        both(to, port)?;
    }
    // A balancer that is a proxy has an address of its own.
    rig.await_answers(from, ("tcp", PROXY, 80), nobody)?;

    let mut local = outside.clone();
    local["internalTrafficPolicy"] = json!("Local");
    local["externalTrafficPolicy"] = json!("Local");
    set(&local)?;
    rig.await_answers(from, ("tcp", "10.96.0.1", 80), only("b0"))?;
    // Who is inside is not held to the policy for those outside.
    for (to, port) in [(EXTERNAL, 80), (BALANCER, 80), (NODE_V4, 30001)] {
        both(to, port)?;
    }
    // None here: no answer, while there is one elsewhere.
    let mut elsewhere = slice.clone();
    elsewhere["endpoints"][0]["nodeName"] = json!("n2");
    rig.write("slice.yaml", &[elsewhere])?;
    rig.await_answers(from, ("tcp", "10.96.0.1", 80), nobody)?;
    both(EXTERNAL, 80)?;

    set(&outside)?;
    let mut hinted = slice.clone();
    hinted["endpoints"][0]["hints"] = json!({"forZones": [{"name": "west"}]});
    hinted["endpoints"][1]["hints"] = json!({"forZones": [{"name": "east"}]});
    rig.write("slice.yaml", &[hinted])?;
    rig.await_answers(from, ("tcp", "10.96.0.1", 80), only("b1"))?;
    rig.write("slice.yaml", &[slice])?;
    both("10.96.0.1", 80)?;

    // Another proxy's: none of our business.
    let mut other = service("web", 1, &outside);
    other["metadata"]["labels"] = json!({"service.kubernetes.io/service-proxy-name": "other"});
    rig.write("web.yaml", &[other])?;
    rig.await_answers(from, ("tcp", "10.96.0.1", 80), nobody)?;
    rig.finish()
}

/// The daemon is killed under load and started again: not one request fails, and what changed meanwhile is in force.
#[test]
fn a_killed_daemon_costs_no_connection() -> Result<()> {
    let mut rig = Rig::new(2)?;
    rig.write(
        "web.yaml",
        &[
            service("web", 1, &json!({})),
            rig.slice("web", true, &[0, 1]),
        ],
    )?;
    rig.write(
        "old.yaml",
        &[service("old", 2, &json!({})), rig.slice("old", true, &[0])],
    )?;
    let good = |line: &str| line.starts_with('b');
    rig.await_answers(&rig.node.netns, ("tcp", "10.96.0.1", 80), good)?;
    rig.await_answers(&rig.node.netns, ("tcp", "10.96.0.2", 80), good)?;
    let words = [
        env!("CARGO_BIN_EXE_talk"),
        "tcp",
        "10.96.0.1",
        "80",
        "20000",
    ];
    let mut load = rig.node.netns.command("sh");
    load.args(rig.cgroup.inside(&words)).stdout(Stdio::piped());
    let load = load.spawn()?;
    for _ in 0..3 {
        rig.node.kill_berthd()?;
        fs::remove_file(rig.manifests.path().join("old.yaml")).ok();
        let answers = rig.talk(&rig.node.netns, "tcp", "10.96.0.1", 80, 20)?;
        ensure!(
            answers.iter().all(|line| good(line)),
            "without a daemon: {answers:?}"
        );
        rig.start()?;
    }
    let printed = String::from_utf8(load.wait_with_output()?.stdout)?;
    let bad: Vec<&str> = printed.lines().filter(|line| !good(line)).collect();
    ensure!(
        printed.lines().count() == 20_000 && bad.is_empty(),
        "{bad:?}"
    );
    ensure!(
        rig.ask("services")?["services"]
            .as_array()
            .context("list")?
            .len()
            == 1
    );
    // Not a Service's any more: nobody is there.
    rig.await_answers(&rig.node.netns, ("tcp", "10.96.0.2", 80), |line| {
        line.starts_with("error")
    })?;
    rig.finish()
}

/// Bad documents are told with file, document and field; the file's last good state stays, others go on.
#[test]
fn a_bad_document_is_reported_and_changes_nothing() -> Result<()> {
    let mut rig = Rig::new(1)?;
    let from = &rig.node.netns;
    let good = |line: &str| line.starts_with("b0");
    rig.write(
        "web.yaml",
        &[service("web", 1, &json!({})), rig.slice("web", true, &[0])],
    )?;
    rig.await_answers(from, ("tcp", "10.96.0.1", 80), good)?;
    let mut bad = service("web", 1, &json!({}));
    bad["spec"]["ports"][0]["port"] = json!(70_000);
    rig.write("web.yaml", &[rig.slice("web", true, &[]), bad])?;
    rig.write(
        "other.yaml",
        &[
            service("other", 2, &json!({})),
            rig.slice("other", true, &[0]),
        ],
    )?;
    rig.write(
        "twin.yaml",
        &[service("twin", 2, &json!({"externalIPs": [NODE_V4]}))],
    )?;
    rig.await_answers(from, ("tcp", "10.96.0.2", 80), good)?;
    rig.await_answers(from, ("tcp", "10.96.0.1", 80), good)?;
    // A daemon that never saw the good state keeps what the one before has made of it.
    rig.node.kill_berthd()?;
    rig.start()?;
    let from = &rig.node.netns;
    rig.await_answers(from, ("tcp", "10.96.0.2", 80), good)?;
    rig.await_answers(from, ("tcp", "10.96.0.1", 80), good)?;
    let status = rig.ask("status")?;
    let problems = status["problems"].to_string();
    for part in [
        "web.yaml, document 2: spec.ports[0].port: 70000 is not from 1 to 65535",
        "ClusterIP 10.96.0.2 port 80 is Service default/other's already",
        "spec.externalIPs: 192.0.2.10 is an address of this node",
    ] {
        ensure!(problems.contains(part), "no {part:?} in {problems}");
    }
    ensure!(status["healthy"] == false);
    rig.finish()
}

/// A place for pins that is none, and a cgroup that is not there: a clear error, and nothing made.
#[test]
fn a_daemon_that_cannot_program_says_why_and_leaves_nothing() -> Result<()> {
    let (rig, plain) = (Rig::without_daemon(0)?, tempfile::tempdir()?);
    let services = format!("dir:{}", rig.manifests.path().display());
    let good = rig.bpf_dir().display().to_string();
    let bad = plain.path().join("berth").display().to_string();
    let cgroup = rig.cgroup.path().display().to_string();
    for (bpf, cgroup, expected) in [
        (&bad, cgroup.as_str(), "is not on a BPF file system"),
        (
            &good,
            "/sys/fs/cgroup/none",
            "/sys/fs/cgroup/none: No such file or directory",
        ),
    ] {
        let mut command = rig.node.netns.command(tests::binaries::berthd()?);
        command.arg("--state-dir").arg(rig.node.state_dir());
        command.args([
            "--healthz",
            "none",
            "--metrics",
            "none",
            "--services",
            &services,
        ]);
        let output = command
            .args(["--bpf-dir", bpf, "--cgroup", cgroup])
            .output()?;
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        ensure!(
            !output.status.success() && said.contains(expected),
            "{said}"
        );
    }
    ensure!(
        fs::read_dir(plain.path())?.next().is_none(),
        "a directory is left"
    );
    Ok(())
}

/// `berthd uninstall` takes programs and pins away: the Service's address is nobody's again.
#[test]
fn uninstall_leaves_nothing_pinned_and_nothing_attached() -> Result<()> {
    let mut rig = Rig::new(1)?;
    rig.write(
        "web.yaml",
        &[service("web", 1, &json!({})), rig.slice("web", true, &[0])],
    )?;
    let at = ("tcp", "10.96.0.1", 80);
    rig.await_answers(&rig.node.netns, at, |line| line.starts_with("b0"))?;
    rig.node.stop_berthd()?;
    rig.await_answers(&rig.node.netns, at, |line| line.starts_with("b0"))?;
    let removed = rig.uninstall()?;
    ensure!(removed.contains("links/connect4"), "{removed}");
    ensure!(removed.contains("maps/SERVICES"), "{removed}");
    ensure!(!rig.bpf_dir().exists(), "pins are left");
    rig.await_answers(&rig.node.netns, at, |line| line.starts_with("error"))?;
    Ok(())
}
