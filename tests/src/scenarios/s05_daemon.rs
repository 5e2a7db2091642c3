//! Scenario 5: the daemon is away when it is needed, or dies in the middle of a repair; what it begins again, it
//! ends, and what is whole it leaves alone.

use anyhow::{Context, Result, ensure};

use super::{LIMIT, stage};
use crate::node::BRIDGE;
use crate::runner::{Case, Scenarios};

/// The system calls by which a repair changes anything: netlink and OVSDB requests, files.
const CHANGES: &str = "sendto,sendmsg,write,writev,rename,renameat,renameat2,unlink,unlinkat";

/// Natively each of them, in the VM, where a try takes seconds, only every so many.
const STRIDE: [usize; 2] = [1, 60];

pub(super) fn add(suite: Scenarios) -> Scenarios {
    suite
        .each("s05_daemon_started_after_the_restart", |case| {
            let mut stage = stage(case)?;
            stage.node.stop_berthd()?;
            stage.node.ovs_mut().kill_vswitchd()?;
            stage.node.ovs_mut().start_vswitchd()?;
            stage.node.start_berthd()?;
            stage.strike()
        })
        .each("s05_daemon_killed_at_every_step_of_a_repair", killed)
        .each("s05_two_full_passes_change_nothing", idempotent)
}

/// The n-th change of the first pass is the daemon's last, for n over the whole pass; the next daemon finishes.
fn killed(case: Case) -> Result<()> {
    let mut stage = stage(case)?;
    stage.node.stop_berthd()?;
    let stride = STRIDE[usize::from(case.rig.is_vm())];
    let mut deaths = 0;
    for step in (1..).step_by(stride) {
        stage.node.ovs_mut().kill_vswitchd()?;
        stage.node.ovs_mut().start_vswitchd()?;
        let inject = format!("inject={CHANGES}:signal=SIGKILL:when={step}");
        // -D: the daemon itself is the child, so that it is the daemon that is ended, not its tracer.
        let words = [
            "strace",
            "-D",
            "-f",
            "-qq",
            "-o",
            "/dev/null",
            "-e",
            &inject,
        ];
        stage.node.spawn_berthd_under(&words)?;
        if stage.node.await_whole_or_death(&[&stage.a, &stage.b])? {
            // It finished before its n-th change, so every step of a pass has been tried.
            stage.node.kill_berthd()?;
            break;
        }
        deaths += 1;
        stage.node.start_berthd()?;
        let answered = stage.session.await_progress(LIMIT);
        answered.with_context(|| format!("killed at change {step}"))?;
        stage.node.await_whole(&stage.a)?;
        stage.node.await_whole(&stage.b)?;
        stage.node.stop_berthd()?;
    }
    ensure!(deaths > 0, "the daemon was never killed: nothing was tried");
    stage.node.start_berthd()?;
    stage.strike()
}

/// A daemon that finds everything whole sends no change to the kernel or the switch.
fn idempotent(case: Case) -> Result<()> {
    let mut stage = stage(case)?;
    let before = state(&stage)?;
    for _ in 0..2 {
        stage.node.stop_berthd()?;
        stage.node.start_berthd()?;
    }
    let after = state(&stage)?;
    ensure!(before == after, "was {before}\nis {after}");
    let log = stage.node.berthd_log();
    let repaired = log.lines().filter(|line| line.contains("action=")).count();
    // A renamed port of a kernel datapath is lost by the second pod's ADD: those repairs are expected.
    let own = case.strategy == crate::rig::Strategy::Rename
        && case.datapath == crate::ovs::Datapath::Kernel;
    ensure!(
        own || repaired == 0,
        "{repaired} repairs of what was whole:\n{log}"
    );
    stage.strike()
}

/// Everything a pass could change: the database, and links with their indices in all three namespaces.
fn state(stage: &super::Stage) -> Result<String> {
    let columns = "--columns=name,type,ofport,external_ids,mac,mtu_request,ofport_request";
    let rows = stage.node.ovs().vsctl(&[columns, "list", "Interface"])?;
    let ports = stage.node.ovs().vsctl(&["list-ports", BRIDGE])?;
    let mut text = format!("{rows}\n{ports}\n");
    for netns in [&stage.node.netns, &stage.a.netns, &stage.b.netns] {
        text.push_str(&netns.sh(
            "ip -oneline link; ip -oneline address; ip route; ip -6 route show proto static",
        )?);
    }
    Ok(text)
}
