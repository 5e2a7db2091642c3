//! The scenarios that a pod's port must survive, one file each, for every datapath and strategy of the rig.
//!
//! Each begins with [`stage`], does its event under traffic, and ends with [`Stage::strike`]; what a strategy
//! cannot survive by nature is said where the scenario decides it, and the daemon's repair is asserted instead.

use std::time::Duration;

use anyhow::{Context, Result};

use crate::node::{Node, Pod};
use crate::runner::{Case, Scenarios};
use crate::traffic::TcpSession;

mod s01_churn;
mod s02_vswitchd;
mod s03_scripts;
mod s04_ovsdb;
mod s05_daemon;
mod s06_reboot;
mod s07_by_hand;
mod s08_sockets;
mod s09_attributes;
mod s10_modes;
mod s11_del;
mod s12_names;
mod s13_failed_add;
mod s14_moves;

pub use s03_scripts::reload;

/// How long traffic may take to come back before a test gives up.
pub const LIMIT: Duration = Duration::from_secs(60);

/// All scenarios.
pub fn all() -> Scenarios {
    let parts = [
        s01_churn::add,
        s02_vswitchd::add,
        s03_scripts::add,
        s04_ovsdb::add,
        s05_daemon::add,
        s06_reboot::add,
        s07_by_hand::add,
        s08_sockets::add,
        s09_attributes::add,
        s10_modes::add,
        s11_del::add,
        s12_names::add,
        s13_failed_add::add,
        s14_moves::add,
    ];
    parts
        .into_iter()
        .fold(Scenarios::new(), |suite, add| add(suite))
}

/// A node with its daemon, and two pods in conversation.
pub struct Stage {
    /// The node; `berthd` runs.
    pub node: Node,
    /// The pod that asks.
    pub a: Pod,
    /// The pod that answers.
    pub b: Pod,
    /// Their conversation over IPv4, through the switch.
    pub session: TcpSession,
}

/// Sets a node up for `case`: switch, daemon, two pods, a TCP session.
///
/// # Errors
/// When a part of it fails.
pub fn stage(case: Case) -> Result<Stage> {
    let mut node = Node::switched(case.datapath, case.strategy)?;
    node.start_berthd()?;
    let (a, b) = (node.add_pod("a")?, node.add_pod("b")?);
    node.assert_whole(&a, &b).context("before the event")?;
    let session = TcpSession::start(&a.netns, &b.netns, b.v4())?;
    Ok(Stage {
        node,
        a,
        b,
        session,
    })
}

impl Stage {
    /// Asserts that both pods are whole and the session goes on with nothing lost; then takes all down and
    /// asserts that nothing is left.
    ///
    /// # Errors
    /// When any of that does not hold.
    pub fn strike(self) -> Result<()> {
        let Stage {
            mut node,
            a,
            b,
            session,
        } = self;
        node.assert_whole(&a, &b).context("after the event")?;
        session
            .await_progress(LIMIT)
            .context("the session does not go on")?;
        session.finish()?.intact()?;
        node.del_pod(a)?;
        node.del_pod(b)?;
        node.stop_berthd()?;
        node.assert_clean()
    }
}
