//! Port flags over OpenFlow, checked with `ovs-ofctl`.
use anyhow::Result;
use ovs::openflow::{Error, OpenFlow, PortConfig};

use crate::rig::{BRIDGE, Rig, port};

const NAME: &str = "brt0123456789ab";

#[tokio::test]
async fn no_flood_makes_the_round_trip_and_other_flags_stay() -> Result<()> {
    let rig = Rig::new("openflow-flood").await?;
    let added = rig.switch.add_port(&port(NAME)).await?;
    let mut bridge = OpenFlow::connect(rig.ovs.rundir(), BRIDGE).await?;
    let before = bridge.port(NAME).await?;
    assert_eq!(Some(before.number), added.ofport());
    assert!(!before.config.contains(PortConfig::NO_FLOOD));

    rig.ovs.ofctl(&["mod-port", BRIDGE, NAME, "no-packet-in"])?;
    bridge
        .set_config(NAME, PortConfig::NO_FLOOD, PortConfig::NO_FLOOD)
        .await?;
    let config = bridge.port(NAME).await?.config;
    assert!(config.contains(PortConfig::NO_FLOOD) && config.contains(PortConfig::NO_PACKET_IN));
    let shown = rig.ovs.ofctl(&["show", BRIDGE])?;
    assert!(shown.contains("NO_FLOOD NO_PACKET_IN"), "{shown}");

    bridge
        .set_config(NAME, PortConfig::default(), PortConfig::NO_FLOOD)
        .await?;
    let config = bridge.port(NAME).await?.config;
    assert!(!config.contains(PortConfig::NO_FLOOD) && config.contains(PortConfig::NO_PACKET_IN));
    Ok(())
}

#[tokio::test]
async fn what_is_not_there_is_named() -> Result<()> {
    let rig = Rig::new("openflow-absent").await?;
    match OpenFlow::connect(rig.ovs.rundir(), "br9").await {
        Err(Error::Connect { path, .. }) => assert_eq!(path, rig.ovs.rundir().join("br9.mgmt")),
        other => panic!("{other:?}"),
    }
    let mut bridge = OpenFlow::connect(rig.ovs.rundir(), BRIDGE).await?;
    match bridge
        .set_config(NAME, PortConfig::NO_FLOOD, PortConfig::NO_FLOOD)
        .await
    {
        Err(Error::NoSuchPort { port, .. }) => assert_eq!(port, NAME),
        other => panic!("{other:?}"),
    }
    Ok(())
}

#[tokio::test]
async fn a_restart_of_vswitchd_ends_the_connection_and_the_flag() -> Result<()> {
    let mut rig = Rig::new("openflow-restart").await?;
    rig.switch.add_port(&port(NAME)).await?;
    let mut bridge = OpenFlow::connect(rig.ovs.rundir(), BRIDGE).await?;
    bridge
        .set_config(NAME, PortConfig::NO_FLOOD, PortConfig::NO_FLOOD)
        .await?;
    rig.ovs.kill_vswitchd()?;
    let error = bridge.port(NAME).await.unwrap_err();
    assert!(matches!(error, Error::Io { .. }), "{error}");
    rig.ovs.start_vswitchd()?;
    let mut bridge = OpenFlow::connect(rig.ovs.rundir(), BRIDGE).await?;
    assert!(
        !bridge
            .port(NAME)
            .await?
            .config
            .contains(PortConfig::NO_FLOOD)
    );
    Ok(())
}
