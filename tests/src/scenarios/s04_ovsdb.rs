//! Scenario 4: ovsdb-server restarts, loses its database, or does not answer while pods come and go.

use anyhow::{Context, Result, ensure};

use super::{LIMIT, stage};
use crate::netns::Netns;
use crate::node::BRIDGE;
use crate::runner::{Case, Scenarios};
use crate::wait;

/// The CNI code for "try again later".
const TRY_AGAIN: u32 = 11;

pub(super) fn add(suite: Scenarios) -> Scenarios {
    suite
        .each("s04_ovsdb_restart", |case| {
            let mut stage = stage(case)?;
            stage.node.ovs_mut().restart_ovsdb()?;
            stage.strike()
        })
        .each("s04_database_wiped", wiped)
        .each("s04_socket_away_during_add", away_during_add)
        .each("s04_socket_away_during_del", away_during_del)
}

/// vswitchd takes everything down; the daemon makes bridge and ports anew from the records.
fn wiped(case: Case) -> Result<()> {
    let mut stage = stage(case)?;
    let ports = [stage.a.port(&stage.node)?, stage.b.port(&stage.node)?];
    stage.node.ovs_mut().wipe_database()?;
    wait::until_ok(LIMIT, "the ports to be rows again", || {
        let rows = stage.node.ovs().vsctl(&["list-ports", BRIDGE])?;
        ensure!(
            ports.iter().all(|port| rows.contains(port.as_str())),
            "{rows}"
        );
        Ok(())
    })?;
    stage.strike()
}

fn away_during_add(case: Case) -> Result<()> {
    let mut stage = stage(case)?;
    let before = records(&stage)?;
    stage.node.ovs_mut().stop_ovsdb();
    let netns = Netns::new("late")?;
    let cni = stage.node.cni("late", netns.path())?;
    let failure = cni.call("ADD")?.failure()?;
    ensure!(failure.code == TRY_AGAIN, "{failure:?}");
    ensure!(
        failure.msg.contains("db.sock"),
        "the socket is not named: {failure:?}"
    );
    ensure!(records(&stage)? == before, "a record is left");
    netns
        .sh("! ip link show eth0 2>/dev/null")
        .context("an interface is left")?;
    stage.node.ovs_mut().start_ovsdb()?;
    cni.add().context("ADD after the database is back")?;
    cni.del()?;
    stage.strike()
}

/// DEL neither hangs nor blocks the pod's end; what could not be removed is removed when the database is back.
fn away_during_del(case: Case) -> Result<()> {
    let mut stage = stage(case)?;
    let pod = stage.node.add_pod("late")?;
    let port = pod.port(&stage.node)?;
    stage.node.ovs_mut().stop_ovsdb();
    let answer = pod.cni.call("DEL")?;
    if answer.status != Some(0) {
        let failure = answer.failure()?;
        ensure!(failure.code == TRY_AGAIN, "{failure:?}");
    }
    stage.node.ovs_mut().start_ovsdb()?;
    pod.cni.del().context("DEL after the database is back")?;
    wait::until(LIMIT, "the row to go", || {
        stage
            .node
            .ovs()
            .vsctl(&["list-ports", BRIDGE])
            .is_ok_and(|rows| !rows.contains(&port))
    })?;
    stage.strike()
}

fn records(stage: &super::Stage) -> Result<usize> {
    Ok(std::fs::read_dir(stage.node.state_dir().join("attachments"))?.count())
}
