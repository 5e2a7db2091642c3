//! How long pods are without their network when vswitchd is killed and started again.
//!
//! Every pod sends a probe each few milliseconds to a server on the same bridge. Two
//! pods of the bench's own, plugged in by hand with a veth that needs no help, are
//! that server and the witness: what the witness loses is vswitchd's own outage.

use anyhow::{Context, Result};
use tests::ovs::Datapath;
use tests::rig::Strategy;

use crate::interrupt;
use crate::programs::Programs;
use crate::report::{Cell, Table};
use crate::stats::{median, worst};

mod devices;
mod node;
mod train;
mod window;

use node::Node;

/// Pods that a node is measured with.
pub const PODS: [usize; 3] = [1, 20, 100];

/// What is seen in all kills of one node, in milliseconds.
#[derive(Debug, Default)]
pub struct Outages {
    /// First probe lost to first back, of each pod.
    pub pods: Vec<f64>,
    /// The same of the witness.
    pub witness: Vec<f64>,
    /// From the witness's return to that of each pod; nothing for pods that lost nothing.
    pub beyond: Vec<f64>,
    /// From a port's device being there to the return of its pod.
    pub after_device: Vec<f64>,
    /// Without service in all, of each pod.
    pub unserved: Vec<f64>,
    /// From the kill until a pod's last interruption was over.
    pub whole: Vec<f64>,
}

/// The table, filled by [`measure`] a row at a time.
pub fn table(kills: usize) -> Table {
    Table::new(
        "Outage when vswitchd is killed (SIGKILL) and started again at once",
        &[
            "strategy",
            "datapath",
            "pods",
            "probe every",
            "outage p50",
            "outage worst",
            "vswitchd's own",
            "beyond p50",
            "beyond worst",
            "after device p50",
            "after device worst",
            "unserved p50",
            "unserved worst",
            "whole worst",
        ],
    )
    .note(format!("{kills} kills a row; outage: first probe lost (or later than 100 ms) to first echo back"))
    .note("vswitchd's own: the outage of a veth plugged in by hand, which needs no repair")
    .note("beyond: return of a pod after the return of that veth; negative: before it")
    .note("after device: from the port's device being there again in the node to the return of its pod")
    .note("unserved: all time without service, later interruptions included; whole: from the kill to the last's end")
    .note("goal: kernel bond and macvlan nothing beyond vswitchd's own; userspace at most 200 ms after the device")
}

/// Attach `pods` pods by one strategy with berthd running, kill vswitchd `kills` times, and add the row.
///
/// # Errors
/// When anything that is measured fails, or a pod does not come back.
pub fn measure(
    programs: &Programs,
    datapath: Datapath,
    strategy: Strategy,
    pods: usize,
    kills: usize,
    table: &mut Table,
) -> Result<()> {
    let mut node = Node::start(programs, datapath, strategy, pods)
        .with_context(|| format!("{pods} pods by {strategy} on the {datapath} datapath"))?;
    let mut outages = Outages::default();
    for kill in 0..kills {
        interrupt::check()?;
        node.kill(&mut outages).with_context(|| {
            let log = node.log();
            format!("kill {kill} with {pods} pods by {strategy} ({datapath}), log of berthd: {log}")
        })?;
    }
    table.row(vec![
        Cell::Text(strategy.to_string()),
        Cell::Text(datapath.to_string()),
        Cell::Count(pods as u64),
        Cell::Millis(node.pause().as_secs_f64() * 1e3),
        Cell::of(Cell::Millis, median(&outages.pods)),
        Cell::of(Cell::Millis, worst(&outages.pods)),
        Cell::of(Cell::Millis, median(&outages.witness)),
        Cell::of(Cell::Millis, median(&outages.beyond)),
        Cell::of(Cell::Millis, worst(&outages.beyond)),
        Cell::of(Cell::Millis, median(&outages.after_device)),
        Cell::of(Cell::Millis, worst(&outages.after_device)),
        Cell::of(Cell::Millis, median(&outages.unserved)),
        Cell::of(Cell::Millis, worst(&outages.unserved)),
        Cell::of(Cell::Millis, worst(&outages.whole)),
    ]);
    Ok(())
}
