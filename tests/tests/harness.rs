//! The harness tested: a measurement that cannot fail proves nothing.

use std::io::{self, Read, Write};
use std::net::{IpAddr, Ipv4Addr, TcpStream};
use std::path::Path;
use std::time::Duration;

use anyhow::Result;
use tests::leftovers::Leftovers;
use tests::netns::Netns;
use tests::ovs::{Datapath, Ovs};
use tests::rig::Rig;
use tests::traffic::{Echo, PingTrain, Tally, TcpSession};

const LIMIT: Duration = Duration::from_secs(20);
const SERVER: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 1, 0, 2));

/// Two namespaces joined by a veth pair, `a` with 10.1.0.1 and `b` with 10.1.0.2.
fn pair() -> Result<(Netns, Netns)> {
    let (a, b) = (Netns::new("a")?, Netns::new("b")?);
    let peer = b.path().display().to_string();
    a.output(
        "ip",
        [
            "link", "add", "eth0", "type", "veth", "peer", "name", "eth0", "netns", &peer,
        ],
    )?;
    for (netns, address) in [(&a, "10.1.0.1/24"), (&b, "10.1.0.2/24")] {
        netns.output("ip", ["address", "add", address, "dev", "eth0"])?;
        netns.output("ip", ["link", "set", "eth0", "up"])?;
    }
    Ok((a, b))
}

#[test]
fn a_namespace_is_fresh_and_ends_with_its_value() -> Result<()> {
    let netns = Netns::new("fresh")?;
    let path = netns.path().to_owned();
    let links = netns.ip_json("link show")?;
    let names: Vec<&str> = links
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|link| link["ifname"].as_str())
        .collect();
    assert_eq!(names, ["lo"]);
    assert_eq!(links[0]["flags"][1], "UP");
    assert_ne!(
        std::fs::metadata("/proc/self/ns/net")?.len(),
        netns.inode()?
    );
    drop(netns);
    assert!(!path.exists());
    Ok(())
}

#[test]
fn a_switch_keeps_its_ports_over_every_kind_of_restart() -> Result<()> {
    Rig::current()
        .datapaths()
        .iter()
        .try_for_each(|datapath| restarts(*datapath))
}

fn restarts(datapath: Datapath) -> Result<()> {
    let node = Netns::new("node")?;
    let mut ovs = Ovs::start(&node, datapath)?;
    ovs.add_bridge("br0")?;
    ovs.vsctl(&[
        "add-port",
        "br0",
        "in1",
        "--",
        "set",
        "interface",
        "in1",
        "type=internal",
    ])?;
    node.ip_json("link show dev in1")?;
    assert_eq!(
        std::fs::read_to_string(ovs.rundir().join("ovs-vswitchd.pid"))?.trim(),
        ovs.vswitchd_pid()?.to_string()
    );
    let first = ovs.vswitchd_pid()?;

    ovs.kill_vswitchd()?;
    assert!(!Path::new("/proc").join(first.to_string()).exists());
    ovs.start_vswitchd()?;
    assert_ne!(ovs.vswitchd_pid()?, first);
    assert_eq!(ovs.vsctl(&["list-ports", "br0"])?, "in1");

    ovs.stop_vswitchd(true)?;
    assert!(
        node.ip_json("link show dev in1").is_err(),
        "a clean-up removes the port"
    );
    ovs.start_vswitchd()?;
    node.ip_json("link show dev in1")?;

    ovs.restart_ovsdb()?;
    assert_eq!(ovs.vsctl(&["list-ports", "br0"])?, "in1");
    ovs.reload_datapath()?;
    assert_eq!(ovs.vsctl(&["list-ports", "br0"])?, "in1");
    ovs.wipe_database()?;
    assert_eq!(ovs.vsctl(&["list-br"])?, "");
    Ok(())
}

#[test]
fn a_ping_train_finds_no_loss_where_there_is_none() -> Result<()> {
    let (a, b) = pair()?;
    let train = PingTrain::route(&a, &b, SERVER).on_device("eth0").start()?;
    train.await_answer(LIMIT)?;
    let report = train.finish();
    assert!(report.answered > 0);
    report.lossless()
}

#[test]
fn a_ping_train_finds_the_outage_of_a_link() -> Result<()> {
    let (a, b) = pair()?;
    let train = PingTrain::start(&a, &b, SERVER)?;
    b.output("ip", ["link", "set", "eth0", "down"])?;
    train.await_loss(LIMIT)?;
    assert!(
        train.await_answer(Duration::from_millis(200)).is_err(),
        "a dead link answers nothing"
    );
    b.output("ip", ["link", "set", "eth0", "up"])?;
    train.await_answer(LIMIT)?;
    let report = train.finish();
    assert!(report.lost() >= 10, "{report:?}");
    assert!(report.outage() >= Duration::from_millis(200), "{report:?}");
    assert!(report.lossless().is_err());
    Ok(())
}

#[test]
fn a_tcp_session_survives_the_outage_of_a_link() -> Result<()> {
    let (a, b) = pair()?;
    let (session, train) = (
        TcpSession::start(&a, &b, SERVER)?,
        PingTrain::start(&a, &b, SERVER)?,
    );
    b.output("ip", ["link", "set", "eth0", "down"])?;
    train.await_loss(LIMIT)?;
    b.output("ip", ["link", "set", "eth0", "up"])?;
    session.await_progress(LIMIT)?;
    let report = session.finish()?;
    report.intact()?;
    assert!(
        report.longest_gap >= Duration::from_millis(40),
        "{report:?}"
    );
    Ok(())
}

#[test]
fn a_tcp_session_that_is_reset_says_so() -> Result<()> {
    let (a, b) = pair()?;
    let session = TcpSession::start(&a, &b, SERVER)?;
    a.output("ss", ["--kill", "--tcp", "dst", "10.1.0.2"])?;
    let report = session.finish()?;
    assert!(report.broken.is_some(), "{report:?}");
    assert!(report.intact().is_err());
    Ok(())
}

#[test]
fn a_tcp_session_finds_what_a_bad_server_does() -> Result<()> {
    let (a, b) = pair()?;
    let felt = |serve: Echo| -> Result<Tally> {
        let session = TcpSession::with_server(&a, &b, SERVER, serve)?;
        session.await_progress(LIMIT)?;
        let report = session.finish()?;
        assert!(report.intact().is_err(), "{report:?}");
        Ok(report.tally)
    };
    let lossy = felt(|wire| {
        spoilt(
            wire,
            |number, record| if number == 5 { Vec::new() } else { record },
        )
    })?;
    assert_eq!((lossy.lost, lossy.duplicated, lossy.corrupted), (512, 0, 0));
    let repeating = felt(|wire| {
        spoilt(wire, |number, record| {
            if number == 5 {
                record.repeat(2)
            } else {
                record
            }
        })
    })?;
    assert_eq!(
        (repeating.lost, repeating.duplicated, repeating.corrupted),
        (0, 512, 0)
    );
    let changing = felt(|wire| {
        spoilt(wire, |number, mut record| {
            record[77] ^= u8::from(number == 5);
            record
        })
    })?;
    assert_eq!(
        (changing.lost, changing.duplicated, changing.corrupted),
        (512, 0, 512)
    );
    Ok(())
}

/// Echoes record by record, each passed through `spoil` with its number.
fn spoilt(mut wire: TcpStream, spoil: fn(usize, Vec<u8>) -> Vec<u8>) -> io::Result<()> {
    wire.set_read_timeout(None)?;
    for number in 0.. {
        let mut record = vec![0; 512];
        match wire.read_exact(&mut record) {
            Ok(()) => wire.write_all(&spoil(number, record))?,
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => break,
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

#[test]
fn the_guard_finds_a_leaked_link_file_route_port_and_process() -> Result<()> {
    let node = Netns::new("node")?;
    let directory = tempfile::tempdir()?;
    let ovs = Ovs::start(&node, Datapath::Userspace)?;
    ovs.add_bridge("br0")?;
    let guard = Leftovers::new()
        .within(Duration::from_millis(200))
        .netns(&node)?
        .directory(directory.path())?
        .switch(&ovs)?;
    guard.check()?;

    let complaint = |what: &str| -> Result<()> {
        let error = guard
            .check()
            .expect_err("a leftover must be found")
            .to_string();
        assert!(error.contains(what), "{error}");
        Ok(())
    };
    node.sh("ip link add leaked type veth peer name other")?;
    complaint("leaked")?;
    node.sh("ip link del leaked")?;
    node.sh("ip route add 10.9.9.9 dev br0")?;
    complaint("10.9.9.9")?;
    node.sh("ip route del 10.9.9.9 dev br0")?;
    // Whoever added an address shows by its route, too.
    node.sh("ip addr add 10.8.8.8/24 dev br0")?;
    complaint("10.8.8.0/24")?;
    node.sh("ip addr del 10.8.8.8/24 dev br0")?;
    node.sh("nft add table inet leaked")?;
    complaint("table inet leaked")?;
    node.sh("nft delete table inet leaked")?;
    std::fs::write(directory.path().join("lease"), "x")?;
    complaint("lease")?;
    std::fs::remove_file(directory.path().join("lease"))?;
    ovs.vsctl(&[
        "add-port",
        "br0",
        "ghost",
        "--",
        "set",
        "interface",
        "ghost",
        "type=internal",
    ])?;
    complaint("port ghost")?;
    complaint("interface ghost")?;
    ovs.vsctl(&["del-port", "ghost"])?;
    let mut sleeper = node.command("sleep").arg("1000").spawn()?;
    complaint("sleep 1000")?;
    sleeper.kill()?;
    sleeper.wait()?;
    guard.check()
}
