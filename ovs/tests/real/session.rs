//! The daemon's replica against a real server: it follows, and finds its way back.
use std::sync::Arc;

use anyhow::{Context, Result};
use ovs::{Connection, Session, Snapshot};
use tokio::sync::watch;
use tokio::time::timeout;

use crate::rig::{BRIDGE, LIMIT, Rig, owner, port};

/// The first snapshot from now on for which `condition` holds.
async fn until(
    snapshots: &mut watch::Receiver<Arc<Snapshot>>,
    what: &str,
    condition: impl FnMut(&Arc<Snapshot>) -> bool,
) -> Result<Arc<Snapshot>> {
    let seen = timeout(LIMIT, snapshots.wait_for(condition)).await;
    Ok(seen
        .with_context(|| format!("no snapshot with {what}"))??
        .clone())
}

#[tokio::test]
async fn it_follows_ports_as_they_come_and_go() -> Result<()> {
    let rig = Rig::new("session-follow").await?;
    let session = Session::start(rig.ovs.socket());
    let mut snapshots = session.subscribe();
    let first = until(&mut snapshots, "a live copy", |now| now.is_live()).await?;
    assert!(first.bridges.contains_key(BRIDGE));
    assert!(
        first
            .system
            .as_ref()
            .is_some_and(|system| !system.iface_types.is_empty())
    );

    let added = rig.switch.add_port(&port("one")).await?;
    let now = until(&mut snapshots, "the port", |now| {
        now.port("one").is_some_and(|row| row.ofport().is_some())
    })
    .await?;
    let row = now.port("one").context("the port")?;
    assert_eq!(row.port, added.port);
    assert_eq!(
        (row.bridge.as_str(), row.ofport()),
        (BRIDGE, added.ofport())
    );
    assert_eq!(row.external_ids(), &owner("pod-1"));

    rig.ovs
        .vsctl(&["--no-wait", "set", "port", "one", "tag=9"])?;
    until(&mut snapshots, "the tag", |now| {
        now.ports["one"].tag == Some(9)
    })
    .await?;

    rig.switch.del_port("one", &owner("pod-1")).await?;
    let now = until(&mut snapshots, "no port", |now| {
        !now.ports.contains_key("one")
    })
    .await?;
    assert!(!now.interfaces.contains_key("one"));
    assert_eq!(now.resyncs, 1);
    Ok(())
}

#[tokio::test]
async fn a_port_replaced_by_one_of_the_same_name_in_one_transaction_is_the_new_one() -> Result<()> {
    let rig = Rig::new("session-replace").await?;
    let session = Session::start(rig.ovs.socket());
    let mut snapshots = session.subscribe();
    for round in 0..20 {
        let key = format!("external_ids:round={round}");
        rig.ovs.vsctl(&[
            "--no-wait",
            "--if-exists",
            "del-port",
            "one",
            "--",
            "add-port",
            BRIDGE,
            "one",
            "--",
            "set",
            "port",
            "one",
            &key,
        ])?;
        until(&mut snapshots, &key, |now| {
            now.ports
                .get("one")
                .is_some_and(|port| port.external_ids.get("round") == Some(&round.to_string()))
        })
        .await?;
    }
    Ok(())
}

#[tokio::test]
async fn after_a_restart_of_the_server_it_copies_everything_anew() -> Result<()> {
    let mut rig = Rig::new("session-restart").await?;
    let session = Session::start(rig.ovs.socket());
    let mut snapshots = session.subscribe();
    rig.switch.add_port(&port("one")).await?;
    until(&mut snapshots, "the port", |now| {
        now.is_live() && now.port("one").is_some()
    })
    .await?;

    rig.ovs.stop_ovsdb();
    let away = until(&mut snapshots, "the loss", |now| !now.is_live()).await?;
    // what was known stays readable
    assert!(away.port("one").is_some());
    assert!(
        matches!(&away.connection, Connection::Away { reason } if !reason.is_empty()),
        "{away:?}"
    );
    rig.ovs.start_ovsdb()?;
    let back = until(&mut snapshots, "a second copy", |now| {
        now.is_live() && now.resyncs == 2
    })
    .await?;
    assert!(back.port("one").is_some());
    // and it follows again
    rig.ovs
        .vsctl(&["--no-wait", "set", "port", "one", "tag=9"])?;
    until(&mut snapshots, "the tag", |now| {
        now.ports["one"].tag == Some(9)
    })
    .await?;
    Ok(())
}

#[tokio::test]
async fn a_wiped_database_empties_the_copy() -> Result<()> {
    let mut rig = Rig::new("session-wipe").await?;
    let session = Session::start(rig.ovs.socket());
    let mut snapshots = session.subscribe();
    until(&mut snapshots, "the bridge", |now| {
        now.is_live() && now.bridges.contains_key(BRIDGE)
    })
    .await?;
    rig.ovs.wipe_database()?;
    let wiped = until(&mut snapshots, "an empty copy", |now| {
        now.is_live() && now.bridges.is_empty()
    })
    .await?;
    assert!(wiped.ports.is_empty() && wiped.interfaces.is_empty());
    assert!(wiped.resyncs >= 2);
    Ok(())
}

#[tokio::test]
async fn it_may_start_before_the_server() -> Result<()> {
    let mut rig = Rig::new("session-early").await?;
    rig.ovs.stop_ovsdb();
    std::fs::remove_file(rig.ovs.socket()).ok();
    let session = Session::start(rig.ovs.socket());
    let mut snapshots = session.subscribe();
    until(&mut snapshots, "a reason", |now| {
        matches!(&now.connection, Connection::Away { reason } if reason.contains("No such file"))
    })
    .await?;
    rig.ovs.start_ovsdb()?;
    until(&mut snapshots, "a live copy", |now| now.is_live()).await?;
    Ok(())
}

#[tokio::test]
async fn a_restart_of_vswitchd_shows_as_changes_not_as_a_loss() -> Result<()> {
    let mut rig = Rig::new("session-vswitchd").await?;
    let session = Session::start(rig.ovs.socket());
    let mut snapshots = session.subscribe();
    rig.switch.add_port(&port("one")).await?;
    // only a device that is up loses its carrier with vswitchd
    rig.root.sh("ip link set one up")?;
    let resets = |now: &Snapshot| {
        now.interfaces
            .get("one")
            .and_then(|interface| interface.link_resets)
    };
    let before = until(&mut snapshots, "a carrier", |now| resets(now) > Some(0)).await?;
    rig.ovs.kill_vswitchd()?;
    rig.ovs.start_vswitchd()?;
    let after = until(&mut snapshots, "other link_resets", |now| {
        resets(now) > resets(&before)
    })
    .await?;
    assert_eq!(after.resyncs, 1);
    assert_eq!(
        after.port("one").and_then(|row| row.ofport()),
        before.port("one").and_then(|row| row.ofport())
    );
    Ok(())
}

#[tokio::test]
async fn a_row_it_cannot_read_hides_no_other() -> Result<()> {
    let rig = Rig::new("session-odd").await?;
    let session = Session::start(rig.ovs.socket());
    let mut snapshots = session.subscribe();
    rig.ovs.vsctl(&[
        "--no-wait",
        "add-br",
        "odd",
        "--",
        "set",
        "bridge",
        "odd",
        "datapath_type=dummy",
    ])?;
    let now = until(&mut snapshots, "the port of the odd bridge", |now| {
        now.ports.contains_key("odd")
    })
    .await?;
    assert!(now.bridges.contains_key(BRIDGE) && !now.bridges.contains_key("odd"));
    rig.ovs
        .vsctl(&["--no-wait", "set", "bridge", "odd", "datapath_type=netdev"])?;
    until(&mut snapshots, "the bridge made readable", |now| {
        now.bridges.contains_key("odd")
    })
    .await?;
    Ok(())
}

#[tokio::test]
async fn it_holds_no_lock() -> Result<()> {
    // vswitchd destroys its bridges when it loses the lock; so the lock must be free for it at a restart
    let mut rig = Rig::new("session-lock").await?;
    let session = Session::start(rig.ovs.socket());
    let mut snapshots = session.subscribe();
    until(&mut snapshots, "a live copy", |now| now.is_live()).await?;
    rig.ovs.kill_vswitchd()?;
    rig.ovs.start_vswitchd()?;
    rig.switch.add_port(&port("one")).await?;
    Ok(())
}
