//! Scenario 8: what a pod's programs hold across a re-attachment: sockets bound to eth0, multicast memberships,
//! link-local addresses, static neighbours.

use std::net::{Ipv4Addr, UdpSocket};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use nix::sys::socket::{setsockopt, sockopt};

use super::{LIMIT, Stage, stage};
use crate::runner::{Case, Scenarios};
use crate::traffic::PingTrain;
use crate::wait;

/// A group of the administratively scoped block.
const GROUP: Ipv4Addr = Ipv4Addr::new(239, 1, 2, 3);

pub(super) fn add(suite: Scenarios) -> Scenarios {
    suite
        .each("s08_socket_bound_to_device", bound)
        .each("s08_multicast_membership", multicast)
        .each("s08_link_local_and_duplicate_detection", link_local)
        .each("s08_static_neighbours", neighbours)
}

fn restart(stage: &mut Stage) -> Result<()> {
    stage.node.ovs_mut().kill_vswitchd()?;
    stage.node.ovs_mut().start_vswitchd()
}

/// A socket that names eth0 is bound to a device index: a new one opened after the event works by the name.
fn bound(case: Case) -> Result<()> {
    let mut stage = stage(case)?;
    let train = |stage: &Stage| {
        PingTrain::route(&stage.a.netns, &stage.b.netns, stage.b.v4())
            .on_device("eth0")
            .start()
    };
    let old = train(&stage)?;
    restart(&mut stage)?;
    stage.node.await_whole(&stage.a)?;
    stage.node.await_whole(&stage.b)?;
    train(&stage)
        .context("a new socket bound to eth0")?
        .await_answer(LIMIT)?;
    // The device itself is kept by all but rename (whose eth0 is another device after a restart of the userspace
    // datapath, or a loss on the kernel's): there the old socket goes on too.
    if case.strategy != crate::rig::Strategy::Rename {
        old.await_answer(LIMIT)
            .context("the old socket bound to eth0")?;
    }
    stage.strike()
}

/// Receives again after the event: the same socket where the device is kept, else once it has joined anew.
fn multicast(case: Case) -> Result<()> {
    let mut stage = stage(case)?;
    let Ok(b) = stage.b.v4().to_string().parse::<Ipv4Addr>() else {
        anyhow::bail!("not an IPv4 address");
    };
    let socket = stage.b.netns.run(|| {
        let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0))?;
        socket.set_read_timeout(Some(Duration::from_millis(50)))?;
        socket.join_multicast_v4(&GROUP, &b)?;
        Ok(socket)
    })?;
    let port = socket.local_addr()?.port();
    let heard = |stage: &Stage| -> Result<()> {
        let source = stage.a.netns.run(|| {
            let source = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0))?;
            setsockopt(&source, sockopt::BindToDevice, &"eth0".into())?;
            Ok(source)
        })?;
        wait::until(LIMIT, "a multicast datagram", || {
            source.send_to(b"berth", (GROUP, port)).ok();
            socket.recv(&mut [0; 16]).is_ok()
        })
    };
    heard(&stage).context("before")?;
    restart(&mut stage)?;
    stage.node.await_whole(&stage.a)?;
    stage.node.await_whole(&stage.b)?;
    if case.strategy == crate::rig::Strategy::Rename {
        socket.leave_multicast_v4(&GROUP, &b).ok();
        socket
            .join_multicast_v4(&GROUP, &b)
            .context("cannot join again")?;
    }
    heard(&stage).context("after")?;
    stage.strike()
}

/// The link-local address is the same (same MAC) and past duplicate address detection, and answers.
fn link_local(case: Case) -> Result<()> {
    let mut stage = stage(case)?;
    let address = |stage: &Stage| -> Result<String> {
        wait::until_some(LIMIT, "a link-local address past detection", || {
            let lines = stage
                .b
                .netns
                .sh("ip -oneline -6 address show dev eth0 scope link")
                .ok()?;
            let line = lines
                .lines()
                .find(|line| !line.contains("tentative") && !line.contains("dadfailed"))?;
            line.split_whitespace().nth(3).map(str::to_owned)
        })
    };
    let before = address(&stage)?;
    restart(&mut stage)?;
    stage.node.await_whole(&stage.b)?;
    let after = address(&stage)?;
    ensure!(before == after, "was {before}, is {after}");
    stage.strike()
}

/// A neighbour that the pod set by hand is its own business where the device is kept; berth's own ones are
/// restored in any case, which `assert_whole` shows for every scenario.
fn neighbours(case: Case) -> Result<()> {
    let mut stage = stage(case)?;
    if case.strategy != crate::rig::Strategy::Rename {
        stage
            .a
            .netns
            .sh("ip neighbour add 10.88.255.9 lladdr 02:00:00:00:00:09 dev eth0 nud permanent")?;
    }
    restart(&mut stage)?;
    stage.node.await_whole(&stage.b)?;
    if case.strategy != crate::rig::Strategy::Rename {
        let shown = stage
            .a
            .netns
            .sh("ip neighbour show nud permanent dev eth0")?;
        ensure!(shown.contains("10.88.255.9"), "{shown}");
        stage.a.netns.sh("ip neighbour del 10.88.255.9 dev eth0")?;
    }
    stage.strike()
}
