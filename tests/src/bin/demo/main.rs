//! `make demo`: what berth is for, on this machine, with real parts, in half a minute.
//!
//! A private Open vSwitch, two pods whose `eth0` are internal ports of it, one routed pod; a TCP stream that
//! runs on while vswitchd is killed and started again; a timeline of what happened; Services for clients inside and
//! outside while a backend and the daemon go; and nothing left behind.

mod services;

use std::process::ExitCode;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use tests::node::{BRIDGE, Node, Pod};
use tests::ovs::Datapath;
use tests::rig::Strategy;
use tests::traffic::{PingTrain, TcpSession};

/// How long traffic may take to come back before the demonstration has failed.
const LIMIT: Duration = Duration::from_secs(60);

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let Some(("talk", rest)) = arguments
        .split_first()
        .map(|(first, rest)| (&**first, rest))
    {
        // The Service chapter's clients are processes of their own: in a namespace and a cgroup.
        return match tests::traffic::talk(rest) {
            Ok(()) => ExitCode::SUCCESS,
            Err(_) => ExitCode::FAILURE,
        };
    }
    if !nix::unistd::geteuid().is_root() {
        eprintln!("demo: needs root, it makes network namespaces");
        return ExitCode::FAILURE;
    }
    // What the fixtures have to say at their end is for a failure only.
    match tests::diagnosis::collect(run) {
        (Ok(()), _) => ExitCode::SUCCESS,
        (Err(error), notes) => {
            eprintln!("{}\ndemo: failed: {error:#}", notes.join("\n"));
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<()> {
    let begin = Instant::now();
    let step = |text: &str| {
        println!(
            "\n\x1b[1m[{:5.1} s] {text}\x1b[0m",
            begin.elapsed().as_secs_f64()
        )
    };

    step("a node: its own network namespace, a private Open vSwitch in it, and berthd");
    let mut node = Node::switched(Datapath::Userspace, Strategy::Rename)?;
    node.config_mut()["isGateway"] = json!(true);
    node.config_mut()["isDefaultGateway"] = json!(true);
    node.start_berthd()?;
    println!(
        "{}",
        node.ovs()
            .vsctl(&["--version"])?
            .lines()
            .next()
            .unwrap_or_default()
    );

    step("ADD: two pods on the switch, one routed");
    let a = node.add_pod("alpha")?;
    let b = node.add_pod("beta")?;
    let c = node.add_pod_with("gamma", &routed(node.config()))?;
    for pod in [&a, &b, &c] {
        show(
            &format!("ip -brief address   (in {})", pod.hint),
            &pod.netns.sh("ip -brief address show eth0")?,
        );
    }
    show("ovs-vsctl show", &node.ovs().vsctl(&["show"])?);
    show("berthctl ports", &berthctl(&node, &["ports"])?);

    step("packets, both families: switch, and routed through the bridge's gateway");
    for (from, to) in [(&a, &b), (&b, &a), (&c, &a)] {
        for address in [to.v4(), to.v6()] {
            PingTrain::start(&from.netns, &to.netns, address)
                .with_context(|| format!("{} gets no answer from {address}", from.hint))?;
            println!("{:>6} -> {:<6} {address}: answered", from.hint, to.hint);
        }
    }

    step("a TCP stream from alpha to beta, and kill -9 of ovs-vswitchd");
    outage(&mut node, &a, &b)?;
    show(
        "ip -brief address   (in alpha)",
        &a.netns.sh("ip -brief address show eth0")?,
    );
    show("berthctl status", &berthctl(&node, &["status"])?);

    step("DEL, and what is left");
    for pod in [a, b, c] {
        node.del_pod(pod)?;
    }
    node.stop_berthd()?;
    // The bridge and its gateway address are the operator's: they go with the switch.
    show(
        "ovs-vsctl list-ports",
        &node.ovs().vsctl(&["list-ports", BRIDGE])?,
    );
    let records = std::fs::read_dir(node.state_dir().join("attachments"))?.count();
    let links = node.netns.sh("ip -brief link | grep -c brt || true")?;
    println!("records: {records}, links of pods: {links}");
    ensure!(links == "0", "links of pods are left");
    ensure!(
        node.ovs().vsctl(&["list-ports", BRIDGE])?.is_empty(),
        "ports are left"
    );
    drop(node);

    services::run(&step)?;
    let left = tests::leftovers::of_this_process();
    ensure!(left.is_empty(), "left behind: {left:#?}");
    println!("namespaces, processes, files: none left");

    step("done");
    Ok(())
}

/// Kills vswitchd under a running stream, starts it again, and prints what died, what berthd did, and what it cost.
fn outage(node: &mut Node, a: &Pod, b: &Pod) -> Result<()> {
    let session = TcpSession::start(&a.netns, &b.netns, b.v4())?;
    let since = last_event(node)?;
    let killed = now_us()?;
    let clock = Instant::now();
    node.ovs_mut().kill_vswitchd()?;
    let dead = clock.elapsed();
    node.ovs_mut().start_vswitchd()?;
    let up = clock.elapsed();
    session
        .await_progress(LIMIT)
        .context("the stream does not go on")?;
    node.assert_whole(a, b)?;
    let report = session.finish()?;
    report.intact()?;
    println!("  {:>9}  what happened", "ms");
    line(0.0, "demo", "SIGKILL to ovs-vswitchd");
    let mut rows = vec![
        (
            dead.as_secs_f64() * 1e3,
            "demo".to_owned(),
            "ovs-vswitchd is dead; starting it again".to_owned(),
        ),
        (
            up.as_secs_f64() * 1e3,
            "demo".to_owned(),
            "ovs-vswitchd answers".to_owned(),
        ),
    ];
    for event in events(node)? {
        let sequence = event["sequence"].as_u64().unwrap_or(0);
        if sequence > since && event["kind"] != "pass" {
            let at = event["atUs"].as_u64().unwrap_or(0).saturating_sub(killed);
            let text =
                ["kind", "subject", "detail"].map(|key| event[key].as_str().unwrap_or_default());
            rows.push((at as f64 / 1e3, "berthd".to_owned(), text.join(" ")));
        }
    }
    rows.sort_by(|x, y| x.0.total_cmp(&y.0));
    for (at, who, what) in rows {
        line(at, &who, &what);
    }
    println!(
        "\n  without traffic: {} ms; bytes sent: {}; bytes lost: {}; same TCP connection",
        report.longest_gap.as_millis(),
        report.sent,
        report.tally.lost,
    );
    Ok(())
}

fn line(at: f64, who: &str, what: &str) {
    println!("  {at:9.1}  {who:<6}  {what}");
}

/// The node's configuration without a switch, on a network of its own.
fn routed(config: &Value) -> Value {
    let mut config = config.clone();
    if let Some(map) = config.as_object_mut() {
        for key in [
            "bridge",
            "port",
            "socket_file",
            "isGateway",
            "isDefaultGateway",
        ] {
            map.remove(key);
        }
    }
    config["name"] = json!("routed");
    config["ipam"]["ranges"] = json!([[{"subnet": "10.89.0.0/24"}], [{"subnet": "fd00:89::/64"}]]);
    config
}

/// What berthctl prints; it must succeed.
fn berthctl(node: &Node, arguments: &[&str]) -> Result<String> {
    let output = node.berthctl(arguments)?;
    let text = String::from_utf8_lossy(&output.stdout)
        .trim_end()
        .to_owned();
    ensure!(
        output.status.success(),
        "berthctl {arguments:?}: {text} {}",
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(text)
}

fn events(node: &Node) -> Result<Vec<Value>> {
    let status: Value = serde_json::from_str(&berthctl(node, &["-o", "json", "status"])?)?;
    Ok(status["events"].as_array().cloned().unwrap_or_default())
}

fn last_event(node: &Node) -> Result<u64> {
    Ok(events(node)?
        .iter()
        .filter_map(|event| event["sequence"].as_u64())
        .max()
        .unwrap_or(0))
}

fn now_us() -> Result<u64> {
    Ok(SystemTime::now().duration_since(UNIX_EPOCH)?.as_micros() as u64)
}

/// Prints a command and what it printed.
fn show(title: &str, text: &str) {
    println!("$ {title}");
    for line in text.lines() {
        println!("    {line}");
    }
}
