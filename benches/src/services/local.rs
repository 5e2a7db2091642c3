//! Pods of one node: what Services cost those who ask for none, against nothing between, a bridge, and plain routing.

use anyhow::Result;
use tests::ovs::Datapath;

use super::goal::Goal;
use crate::interrupt;
use crate::ports::figures::{Figures, warm_up};
use crate::ports::path::Path;
use crate::programs::Programs;
use crate::report::{Cell, Table};
use crate::stats::{median, pairwise_ratio};

/// The limit first: all others are compared with it.
const PATHS: [Path; 4] = [Path::Pair, Path::Routed, Path::Bridge, Path::Unaided];

/// How near the routed port has to come to the bare pair: throughput, and latency the other way round.
const THROUGHPUT: Goal = Goal::AtLeast(0.975);
const LATENCY: Goal = Goal::AtLeast(0.955);

/// Measures each path for `seconds` a figure, and makes the table.
///
/// # Errors
/// When a path cannot be laid, or a tool fails.
pub fn table(programs: &Programs, seconds: u32) -> Result<Table> {
    eprintln!("local: warming up");
    warm_up(&Path::Pair.lay(programs, Datapath::Kernel)?);
    let mut measured: Vec<(Path, Figures)> = Vec::new();
    for path in PATHS {
        interrupt::check()?;
        eprintln!("local: {}", path.label());
        let laid = path.lay(programs, Datapath::Kernel)?;
        let mut figures = Figures::default();
        figures.measure(path, &laid, seconds)?;
        measured.push((path, figures));
    }
    Ok(report(&measured, seconds))
}

fn report(measured: &[(Path, Figures)], seconds: u32) -> Table {
    let mut table = Table::new(
        "Pod to pod on one node, of those who ask for no Service",
        &[
            "path",
            "TCP, 1 process",
            "ratio",
            "goal",
            "TCP, 4 processes",
            "ratio",
            "64 B UDP sent",
            "ratio",
            "64 B TCP latency",
            "ratio",
            "goal",
        ],
    )
    .note(format!("MTU 1500, {seconds} s a figure; ratios to one veth pair, of latency the pair's to the path's: more is better"))
    .note("TCP: iperf3, what arrives; UDP and latency (half a round trip): sockperf");
    let pair = measured.iter().find(|(path, _)| *path == Path::Pair);
    for (path, own) in measured {
        let pair = pair.map(|(_, figures)| figures);
        let of = |pick: fn(&Figures) -> &[f64]| {
            pair.and_then(|pair| pairwise_ratio(pick(own), pick(pair)))
        };
        let latency = pair.and_then(|pair| pairwise_ratio(&pair.latency, &own.latency));
        let goal = |goal: Goal, ratio: Option<f64>| match path {
            Path::Routed => goal.verdict(ratio),
            _ => Cell::Nothing,
        };
        let one = of(|figures| &figures.one);
        table.row(vec![
            Cell::Text(path.label().to_owned()),
            Cell::of(Cell::Gigabits, median(&own.one)),
            Cell::of(Cell::Ratio, one),
            goal(THROUGHPUT, one),
            Cell::of(Cell::Gigabits, median(&own.four)),
            Cell::of(Cell::Ratio, of(|figures| &figures.four)),
            Cell::of(Cell::Rate, median(&own.datagrams)),
            Cell::of(Cell::Ratio, of(|figures| &figures.datagrams)),
            Cell::of(Cell::Micros, median(&own.latency)),
            Cell::of(Cell::Ratio, latency),
            goal(LATENCY, latency),
        ]);
    }
    table
}
