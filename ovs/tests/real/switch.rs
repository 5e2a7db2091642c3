//! Looking up bridges, ports and the switch itself.
use anyhow::Result;
use ovs::{Datapath, FailMode, Interface, InterfaceType, PortSpec, VlanMode};

use crate::rig::{BRIDGE, LIMIT, Rig, owner, port, until};

#[tokio::test]
async fn bridges_with_their_datapath_and_fail_mode() -> Result<()> {
    let rig = Rig::new("switch-bridge").await?;
    let bridge = rig
        .switch
        .bridge(BRIDGE)
        .await?
        .expect("the rig has made it");
    assert_eq!(bridge.datapath, Datapath::Userspace);
    assert_eq!(bridge.fail_mode, None);
    assert_eq!(bridge.ports.len(), 1);
    assert_eq!(bridge.datapath_id.map(|id| id.len()), Some(16));

    for kind in ["", "system"] {
        rig.ovs.vsctl(&[
            "--no-wait",
            "--may-exist",
            "add-br",
            "kern",
            "--",
            "set",
            "bridge",
            "kern",
            &format!("datapath_type=\"{kind}\""),
            "fail_mode=secure",
        ])?;
        let kern = rig.switch.bridge("kern").await?.expect("it is there");
        assert_eq!(
            (kern.datapath, kern.fail_mode),
            (Datapath::Kernel, Some(FailMode::Secure))
        );
    }
    assert_eq!(rig.switch.bridges().await?.len(), 2);
    assert_eq!(rig.switch.bridge("nothing").await?, None);
    Ok(())
}

#[tokio::test]
async fn an_unknown_datapath_is_named_and_hides_no_other_bridge() -> Result<()> {
    let rig = Rig::new("switch-dummy").await?;
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
    let error = rig.switch.bridge("odd").await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "OVSDB value of Bridge.datapath_type is \"dummy\", expected system or netdev"
    );
    let names: Vec<String> = rig
        .switch
        .bridges()
        .await?
        .into_iter()
        .map(|bridge| bridge.name)
        .collect();
    assert_eq!(names, [BRIDGE]);
    Ok(())
}

#[tokio::test]
async fn ports_by_name_and_by_key() -> Result<()> {
    let rig = Rig::new("switch-ports").await?;
    rig.ovs.add_bridge("br1")?;
    rig.switch.add_port(&port("one")).await?;
    let second = PortSpec {
        bridge: "br1".to_owned(),
        external_ids: owner("pod-2"),
        ..port("two")
    };
    rig.switch.add_port(&second).await?;
    // keys on the port alone, as another tool may have left them
    rig.ovs.vsctl(&[
        "add-port",
        BRIDGE,
        "three",
        "tag=5",
        "--",
        "set",
        "interface",
        "three",
        "type=internal",
        "--",
        "set",
        "port",
        "three",
        "external_ids:owner=berth",
        "vlan_mode=access",
    ])?;

    let mut found = rig.switch.ports_with_external_id("owner", "berth").await?;
    found.sort_by(|one, other| one.name().cmp(other.name()));
    let seen: Vec<(&str, &str)> = found
        .iter()
        .map(|row| (row.name(), row.bridge.as_str()))
        .collect();
    assert_eq!(seen, [("one", BRIDGE), ("three", BRIDGE), ("two", "br1")]);
    assert_eq!(found[1].port.tag, Some(5));
    assert_eq!(found[1].port.vlan_mode, Some(VlanMode::Access));
    assert_eq!(found[1].interface.name, "three");

    let of_pod = rig
        .switch
        .ports_with_external_id("berth-container", "pod-2")
        .await?;
    assert_eq!(of_pod.len(), 1);
    assert_eq!(of_pod[0].external_ids(), &owner("pod-2"));
    assert!(
        rig.switch
            .ports_with_external_id("owner", "nobody")
            .await?
            .is_empty()
    );
    assert_eq!(rig.switch.port("four").await?, None);
    Ok(())
}

#[tokio::test]
async fn what_vswitchd_says_of_an_interface() -> Result<()> {
    let rig = Rig::new("switch-status").await?;
    rig.switch.add_port(&port("one")).await?;
    rig.switch.settled(LIMIT).await?;
    let index = rig.root.ip_json("link show one")?[0]["ifindex"].as_u64();
    let found = async |name: &str| anyhow::Ok(rig.switch.port(name).await?.expect("it is there"));
    until("its ifindex", async || {
        Ok(found("one").await?.interface.ifindex.is_some())
    })
    .await?;
    let interface = found("one").await?.interface;
    assert_eq!(interface.ifindex.map(u64::from), index);
    assert!(interface.mac_in_use.is_some());
    assert_eq!(interface.mtu, Some(1500));

    rig.ovs
        .vsctl(&["--no-wait", "add-port", BRIDGE, "missing0"])?;
    until("its ofport", async || {
        Ok(found("missing0").await?.interface.ofport.is_some())
    })
    .await?;
    let row = found("missing0").await?;
    assert_eq!((row.interface.ofport, row.ofport()), (Some(-1), None));
    assert!(
        row.error()
            .is_some_and(|words| words.contains("No such device")),
        "{row:?}"
    );
    Ok(())
}

#[tokio::test]
async fn versions_abilities_and_options() -> Result<()> {
    let rig = Rig::new("switch-system").await?;
    let system = rig.switch.system().await?.expect("the rig has set it up");
    assert!(
        system.datapath_types.iter().any(|kind| kind == "netdev"),
        "{system:?}"
    );
    assert!(
        system.iface_types.iter().any(|kind| kind == "internal"),
        "{system:?}"
    );
    assert!(!system.flow_restore_wait());
    rig.ovs.vsctl(&[
        "set",
        "open_vswitch",
        ".",
        "other_config:flow-restore-wait=true",
    ])?;
    assert!(
        rig.switch
            .system()
            .await?
            .is_some_and(|system| system.flow_restore_wait())
    );

    let pid = i32::try_from(rig.ovs.vswitchd_pid()?)?;
    let socket = ovs::control::socket(rig.ovs.rundir(), pid);
    let said = rig.ovs.appctl(&["version"])?;
    let version = ovs::control::version(&socket, LIMIT).await?;
    assert!(
        said.lines()
            .next()
            .is_some_and(|line| line.ends_with(&version)),
        "{version} in {said}"
    );
    let error = ovs::control::call(&socket, "no-such-command", &[], LIMIT)
        .await
        .unwrap_err();
    assert!(error.to_string().contains("not a valid command"), "{error}");
    Ok(())
}

#[tokio::test]
async fn a_bond_is_found_by_its_own_name() -> Result<()> {
    let rig = Rig::new("switch-bond").await?;
    rig.root.sh("ip link add host0 type veth peer name host1")?;
    rig.ovs
        .vsctl(&["--no-wait", "add-bond", BRIDGE, "bond0", "host0", "host1"])?;
    let bond = rig.switch.port("bond0").await?.expect("it is there");
    assert_eq!(bond.port.interfaces.len(), 2);
    let Interface { name, kind, .. } = bond.interface;
    assert!(name.starts_with("host"), "{name}");
    assert_ne!(kind, InterfaceType::Internal.as_str());
    Ok(())
}
