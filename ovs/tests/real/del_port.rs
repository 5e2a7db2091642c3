//! Removing ports: whose they are, twice, and by others meanwhile.
use anyhow::Result;
use ovs::{ExternalIds, Switch};

use crate::rig::{BRIDGE, LIMIT, Rig, owner, port, until};

const NAME: &str = "brt0123456789ab";

#[tokio::test]
async fn rows_and_tap_go_and_the_second_time_nothing_is_there() -> Result<()> {
    let rig = Rig::new("del-twice").await?;
    rig.switch.add_port(&port(NAME)).await?;
    assert!(rig.switch.del_port(NAME, &owner("pod-1")).await?);
    assert_eq!(
        (rig.rows("Port", NAME)?, rig.rows("Interface", NAME)?),
        (0, 0)
    );
    rig.switch.settled(LIMIT).await?;
    assert!(!rig.has_device(NAME));
    assert!(!rig.switch.del_port(NAME, &owner("pod-1")).await?);
    Ok(())
}

#[tokio::test]
async fn a_port_of_somebody_else_stays() -> Result<()> {
    let rig = Rig::new("del-foreign").await?;
    rig.switch.add_port(&port(NAME)).await?;
    assert!(!rig.switch.del_port(NAME, &owner("pod-2")).await?);
    assert_eq!(rig.rows("Port", NAME)?, 1);
    rig.ovs.vsctl(&[
        "add-port",
        BRIDGE,
        "plain",
        "--",
        "set",
        "interface",
        "plain",
        "type=internal",
    ])?;
    assert!(!rig.switch.del_port("plain", &owner("pod-1")).await?);
    assert_eq!(rig.rows("Port", "plain")?, 1);
    Ok(())
}

#[tokio::test]
async fn without_an_owner_any_port_goes_from_whichever_bridge_has_it() -> Result<()> {
    let rig = Rig::new("del-any").await?;
    rig.ovs.add_bridge("br1")?;
    rig.ovs.vsctl(&[
        "add-port",
        "br1",
        "plain",
        "--",
        "set",
        "interface",
        "plain",
        "type=internal",
    ])?;
    assert!(rig.switch.del_port("plain", &ExternalIds::new()).await?);
    assert_eq!(rig.rows("Port", "plain")?, 0);
    Ok(())
}

#[tokio::test]
async fn of_two_that_remove_the_same_port_both_succeed() -> Result<()> {
    let rig = Rig::new("del-race").await?;
    let other = Switch::connect(rig.ovs.socket()).await?;
    for _ in 0..20 {
        rig.switch.add_port(&port(NAME)).await?;
        let nobody = ExternalIds::new();
        let (mine, others) = tokio::join!(
            rig.switch.del_port(NAME, &nobody),
            other.del_port(NAME, &nobody)
        );
        assert!(mine? || others?);
        assert_eq!(rig.rows("Port", NAME)?, 0);
    }
    Ok(())
}

#[tokio::test]
async fn the_row_goes_also_while_vswitchd_is_dead() -> Result<()> {
    let mut rig = Rig::new("del-dead").await?;
    rig.switch.add_port(&port(NAME)).await?;
    rig.ovs.kill_vswitchd()?;
    assert!(rig.switch.del_port(NAME, &owner("pod-1")).await?);
    assert_eq!(rig.rows("Port", NAME)?, 0);
    Ok(())
}

#[tokio::test]
async fn the_next_call_connects_anew_when_the_database_was_restarted() -> Result<()> {
    let mut rig = Rig::new("del-reconnect").await?;
    rig.switch.add_port(&port(NAME)).await?;
    rig.ovs.restart_ovsdb()?;
    // a call made before the end of the old connection is noticed may still fail by it
    until("a new connection", async || {
        Ok(rig.switch.system().await.is_ok())
    })
    .await?;
    assert!(rig.switch.del_port(NAME, &owner("pod-1")).await?);
    Ok(())
}
