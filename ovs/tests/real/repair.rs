//! Putting bridges and rows right again.
use std::time::Duration;

use anyhow::Result;
use ovs::{
    Change, Datapath, Error, ExternalIds, FailMode, InterfaceChange, InterfaceType, Mac,
    PortChange, PortSpec, Switch, VlanMode,
};

use crate::rig::{BRIDGE, LIMIT, Rig, owner, port};

#[tokio::test]
async fn a_bridge_is_made_once() -> Result<()> {
    let rig = Rig::new("repair-bridge").await?;
    let ensure = || {
        rig.switch
            .ensure_bridge("br1", Datapath::Userspace, Some(FailMode::Secure), LIMIT)
    };
    assert!(ensure().await?);
    assert!(rig.has_device("br1"));
    assert!(!ensure().await?);
    let bridge = rig.switch.bridge("br1").await?.expect("it is made");
    assert_eq!(
        (bridge.datapath, bridge.fail_mode),
        (Datapath::Userspace, Some(FailMode::Secure))
    );
    // without a wish the mode stays, with another it changes
    for (wish, found) in [
        (None, FailMode::Secure),
        (Some(FailMode::Standalone), FailMode::Standalone),
    ] {
        rig.switch
            .ensure_bridge("br1", Datapath::Userspace, wish, LIMIT)
            .await?;
        assert_eq!(
            rig.switch
                .bridge("br1")
                .await?
                .and_then(|bridge| bridge.fail_mode),
            Some(found)
        );
    }
    Ok(())
}

#[tokio::test]
async fn a_bridge_of_the_other_datapath_is_left_alone() -> Result<()> {
    let rig = Rig::new("repair-mismatch").await?;
    match rig
        .switch
        .ensure_bridge(BRIDGE, Datapath::Kernel, None, LIMIT)
        .await
    {
        Err(error @ Error::DatapathMismatch { .. }) => {
            assert_eq!(
                error.to_string(),
                "bridge br0 has a userspace datapath, wanted kernel"
            );
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(
        rig.switch
            .bridge(BRIDGE)
            .await?
            .map(|bridge| bridge.datapath),
        Some(Datapath::Userspace)
    );
    Ok(())
}

#[tokio::test]
async fn a_bridge_cannot_take_the_name_of_a_port() -> Result<()> {
    let rig = Rig::new("repair-name").await?;
    rig.switch.add_port(&port("taken")).await?;
    match rig
        .switch
        .ensure_bridge("taken", Datapath::Userspace, None, LIMIT)
        .await
    {
        Err(Error::PortExists { owner: found, .. }) => assert_eq!(found, owner("pod-1")),
        other => panic!("{other:?}"),
    }
    Ok(())
}

#[tokio::test]
async fn of_many_that_make_the_same_bridge_one_does() -> Result<()> {
    let rig = Rig::new("repair-race").await?;
    let mut made = Vec::new();
    for _ in 0..8 {
        let switch = Switch::connect(rig.ovs.socket()).await?;
        made.push(tokio::spawn(async move {
            switch
                .ensure_bridge("br1", Datapath::Userspace, None, LIMIT)
                .await
        }));
    }
    let mut count = 0;
    for made in made {
        count += usize::from(made.await??);
    }
    assert_eq!(count, 1);
    Ok(())
}

#[tokio::test]
async fn a_bridge_that_vswitchd_does_not_make_in_time_stays_wanted() -> Result<()> {
    let mut rig = Rig::new("repair-dead").await?;
    rig.ovs.kill_vswitchd()?;
    let soon = Duration::from_millis(100);
    match rig
        .switch
        .ensure_bridge("br1", Datapath::Userspace, None, soon)
        .await
    {
        Err(error @ Error::Unanswered { .. }) => assert!(error.is_retryable()),
        other => panic!("{other:?}"),
    }
    rig.ovs.start_vswitchd()?;
    rig.switch.settled(LIMIT).await?;
    assert!(rig.has_device("br1"));
    Ok(())
}

#[tokio::test]
async fn after_a_wipe_bridge_and_port_come_back_with_the_same_tap() -> Result<()> {
    let mut rig = Rig::new("repair-wipe").await?;
    let spec = PortSpec {
        ofport_request: Some(33),
        mac: Some(Mac([2, 0, 0, 0, 0, 9])),
        ..port("one")
    };
    rig.switch.add_port(&spec).await?;
    rig.ovs.wipe_database()?;
    let switch = Switch::connect(rig.ovs.socket()).await?;
    assert_eq!(switch.bridge(BRIDGE).await?, None);
    assert!(
        switch
            .ensure_bridge(BRIDGE, Datapath::Userspace, None, LIMIT)
            .await?
    );
    let added = switch.add_port(&spec).await?;
    assert_eq!(added.ofport(), Some(33));
    assert_eq!(
        rig.root.ip_json("link show one")?[0]["address"],
        "02:00:00:00:00:09"
    );
    Ok(())
}

#[tokio::test]
async fn the_root_row_is_made_if_nobody_did() -> Result<()> {
    let rig = Rig::new("repair-root").await?;
    // as a database is before `ovs-vsctl init`: the root row and all that hangs from it gone
    let client = ovs::Client::connect(rig.ovs.socket()).await?;
    let clear = ovs::Op::Delete {
        table: "Open_vSwitch",
        conditions: Vec::new(),
    };
    client.transact(ovs::DATABASE, &[clear]).await?;
    assert_eq!(rig.switch.system().await?, None);
    assert!(
        rig.switch
            .ensure_bridge("br1", Datapath::Userspace, None, LIMIT)
            .await?
    );
    assert!(rig.switch.system().await?.is_some());
    assert!(rig.has_device("br1"));
    Ok(())
}

#[tokio::test]
async fn a_port_row_is_changed_column_by_column() -> Result<()> {
    let rig = Rig::new("repair-port").await?;
    rig.switch
        .add_port(&PortSpec {
            tag: Some(5),
            trunks: vec![6, 7],
            ..port("one")
        })
        .await?;
    let change = PortChange {
        tag: Change::To(8),
        trunks: Change::Clear,
        vlan_mode: Change::To(VlanMode::Access),
        external_ids: ExternalIds::from([
            ("owner".to_owned(), "berth".to_owned()),
            ("berth-container".to_owned(), "pod-9".to_owned()),
            ("new".to_owned(), "key".to_owned()),
        ]),
    };
    rig.switch.set_port("one", &change).await?;
    let row = rig.switch.port("one").await?.expect("it is there").port;
    assert_eq!(
        (row.tag, row.trunks, row.vlan_mode),
        (Some(8), vec![], Some(VlanMode::Access))
    );
    assert_eq!(row.external_ids, change.external_ids);

    let change = PortChange {
        tag: Change::exactly(None),
        ..PortChange::default()
    };
    rig.switch.set_port("one", &change).await?;
    let row = rig.switch.port("one").await?.expect("it is there").port;
    assert_eq!((row.tag, row.vlan_mode), (None, Some(VlanMode::Access)));
    assert_eq!(row.external_ids["new"], "key");
    Ok(())
}

#[tokio::test]
async fn an_interface_row_is_changed_and_vswitchd_follows() -> Result<()> {
    let rig = Rig::new("repair-iface").await?;
    rig.switch.add_port(&port("one")).await?;
    let change = InterfaceChange {
        kind: Change::Keep,
        mac: Change::To(Mac([2, 0, 0, 0, 0, 5])),
        mtu_request: Change::To(1300),
        ofport_request: Change::To(44),
        external_ids: ExternalIds::from([("attached-mac".to_owned(), "x".to_owned())]),
    };
    rig.switch.set_interface("one", &change).await?;
    rig.switch.settled(LIMIT).await?;
    let link = rig.root.ip_json("link show one")?;
    assert_eq!(
        (&link[0]["address"], &link[0]["mtu"]),
        (&"02:00:00:00:00:05".into(), &1300.into())
    );
    let row = rig.switch.port("one").await?.expect("it is there");
    assert_eq!(row.ofport(), Some(44));
    assert_eq!(row.interface.external_ids["attached-mac"], "x");
    assert_eq!(row.interface.external_ids["owner"], "berth");
    Ok(())
}

#[tokio::test]
async fn an_interface_of_another_type_is_let_go_and_taken_up_with_its_row_kept() -> Result<()> {
    let rig = Rig::new("repair-kind").await?;
    let made = rig.switch.add_port(&port("one")).await?;
    let number = made.ofport().expect("a port that was made has one");
    let of = |kind| InterfaceChange {
        kind: Change::To(kind),
        ofport_request: Change::To(number),
        ..InterfaceChange::default()
    };
    let to_system = of(InterfaceType::System);
    rig.switch.set_interface("one", &to_system).await?;
    rig.switch.settled(LIMIT).await?;
    rig.root.sh("! ip link show one 2>/dev/null")?;
    let to_internal = of(InterfaceType::Internal);
    rig.switch.set_interface("one", &to_internal).await?;
    rig.switch.settled(LIMIT).await?;
    rig.root.sh("ip link show one")?;
    let row = rig.switch.port("one").await?.expect("it is there");
    assert_eq!(row.interface.uuid, made.interface.uuid);
    assert_eq!(row.ofport(), made.ofport());
    Ok(())
}

#[tokio::test]
async fn a_row_that_is_not_there_is_named() -> Result<()> {
    let rig = Rig::new("repair-absent").await?;
    let port = rig.switch.set_port("one", &PortChange::default()).await;
    let interface = rig
        .switch
        .set_interface("one", &InterfaceChange::default())
        .await;
    for result in [port, interface] {
        let error = result.unwrap_err();
        assert!(
            matches!(&error, Error::NoSuchPort { name } if name == "one"),
            "{error}"
        );
    }
    Ok(())
}
