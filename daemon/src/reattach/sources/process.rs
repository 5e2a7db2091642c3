//! The life of ovs-vswitchd: its death is the quickest signal that ports may be lost.

use std::path::PathBuf;
use std::sync::Arc;

use ovs::{Vswitchd, VswitchdWatch};

use super::PAUSE;
use crate::board::Board;
use crate::clock;
use crate::reattach::mailbox::Mailbox;
use crate::reattach::signal::{Cause, Signal};
use crate::report::EventKind;

/// Follows the vswitchd beside an OVSDB socket. `now` is the one that ran when the daemon started.
pub async fn follow(
    ovsdb: PathBuf,
    mut now: Option<Vswitchd>,
    board: Arc<Board>,
    mailbox: Arc<Mailbox>,
) {
    let watch = VswitchdWatch::beside(&ovsdb);
    loop {
        if let Err(error) = one_life(&watch, now.take(), &board, &mailbox).await {
            tracing::warn!(%error, "cannot watch ovs-vswitchd");
            {
                let mut facts = board.facts();
                facts.counts.error("process");
                facts.vswitchd.pid = None;
                facts.vswitchd.error = Some(error.to_string());
            }
            tokio::time::sleep(PAUSE).await;
        }
    }
}

async fn one_life(
    watch: &VswitchdWatch,
    now: Option<Vswitchd>,
    board: &Board,
    mailbox: &Mailbox,
) -> ovs::process::Result<()> {
    let vswitchd = match now {
        Some(vswitchd) => vswitchd,
        None => {
            let vswitchd = watch.appeared().await?;
            started(&vswitchd, board);
            mailbox.put(Signal::all(Cause::VswitchdStarted));
            vswitchd
        }
    };
    vswitchd.died().await?;
    let pid = vswitchd.pid();
    tracing::warn!(pid, "ovs-vswitchd died");
    {
        let mut facts = board.facts();
        facts.counts.vswitchd_deaths += 1;
        facts.vswitchd.pid = None;
        facts.vswitchd.deaths += 1;
        facts.vswitchd.died_at_us = Some(clock::now_us());
        facts.event(
            EventKind::VswitchdDied,
            format!("process {pid}"),
            "ovs-vswitchd died",
            None,
        );
    }
    mailbox.put(Signal::all(Cause::VswitchdDied));
    Ok(())
}

/// Notes that it is there.
pub fn started(vswitchd: &Vswitchd, board: &Board) {
    let pid = vswitchd.pid();
    tracing::info!(pid, "ovs-vswitchd is there");
    let mut facts = board.facts();
    facts.vswitchd.pid = Some(pid);
    facts.vswitchd.error = None;
    facts.event(
        EventKind::VswitchdStarted,
        format!("process {pid}"),
        "ovs-vswitchd is there",
        None,
    );
}
