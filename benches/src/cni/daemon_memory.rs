//! What berthd has in memory with many ports under its care.

use std::fs;

use anyhow::{Context, Result};
use tests::netns::Netns;
use tests::ovs::Datapath;
use tests::rig::Strategy;

use crate::contender::Contender;
use crate::interrupt;
use crate::node_daemon::NodeDaemon;
use crate::programs::Programs;
use crate::report::{Cell, Table};

/// berthd's memory without and with `ports` pods on OVS.
///
/// # Errors
/// When a pod cannot be attached, or berthd does not find all in order.
pub fn table(
    programs: &Programs,
    datapath: Datapath,
    strategy: Strategy,
    ports: usize,
) -> Result<Table> {
    let mut table = Table::new(
        format!("Memory of berthd with {ports} pods by {strategy} on OVS ({datapath})"),
        &["pods", "RSS", "PSS", "peak RSS"],
    )
    .note("goal: below 20 MB");
    let contender = Contender::on_ovs(programs, strategy, datapath)?;
    let mut daemon = NodeDaemon::start(&contender)?;
    table.row(row(0, &daemon)?);
    let pods: Vec<Netns> = (0..ports)
        .map(|_| Netns::new("pod"))
        .collect::<Result<_>>()?;
    contender.inside(|| {
        for (number, pod) in pods.iter().enumerate() {
            interrupt::check()?;
            contender.add(&format!("memory-{number}"), pod.path())?;
        }
        Ok(())
    })?;
    daemon.await_healthy()?;
    table.row(row(ports, &daemon)?);
    Ok(table)
}

fn row(pods: usize, daemon: &NodeDaemon) -> Result<Vec<Cell>> {
    let now = format!("/proc/{}/smaps_rollup", daemon.pid());
    let ever = format!("/proc/{}/status", daemon.pid());
    Ok(vec![
        Cell::Count(pods as u64),
        Cell::Mebibytes(field(&now, "Rss:")?),
        Cell::Mebibytes(field(&now, "Pss:")?),
        Cell::Mebibytes(field(&ever, "VmHWM:")?),
    ])
}

/// Mebibytes of a field that the kernel shows in kibibytes.
fn field(path: &str, name: &str) -> Result<f64> {
    let text = fs::read_to_string(path).with_context(|| format!("cannot read {path}"))?;
    let kib = text
        .lines()
        .find_map(|line| line.strip_prefix(name)?.split_whitespace().next());
    let kib: f64 = kib
        .with_context(|| format!("{path} has no {name}"))?
        .parse()?;
    Ok(kib / 1024.0)
}
