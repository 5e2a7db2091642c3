//! What `berthctl` prints, with and without a daemon, and its exit status.

mod rig;

use anyhow::{Result, ensure};
use attachment::{Strategy, names};
use rig::{BRIDGE, LIMIT, Node, code, stderr, stdout};
use serde_json::Value;
use tests::wait;

#[test]
fn status_in_every_format() -> Result<()> {
    let mut node = Node::switched()?;
    let _pod = node.attach(2, Strategy::Rename)?;
    node.start()?;
    node.await_healthy()?;
    let table = node.berthctl(&["status"])?;
    ensure!(code(table.status) == 0, "{}", stderr(&table));
    let text = stdout(&table);
    ensure!(text.starts_with("node n1: healthy\n"), "{text}");
    for part in [
        "1: 1 ready, 0 changing, 0 in trouble",
        "OVSDB         connected at ",
        "ovs-vswitchd  process ",
        "last events:",
        "vswitchd-started",
    ] {
        ensure!(text.contains(part), "no {part:?} in\n{text}");
    }
    let json: Value = serde_json::from_slice(&node.berthctl(&["-o", "json", "status"])?.stdout)?;
    ensure!(json["healthy"] == true && json["node"] == "n1" && json["abiVersion"] == 2);
    let yaml = stdout(&node.berthctl(&["status", "-o", "yaml"])?);
    for line in ["healthy: true", "node: n1", "  connected: true"] {
        ensure!(yaml.lines().any(|l| l == line), "no {line:?} in\n{yaml}");
    }
    Ok(())
}

#[test]
fn ports_in_every_format() -> Result<()> {
    let mut node = Node::switched()?;
    let pod = node.attach(2, Strategy::Rename)?;
    node.start()?;
    node.await_healthy()?;
    let table = node.berthctl(&["ports"])?;
    ensure!(code(table.status) == 0);
    let text = stdout(&table);
    let mut lines = text.lines();
    let head = lines.next().unwrap_or_default();
    ensure!(head.starts_with("CONTAINER "), "{text}");
    let row = lines.next().unwrap_or_default();
    for cell in ["eth0", "ready", "rename", BRIDGE, "10.1.0.2/24"] {
        ensure!(
            row.split_whitespace().any(|c| c == cell),
            "no {cell:?} in\n{text}"
        );
    }
    ensure!(row.contains(&pod.record.port_name), "{text}");
    let yaml = stdout(&node.berthctl(&["-o", "yaml", "ports"])?);
    ensure!(yaml.contains("strategy: rename"), "{yaml}");
    let json = node.port(&pod)?;
    ensure!(json["containerId"] == pod.record.container_id, "{json:#}");
    ensure!(json["mtu"] == 1500 && json["repairs"] == 0, "{json:#}");
    Ok(())
}

#[test]
fn ports_come_from_the_records_when_no_daemon_answers() -> Result<()> {
    let node = Node::switched()?;
    let pod = node.attach(2, Strategy::Rename)?;
    let output = node.berthctl(&["-o", "json", "ports"])?;
    ensure!(code(output.status) == 1);
    let said = stderr(&output);
    ensure!(said.contains("berthd does not answer at "), "{said}");
    ensure!(said.contains("from the records in "), "{said}");
    let ports: Value = serde_json::from_slice(&output.stdout)?;
    ensure!(ports["source"] == "records");
    ensure!(ports["ports"][0]["port"] == pod.record.port_name);
    ensure!(ports["ports"][0]["state"] == "unknown");
    Ok(())
}

#[test]
fn status_and_events_without_a_daemon_are_not_healthy() -> Result<()> {
    let node = Node::bare()?;
    for verb in ["status", "events"] {
        let output = node.berthctl(&[verb])?;
        ensure!(code(output.status) == 1 && output.stdout.is_empty());
        let said = stderr(&output);
        ensure!(said.contains("berthd does not answer at "), "{said}");
    }
    Ok(())
}

#[test]
fn what_makes_no_sense_is_a_usage_error() -> Result<()> {
    let node = Node::bare()?;
    for arguments in [vec!["prots"], vec!["-o", "xml", "ports"], vec![]] {
        ensure!(
            code(node.berthctl(&arguments)?.status) == 2,
            "{arguments:?}"
        );
    }
    Ok(())
}

#[test]
fn services_that_are_not_programmed_are_told_so() -> Result<()> {
    let mut node = Node::switched()?;
    node.start()?;
    node.await_healthy()?;
    for verb in ["services", "backends"] {
        let output = node.berthctl(&[verb])?;
        ensure!(code(output.status) == 1, "{output:?}");
        let said = stderr(&output);
        ensure!(said.contains("--services is none"), "{said}");
    }
    Ok(())
}

/// Findings of a check.
fn findings(node: &Node, check: &str) -> Result<Vec<Value>> {
    let report = node.json("doctor")?;
    let findings = report["findings"].as_array().cloned().unwrap_or_default();
    Ok(findings
        .into_iter()
        .filter(|f| f["check"] == check)
        .collect())
}

#[test]
fn the_doctor_finds_nothing_wrong_with_a_good_node() -> Result<()> {
    let mut node = Node::switched()?;
    let _pods = [
        node.attach(2, Strategy::Rename)?,
        node.attach(3, Strategy::Veth)?,
    ];
    node.start()?;
    node.await_healthy()?;
    let output = node.berthctl(&["doctor"])?;
    ensure!(code(output.status) == 0, "{}", stdout(&output));
    ensure!(!stdout(&output).contains("ERROR"), "{}", stdout(&output));
    Ok(())
}

#[test]
fn the_doctor_finds_what_is_wrong_and_says_what_to_do() -> Result<()> {
    let mut node = Node::switched()?;
    let pod = node.attach(2, Strategy::Rename)?;
    node.start()?;
    let state = node.state();
    let orphan = names::port_name("forgotten", "eth0");
    let dir = format!(
        "external_ids:{}=\"{}\"",
        names::STATE_DIR_KEY,
        state.display()
    );
    let corrupt = state.join("attachments/broken.eth0.json");
    std::fs::write(&corrupt, "{")?;
    wait::until_some(LIMIT, "the corrupt record to be seen", || {
        let seen = node.status().ok()?["corruptRecords"].as_array()?.len();
        (seen == 1).then_some(())
    })?;
    node.ovs().vsctl(&[
        "add-port",
        BRIDGE,
        &orphan,
        "--",
        "set",
        "Interface",
        &orphan,
        "type=internal",
        "external_ids:owner=berth",
        &dir,
        "--",
        "set",
        "Port",
        &orphan,
        "external_ids:owner=berth",
        &dir,
        "--",
        "set",
        "Open_vSwitch",
        ".",
        "other_config:flow-restore-wait=true",
    ])?;
    node.root
        .output("ip", ["link", "set", BRIDGE, "mtu", "1400"])?;
    let rows = [
        ("stale-ports", "warning", orphan.as_str()),
        ("ghosts", "warning", orphan.as_str()),
        ("flow-restore-wait", "error", "db.sock"),
        ("records", "error", "broken.eth0.json"),
        ("mtu", "warning", pod.record.container_id.as_str()),
    ];
    wait::until_ok(LIMIT, "the findings", || {
        for (check, severity, subject) in rows {
            let found = findings(&node, check)?;
            let hit = found.iter().any(|finding| {
                let named = finding["subject"]
                    .as_str()
                    .is_some_and(|s| s.contains(subject));
                let advised = finding["advice"].as_str().is_some_and(|a| !a.is_empty());
                named && advised && finding["severity"] == severity
            });
            ensure!(hit, "{check}: {found:#?}");
        }
        Ok(())
    })?;
    let output = node.berthctl(&["doctor"])?;
    ensure!(code(output.status) == 1);
    ensure!(stdout(&output).starts_with("ERROR "), "{}", stdout(&output));

    node.ovs().kill_vswitchd()?;
    let found = findings(&node, "vswitchd")?;
    ensure!(found.len() == 1, "{found:#?}");
    Ok(())
}

#[test]
fn the_doctor_works_without_a_daemon_and_misses_it() -> Result<()> {
    let node = Node::bare()?;
    let output = node.berthctl(&["-o", "json", "doctor", "--ovsdb", "/nonexistent/db.sock"])?;
    ensure!(code(output.status) == 1);
    let report: Value = serde_json::from_slice(&output.stdout)?;
    ensure!(report["source"] == "berthctl");
    let findings = report["findings"].as_array().cloned().unwrap_or_default();
    let of = |check: &str| findings.iter().find(|f| f["check"] == check).cloned();
    ensure!(of("daemon").is_some_and(|f| f["severity"] == "error"));
    ensure!(of("ovsdb").is_some_and(|f| f["severity"] == "note"));
    Ok(())
}
