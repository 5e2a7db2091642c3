//! The daemon puts right what is lost, and leaves alone what is not its own.

mod rig;

use anyhow::{Result, ensure};
use attachment::record::Phase;
use attachment::{Strategy, names};
use rig::{BRIDGE, LIMIT, Node};
use tests::netns::Netns;
use tests::traffic::{PingTrain, TcpSession};
use tests::wait;

#[test]
fn a_killed_vswitchd_costs_a_gap_and_no_connection() -> Result<()> {
    let mut node = Node::switched()?;
    let (a, b) = (
        node.attach(2, Strategy::Rename)?,
        node.attach(3, Strategy::Rename)?,
    );
    node.start()?;
    let session = TcpSession::start(&a.netns, &b.netns, b.address())?;
    node.ovs().kill_vswitchd()?;
    node.await_event("vswitchd-died")?;
    node.ovs().start_vswitchd()?;
    session.await_progress(LIMIT)?;
    session.finish()?.intact()?;
    for pod in [&a, &b] {
        let port = node.await_repair(pod)?;
        ensure!(port["repairTookMs"].as_f64() > Some(0.0), "{port:#}");
    }
    for kind in ["vswitchd-started", "link-seen", "action", "repaired"] {
        node.await_event(kind)?;
    }
    node.await_healthy()
}

#[test]
fn what_was_lost_while_no_daemon_ran_is_found_at_start() -> Result<()> {
    let mut node = Node::switched()?;
    let (a, b) = (
        node.attach(2, Strategy::Rename)?,
        node.attach(3, Strategy::Rename)?,
    );
    node.ovs().kill_vswitchd()?;
    node.ovs().start_vswitchd()?;
    node.start()?;
    node.await_healthy()?;
    let session = TcpSession::start(&a.netns, &b.netns, b.address())?;
    session.await_progress(LIMIT)?;
    session.finish()?.intact()
}

#[test]
fn ovsdb_may_be_away_at_start_and_come_later() -> Result<()> {
    let mut node = Node::switched()?;
    let pod = node.attach(2, Strategy::Rename)?;
    node.ovs().stop_ovsdb();
    node.start()?;
    let status = node.status()?;
    ensure!(status["healthy"] == false && status["ovsdb"]["connected"] == false);
    let problem = status["problems"][0]
        .as_str()
        .unwrap_or_default()
        .to_owned();
    ensure!(problem.contains("OVSDB does not answer at"), "{problem}");
    ensure!(node.port(&pod)?["state"] == "unknown");
    node.ovs().start_ovsdb()?;
    node.await_healthy()
}

#[test]
fn ovsdb_may_go_and_come_back() -> Result<()> {
    let mut node = Node::switched()?;
    let pod = node.attach(2, Strategy::Rename)?;
    node.start()?;
    node.await_healthy()?;
    node.ovs().stop_ovsdb();
    node.await_event("ovsdb-lost")?;
    node.ovs().start_ovsdb()?;
    node.await_healthy()?;
    ensure!(node.port(&pod)?["state"] == "ready");
    Ok(())
}

#[test]
fn a_wiped_database_gets_its_bridge_and_ports_again() -> Result<()> {
    let mut node = Node::switched()?;
    let (a, b) = (
        node.attach(2, Strategy::Rename)?,
        node.attach(3, Strategy::Rename)?,
    );
    node.start()?;
    let session = TcpSession::start(&a.netns, &b.netns, b.address())?;
    node.ovs().wipe_database()?;
    node.await_repair(&a)?;
    session.await_progress(LIMIT)?;
    session.finish()?.intact()?;
    node.await_healthy()
}

#[test]
fn a_corrupt_record_is_shown_and_the_others_are_served() -> Result<()> {
    let mut node = Node::switched()?;
    let pod = node.attach(2, Strategy::Rename)?;
    let corrupt = node.state().join("attachments/broken.eth0.json");
    std::fs::write(&corrupt, "{\"version\": 1, \"pha")?;
    node.start()?;
    let status = node.status()?;
    ensure!(
        status["corruptRecords"][0]["path"] == corrupt.display().to_string(),
        "{status:#}"
    );
    ensure!(status["healthy"] == false);
    node.ovs().kill_vswitchd()?;
    node.ovs().start_vswitchd()?;
    node.await_repair(&pod)?;
    std::fs::remove_file(&corrupt)?;
    node.await_healthy()
}

#[test]
fn a_port_of_ours_without_a_record_goes_and_foreign_ones_stay() -> Result<()> {
    let mut node = Node::switched()?;
    let live = node.attach(2, Strategy::Rename)?;
    let orphan = names::port_name("forgotten", "eth0");
    let elsewhere = names::port_name("another-node", "eth0");
    let state = node.state().display().to_string();
    for (port, owner, dir) in [
        (orphan.as_str(), "berth", state.as_str()),
        (elsewhere.as_str(), "berth", "/run/another"),
        ("vnet0", "somebody", state.as_str()),
    ] {
        let ids = format!("external_ids:owner={owner}");
        let dir = format!("external_ids:{}=\"{dir}\"", names::STATE_DIR_KEY);
        node.ovs().vsctl(&[
            "add-port",
            BRIDGE,
            port,
            "--",
            "set",
            "Interface",
            port,
            "type=internal",
            &ids,
            &dir,
            "--",
            "set",
            "Port",
            port,
            &ids,
            &dir,
        ])?;
    }
    node.start()?;
    let seen = node.await_event("stale-port-seen")?;
    ensure!(seen["subject"] == orphan, "{seen:#}");
    let event = node.await_event("stale-port-deleted")?;
    ensure!(event["subject"] == orphan, "{event:#}");
    let ports = node.ovs().vsctl(&["list-ports", BRIDGE])?;
    for kept in [elsewhere.as_str(), "vnet0", &live.record.port_name] {
        ensure!(
            ports.lines().any(|port| port == kept),
            "{kept} is gone: {ports}"
        );
    }
    ensure!(!ports.contains(&orphan), "{ports}");
    Ok(())
}

#[test]
fn no_port_goes_while_a_record_cannot_be_read() -> Result<()> {
    let mut node = Node::switched()?;
    let pod = node.attach(2, Strategy::Rename)?;
    let path = node
        .state()
        .join(format!("attachments/{}.eth0.json", pod.record.container_id));
    std::fs::write(&path, "{")?;
    node.start_with(&["--healthz", "none", "--metrics", "none", "--resync", "1"])?;
    // The later ones are far enough apart to confirm a suspicion.
    wait::until_ok(LIMIT, "five full passes", || {
        let full = node.status()?["passes"]["full"].as_u64();
        ensure!(full >= Some(5), "{full:?}");
        Ok(())
    })?;
    let ports = node.ovs().vsctl(&["list-ports", BRIDGE])?;
    ensure!(ports.contains(&pod.record.port_name), "{ports}");
    Ok(())
}

#[test]
fn a_pod_that_died_unseen_is_cleaned_up_at_start_and_a_live_one_is_not() -> Result<()> {
    let mut node = Node::switched()?;
    let live = node.attach(2, Strategy::Rename)?;
    let dead = node.attach(3, Strategy::Rename)?;
    let network = node.ipam().join("net");
    std::fs::create_dir_all(&network)?;
    for pod in [&live, &dead] {
        let holder = format!("{}\r\neth0", pod.record.container_id);
        std::fs::write(network.join(pod.address().to_string()), holder)?;
    }
    let (record, address) = (dead.record.clone(), dead.address());
    drop(dead);
    node.start()?;
    node.await_event("record-cleaned")?;
    ensure!(
        !network.join(address.to_string()).exists(),
        "the lease of the dead stays"
    );
    ensure!(network.join(live.address().to_string()).exists());
    let ports = node.ovs().vsctl(&["list-ports", BRIDGE])?;
    ensure!(!ports.contains(&record.port_name), "{ports}");
    ensure!(ports.contains(&live.record.port_name), "{ports}");
    node.await_healthy()
}

#[test]
fn what_a_del_left_while_the_switch_was_away_goes_when_it_is_back() -> Result<()> {
    let mut node = Node::switched()?;
    let pod = node.attach(2, Strategy::Veth)?;
    node.start()?;
    node.await_healthy()?;
    node.ovs().stop_ovsdb();
    let errors = node.run(|host, store| async move {
        let key = pod.record.key();
        let _lock = store.lock(&key, LIMIT).await?;
        let request = attachment::DetachRequest {
            key: &key,
            record: Some(&pod.record),
            netns: Some(pod.netns.path()),
            socket: None,
        };
        let done = attachment::detach(&host, &store, &request).await;
        ensure!(done.only_switch_away(), "{:?}", done.errors);
        let record = store.read(&key)?;
        ensure!(record.is_some_and(|r| r.phase == Phase::Deleting));
        Ok(done.errors.len())
    })?;
    ensure!(errors == 1);
    node.ovs().start_ovsdb()?;
    node.await_event("record-cleaned")?;
    let ports = node.ovs().vsctl(&["list-ports", BRIDGE])?;
    ensure!(ports.is_empty(), "{ports}");
    ensure!(
        node.json("ports")?["ports"]
            .as_array()
            .is_some_and(Vec::is_empty)
    );
    Ok(())
}

#[test]
fn a_routed_port_gets_its_host_end_again() -> Result<()> {
    let mut node = Node::bare()?;
    // Something to speak from.
    node.root
        .output("ip", ["address", "add", "192.0.2.1/32", "dev", "lo"])?;
    let pod = node.attach(2, Strategy::Routed)?;
    node.start()?;
    node.await_healthy()?;
    node.root
        .output("ip", ["link", "delete", &pod.record.port_name])?;
    node.await_repair(&pod)?;
    let address = pod.address();
    let train = PingTrain::start(&node.root, &pod.netns, address)?;
    train.await_answer(LIMIT)?;
    drop(train.finish());
    let route = node
        .root
        .output("ip", ["route", "get", &address.to_string()])?;
    ensure!(route.contains(&pod.record.port_name), "{route}");
    node.await_healthy()
}

#[test]
fn a_record_that_comes_and_goes_is_followed() -> Result<()> {
    let mut node = Node::switched()?;
    node.start()?;
    let pod = node.attach(2, Strategy::Veth)?;
    wait::until_ok(LIMIT, "the new port", || {
        let port = node.port(&pod)?;
        ensure!(port["state"] == "ready", "{port:#}");
        Ok(())
    })?;
    let netns = Netns::new("other")?;
    let mut record = node.record(&netns, 9, Strategy::Veth)?;
    record.container_id = "half".to_owned();
    node.run(|_, store| async move {
        store.write(&record)?;
        Ok(())
    })?;
    wait::until_ok(LIMIT, "a port that is being added", || {
        let ports = node.json("ports")?;
        let found = ports["ports"].as_array().is_some_and(|ports| {
            ports
                .iter()
                .any(|p| p["containerId"] == "half" && p["state"] == "adding")
        });
        ensure!(found, "{ports:#}");
        Ok(())
    })?;
    std::fs::remove_file(node.state().join("attachments/half.eth0.json"))?;
    wait::until_ok(LIMIT, "its end", || {
        let ports = node.json("ports")?;
        ensure!(
            ports["ports"].as_array().is_some_and(|p| p.len() == 1),
            "{ports:#}"
        );
        Ok(())
    })
}

#[test]
fn no_port_goes_because_somebody_removed_the_records() -> Result<()> {
    let mut node = Node::switched()?;
    let pod = node.attach(2, Strategy::Rename)?;
    node.start_with(&["--healthz", "none", "--metrics", "none", "--resync", "1"])?;
    node.await_healthy()?;
    std::fs::remove_dir_all(node.state().join("attachments"))?;
    wait::until_ok(LIMIT, "the loss to be told", || {
        let status = node.status()?;
        let problem = status["problems"][0]
            .as_str()
            .unwrap_or_default()
            .to_owned();
        ensure!(
            problem.contains("was removed while berthd ran"),
            "{status:#}"
        );
        Ok(())
    })?;
    let before = node.status()?["passes"]["full"].as_u64();
    wait::until_ok(LIMIT, "five full passes", || {
        let full = node.status()?["passes"]["full"].as_u64();
        ensure!(full >= before.map(|before| before + 5), "{full:?}");
        Ok(())
    })?;
    let ports = node.ovs().vsctl(&["list-ports", BRIDGE])?;
    ensure!(ports.contains(&pod.record.port_name), "{ports}");
    Ok(())
}
