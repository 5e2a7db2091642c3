//! The watch on a real vswitchd's life and death, and what it must not take for one.
use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::net::UnixListener;
use std::process::{Command, Stdio};

use anyhow::{Context, Result};
use ovs::VswitchdWatch;
use tokio::time::timeout;

use crate::rig::{LIMIT, Rig};

#[tokio::test]
async fn it_sees_death_by_sigkill_and_the_next_life() -> Result<()> {
    let mut rig = Rig::new("process-kill").await?;
    let watch = VswitchdWatch::beside(rig.ovs.socket());
    for _ in 0..3 {
        let vswitchd = timeout(LIMIT, watch.appeared()).await??;
        assert_eq!(u32::try_from(vswitchd.pid())?, rig.ovs.vswitchd_pid()?);
        rig.ovs.kill_vswitchd()?;
        timeout(LIMIT, vswitchd.died()).await??;
        // its pid file is still there, and deceives nobody
        assert!(rig.ovs.rundir().join("ovs-vswitchd.pid").exists());
        assert!(watch.running().await?.is_none());
        rig.ovs.start_vswitchd()?;
    }
    Ok(())
}

#[tokio::test]
async fn it_waits_for_one_to_appear() -> Result<()> {
    let mut rig = Rig::new("process-appear").await?;
    let watch = VswitchdWatch::new(rig.ovs.rundir());
    rig.ovs.stop_vswitchd(false)?;
    let appeared = {
        let watch = watch.clone();
        tokio::spawn(async move { watch.appeared().await })
    };
    tokio::task::yield_now().await;
    assert!(!appeared.is_finished());
    rig.ovs.spawn_vswitchd()?;
    let vswitchd = timeout(LIMIT, appeared).await???;
    assert_eq!(u32::try_from(vswitchd.pid())?, rig.ovs.vswitchd_pid()?);
    Ok(())
}

#[tokio::test]
async fn without_a_pid_file_the_control_socket_tells() -> Result<()> {
    let mut rig = Rig::new("process-ctl").await?;
    let pid = rig.ovs.vswitchd_pid()?;
    fs::remove_file(rig.ovs.rundir().join("ovs-vswitchd.pid"))?;
    // one that died without removing its socket
    drop(UnixListener::bind(
        rig.ovs.rundir().join("ovs-vswitchd.1.ctl"),
    )?);
    let watch = VswitchdWatch::new(rig.ovs.rundir());
    let vswitchd = timeout(LIMIT, watch.appeared()).await??;
    assert_eq!(u32::try_from(vswitchd.pid())?, pid);
    rig.ovs.kill_vswitchd()?;
    timeout(LIMIT, vswitchd.died()).await??;
    assert!(watch.running().await?.is_none());
    Ok(())
}

/// In the child of the test below: the run directory to watch.
const CHILD: &str = "BERTH_TEST_WATCH";

#[tokio::test]
async fn a_vswitchd_of_an_unseen_pid_namespace_is_watched_too() -> Result<()> {
    const NAME: &str = "process::a_vswitchd_of_an_unseen_pid_namespace_is_watched_too";
    if let Some(rundir) = std::env::var_os(CHILD) {
        let vswitchd = timeout(LIMIT, VswitchdWatch::new(rundir.as_ref()).appeared()).await??;
        // under its id there is nobody here, or somebody else
        println!("watching {}", vswitchd.pid());
        timeout(LIMIT, vswitchd.died()).await??;
        println!("died");
        return Ok(());
    }
    let mut rig = Rig::new("process-pidns").await?;
    let pid = rig.ovs.vswitchd_pid()?;
    let mut child = Command::new("unshare")
        .args(["--pid", "--fork", "--kill-child"])
        .arg(std::env::current_exe()?)
        .args(["--exact", NAME, "--nocapture"])
        .env(CHILD, rig.ovs.rundir())
        .stdout(Stdio::piped())
        .spawn()?;
    let mut lines = BufReader::new(child.stdout.take().context("its output")?).lines();
    let mut next =
        |what: &str| lines.find(|line| line.as_ref().is_ok_and(|line| line.contains(what)));
    let watching = next("watching").context("the child does not watch")??;
    assert!(watching.ends_with(&format!("watching {pid}")), "{watching}");
    rig.ovs.kill_vswitchd()?;
    next("died").context("the child saw no death")??;
    assert!(child.wait()?.success());
    Ok(())
}

#[tokio::test]
async fn a_pid_file_that_nobody_holds_means_nobody() -> Result<()> {
    let directory = tempfile::tempdir()?;
    let watch = VswitchdWatch::new(directory.path());
    assert!(watch.running().await?.is_none());
    // a process of that id lives, but it is not vswitchd
    fs::write(
        directory.path().join("ovs-vswitchd.pid"),
        format!("{}\n", std::process::id()),
    )?;
    assert!(watch.running().await?.is_none());
    let missing = VswitchdWatch::new(&directory.path().join("missing"));
    assert!(missing.running().await?.is_none());
    Ok(())
}
