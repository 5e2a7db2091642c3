//! Adding ports: what reaches the database and the datapath, and what is left when it cannot work.
use std::time::Duration;

use anyhow::Result;
use ovs::{Error, ExternalIds, InterfaceType, Mac, PortSpec, Switch, VlanMode};

use crate::rig::{BRIDGE, LIMIT, Rig, owner, port, until};

const NAME: &str = "brt0123456789ab";

async fn has_row(switch: &Switch) -> Result<()> {
    until("the row", async || Ok(switch.port(NAME).await?.is_some())).await
}

#[tokio::test]
async fn every_setting_arrives() -> Result<()> {
    let rig = Rig::new("add-settings").await?;
    let mac = Mac([0x0a, 0x58, 1, 2, 3, 4]);
    let spec = PortSpec {
        tag: Some(7),
        trunks: vec![7, 8, 9],
        vlan_mode: Some(VlanMode::NativeUntagged),
        mac: Some(mac),
        mtu_request: Some(1400),
        ofport_request: Some(77),
        ..port(NAME)
    };
    let added = rig.switch.add_port(&spec).await?;
    assert_eq!(added.ofport(), Some(77));
    assert_eq!(added.error(), None);
    assert_eq!(added.bridge, BRIDGE);

    let link = rig.root.ip_json(&format!("link show {NAME}"))?;
    assert_eq!(link[0]["address"], "0a:58:01:02:03:04");
    assert_eq!(link[0]["mtu"], 1400);
    for table in ["Port", "Interface"] {
        assert_eq!(
            rig.get(table, NAME, "external_ids")?,
            r#"{berth-container=pod-1, owner=berth}"#
        );
    }
    assert_eq!(rig.get("Port", NAME, "tag")?, "7");
    assert_eq!(rig.get("Port", NAME, "trunks")?, "[7, 8, 9]");
    assert_eq!(rig.get("Port", NAME, "vlan_mode")?, "native-untagged");
    assert_eq!(rig.get("Interface", NAME, "type")?, "internal");

    let found = rig.switch.port(NAME).await?.expect("the port was added");
    assert_eq!(found.port, added.port);
    assert_eq!(found.interface.mac, Some(mac));
    assert_eq!(found.interface.mtu_request, Some(1400));
    Ok(())
}

#[tokio::test]
async fn the_tap_is_there_when_add_returns() -> Result<()> {
    let rig = Rig::new("add-tap").await?;
    for number in 0..20 {
        let name = format!("brt{number:012}");
        rig.switch.add_port(&port(&name)).await?;
        assert!(rig.has_device(&name), "{name} is not in root");
    }
    Ok(())
}

#[tokio::test]
async fn a_system_port_takes_the_device_that_is_there() -> Result<()> {
    let rig = Rig::new("add-system").await?;
    rig.root.sh("ip link add host0 type veth peer name pod0")?;
    let spec = PortSpec {
        interface_type: InterfaceType::System,
        ..port("host0")
    };
    let added = rig.switch.add_port(&spec).await?;
    assert_ne!(added.ofport(), None);
    assert_eq!(rig.get("Interface", "host0", "type")?, "system");
    Ok(())
}

#[tokio::test]
async fn without_its_bridge_nothing_is_added() -> Result<()> {
    let rig = Rig::new("add-nobridge").await?;
    let spec = PortSpec {
        bridge: "br9".to_owned(),
        ..port(NAME)
    };
    match rig.switch.add_port(&spec).await {
        Err(error @ Error::NoSuchBridge { .. }) => {
            assert_eq!(error.to_string(), "bridge br9 does not exist");
            assert!(!error.is_retryable());
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(
        (rig.rows("Port", NAME)?, rig.rows("Interface", NAME)?),
        (0, 0)
    );
    Ok(())
}

#[tokio::test]
async fn a_name_that_is_taken_is_an_error_with_its_owner() -> Result<()> {
    let rig = Rig::new("add-taken").await?;
    let before = rig.switch.add_port(&port(NAME)).await?;
    let second = PortSpec {
        external_ids: owner("pod-2"),
        ..port(NAME)
    };
    match rig.switch.add_port(&second).await {
        Err(Error::PortExists { name, owner: found }) => {
            assert_eq!(name, NAME);
            assert_eq!(found, owner("pod-1"));
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(
        rig.switch.port(NAME).await?.map(|row| row.port),
        Some(before.port)
    );
    Ok(())
}

#[tokio::test]
async fn the_name_of_a_bonds_interface_is_taken_too() -> Result<()> {
    let rig = Rig::new("add-bond").await?;
    rig.root.sh("ip link add host0 type veth peer name host1")?;
    rig.ovs
        .vsctl(&["--no-wait", "add-bond", BRIDGE, "bond0", "host0", "host1"])?;
    rig.ovs.vsctl(&[
        "--no-wait",
        "set",
        "interface",
        "host0",
        "external_ids:owner=somebody",
    ])?;
    match rig.switch.add_port(&port("host0")).await {
        Err(Error::PortExists { owner, .. }) => assert_eq!(owner["owner"], "somebody"),
        other => panic!("{other:?}"),
    }
    assert_eq!(rig.rows("Port", "host0")?, 0);
    Ok(())
}

#[tokio::test]
async fn vswitchds_words_come_back_and_the_row_goes() -> Result<()> {
    let rig = Rig::new("add-refused").await?;
    let spec = PortSpec {
        interface_type: InterfaceType::System,
        ..port("nodevice0")
    };
    match rig.switch.add_port(&spec).await {
        Err(error @ Error::PortRefused { .. }) => {
            assert!(error.to_string().contains("No such device"), "{error}");
            assert!(!error.is_retryable());
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(
        (
            rig.rows("Port", "nodevice0")?,
            rig.rows("Interface", "nodevice0")?
        ),
        (0, 0)
    );
    Ok(())
}

#[tokio::test]
async fn a_value_out_of_range_is_named() -> Result<()> {
    let rig = Rig::new("add-range").await?;
    let spec = PortSpec {
        tag: Some(4096),
        ..port(NAME)
    };
    match rig.switch.add_port(&spec).await {
        Err(error @ Error::Transaction { .. }) => {
            let text = error.to_string();
            assert!(
                text.contains("insert Port") && text.contains("4096"),
                "{text}"
            );
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(rig.rows("Interface", NAME)?, 0);
    Ok(())
}

#[tokio::test]
async fn a_dead_vswitchd_times_out_and_no_row_is_left() -> Result<()> {
    let mut rig = Rig::new("add-dead").await?;
    rig.ovs.kill_vswitchd()?;
    let spec = PortSpec {
        limit: Duration::from_millis(300),
        ..port(NAME)
    };
    match rig.switch.add_port(&spec).await {
        Err(error @ Error::Unanswered { .. }) => {
            assert!(error.is_retryable());
            assert_eq!(
                error.to_string(),
                format!("ovs-vswitchd did not take up port {NAME} within 300 ms")
            );
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(
        (rig.rows("Port", NAME)?, rig.rows("Interface", NAME)?),
        (0, 0)
    );
    Ok(())
}

#[tokio::test]
async fn an_ofport_of_zero_is_no_answer() -> Result<()> {
    let mut rig = Rig::new("add-zero").await?;
    rig.ovs.kill_vswitchd()?;
    let spec = PortSpec {
        limit: Duration::from_secs(2),
        ..port(NAME)
    };
    let zero = async {
        // somebody writes a zero into the row as soon as it is there
        has_row(&rig.switch).await?;
        rig.ovs
            .vsctl(&["--no-wait", "set", "interface", NAME, "ofport=0"])
    };
    let (added, wrote) = tokio::join!(rig.switch.add_port(&spec), zero);
    wrote?;
    assert!(matches!(added, Err(Error::Unanswered { .. })), "{added:?}");
    assert_eq!(rig.rows("Interface", NAME)?, 0);
    Ok(())
}

#[tokio::test]
async fn an_add_during_a_restart_of_vswitchd_waits_for_it() -> Result<()> {
    let mut rig = Rig::new("add-restart").await?;
    rig.ovs.kill_vswitchd()?;
    let spec = port(NAME);
    let Rig { ovs, switch, .. } = &mut rig;
    let restart = async {
        has_row(switch).await?;
        ovs.spawn_vswitchd()
    };
    let (added, restarted) = tokio::join!(switch.add_port(&spec), restart);
    restarted?;
    assert_ne!(added?.ofport(), None);
    assert!(rig.has_device(NAME));
    Ok(())
}

#[tokio::test]
async fn a_database_that_restarts_in_the_middle_keeps_no_row() -> Result<()> {
    let mut rig = Rig::new("add-dbdown").await?;
    rig.ovs.kill_vswitchd()?;
    let spec = port(NAME);
    let Rig { ovs, switch, .. } = &mut rig;
    let restart = async {
        has_row(switch).await?;
        ovs.restart_ovsdb()
    };
    let (added, restarted) = tokio::join!(switch.add_port(&spec), restart);
    restarted?;
    match added {
        Err(error @ Error::Closed { .. }) => assert!(error.is_retryable()),
        other => panic!("{other:?}"),
    }
    assert_eq!(
        (rig.rows("Port", NAME)?, rig.rows("Interface", NAME)?),
        (0, 0)
    );
    Ok(())
}

#[tokio::test]
async fn a_row_that_somebody_deletes_meanwhile_ends_the_wait() -> Result<()> {
    let mut rig = Rig::new("add-deleted").await?;
    rig.ovs.kill_vswitchd()?;
    let spec = port(NAME);
    let delete = until("a row to delete", async || {
        rig.switch
            .del_port(NAME, &ExternalIds::new())
            .await
            .map_err(Into::into)
    });
    let (added, deleted) = tokio::join!(rig.switch.add_port(&spec), delete);
    deleted?;
    assert!(matches!(added, Err(Error::NoSuchPort { .. })), "{added:?}");
    Ok(())
}

#[tokio::test]
async fn many_at_once_each_with_its_own_connection() -> Result<()> {
    let rig = Rig::new("add-many").await?;
    let socket = rig.ovs.socket().to_owned();
    let adds: Vec<_> = (0..250)
        .map(|number| {
            let socket = socket.clone();
            tokio::spawn(async move {
                let switch = Switch::connect(&socket).await?;
                let spec = PortSpec {
                    limit: 4 * LIMIT,
                    ..port(&format!("brt{number:012}"))
                };
                switch.add_port(&spec).await
            })
        })
        .collect();
    let mut numbers = std::collections::BTreeSet::new();
    for add in adds {
        let added = add.await??;
        assert!(numbers.insert(added.ofport()), "{:?} twice", added.ofport());
    }
    assert_eq!(
        rig.switch
            .ports_with_external_id("owner", "berth")
            .await?
            .len(),
        250
    );
    Ok(())
}
