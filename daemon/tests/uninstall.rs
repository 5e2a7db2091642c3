//! `berthd uninstall` removes what is dead, leaves what lives, and tells which.

mod rig;

use anyhow::{Result, ensure};
use attachment::{Strategy, names};
use nix::sys::signal::Signal;
use rig::{BRIDGE, Node, code, stderr, stdout};
use tests::traffic::TcpSession;

#[test]
fn the_dead_go_the_living_stay_and_twice_is_as_good_as_once() -> Result<()> {
    let mut node = Node::switched()?;
    let (a, b) = (
        node.attach(2, Strategy::Rename)?,
        node.attach(3, Strategy::Rename)?,
    );
    let dead = node.attach(4, Strategy::Veth)?;
    let orphan = names::port_name("forgotten", "eth0");
    let dir = format!(
        "external_ids:{}=\"{}\"",
        names::STATE_DIR_KEY,
        node.state().display()
    );
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
    ])?;
    node.root.output("nft", ["add", "table", "inet", "berth"])?;
    let network = node.ipam().join("net");
    std::fs::create_dir_all(&network)?;
    let holder = format!("{}\r\neth0", dead.record.container_id);
    std::fs::write(network.join("10.1.0.4"), holder)?;
    let record = dead.record.clone();
    drop(dead);

    let session = TcpSession::start(&a.netns, &b.netns, b.address())?;
    let first = node.berthd(&["uninstall"]).output()?;
    let text = stdout(&first);
    ensure!(code(first.status) == 0, "{text}{}", stderr(&first));
    for line in [
        format!("removed  port {orphan} of bridge {BRIDGE}"),
        "removed  nftables table inet berth".to_owned(),
        "removed  lease of 10.1.0.4 in network net".to_owned(),
    ] {
        ensure!(text.lines().any(|l| l == line), "no {line:?} in\n{text}");
    }
    ensure!(text.contains(&format!(
        "{}.eth0.json of a pod that is gone",
        record.container_id
    )));
    for pod in [&a, &b] {
        let line = format!("left     interface {}/eth0", pod.record.container_id);
        ensure!(text.contains(&line), "no {line:?} in\n{text}");
    }
    session.finish()?.intact()?;
    let ports = node.ovs().vsctl(&["list-ports", BRIDGE])?;
    ensure!(ports.lines().count() == 2, "{ports}");
    ensure!(
        !node
            .root
            .output("nft", ["list", "tables"])?
            .contains("berth")
    );

    let second = stdout(&node.berthd(&["uninstall"]).output()?);
    ensure!(
        second.lines().all(|l| !l.starts_with("removed  port")),
        "{second}"
    );
    ensure!(!second.contains("of a pod that is gone"), "{second}");
    Ok(())
}

#[test]
fn on_an_empty_node_nothing_is_left_and_nothing_is_made() -> Result<()> {
    let mut node = Node::bare()?;
    node.start()?;
    node.end(Signal::SIGTERM)?;
    let first = node.berthd(&["uninstall"]).output()?;
    ensure!(code(first.status) == 0, "{}", stderr(&first));
    ensure!(!node.state().exists(), "{}", stdout(&first));
    let second = node.berthd(&["uninstall"]).output()?;
    ensure!(
        stdout(&second) == "nothing was there to remove\n",
        "{}",
        stdout(&second)
    );
    ensure!(!node.state().exists());
    Ok(())
}

#[test]
fn a_running_daemon_is_not_pulled_away_under_its_feet() -> Result<()> {
    let mut node = Node::bare()?;
    node.start()?;
    let output = node.berthd(&["uninstall"]).output()?;
    ensure!(code(output.status) == 1);
    let said = stderr(&output);
    ensure!(said.contains("belongs to a running berthd"), "{said}");
    node.await_healthy()
}
