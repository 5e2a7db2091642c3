//! The table of the paths, as ratios to OVS with veth, beside the ratios published for real hardware.

use super::figures::Figures;
use super::path::Path;
use crate::report::{Cell, Table};
use crate::stats::{median, pairwise_ratio};

/// Internal against veth as published, with one process (111–114 to 108–110 Gbit/s) and with four (129–133 to
/// 118–122): the least and the greatest quotient.
const PUBLISHED: [(f64, f64); 2] = [
    (111.0 / 110.0, 114.0 / 108.0),
    (129.0 / 122.0, 133.0 / 118.0),
];

/// All paths, with ratios to [`Path::Veth`] where that was measured too.
pub fn table(measured: &[(Path, Figures)], rounds: usize, seconds: u32) -> Table {
    let mut table = Table::new(
        "Pod to pod on one node",
        &[
            "path",
            "TCP, 1 process",
            "TCP 1 ratio",
            "published 1",
            "TCP, 4 processes",
            "TCP 4 ratio",
            "published 4",
            "64 B UDP sent",
            "UDP ratio",
            "64 B TCP latency",
            "latency ratio",
        ],
    )
    .note(format!("MTU 1500, {rounds} round(s) of {seconds} s a figure, medians; ratios to OVS veth: medians of the rounds' ratios"))
    .note("TCP: iperf3, what arrives; UDP and latency (half a round trip): sockperf")
    .note("published: internal 111–114 against veth 108–110 Gbit/s with one process, 129–133 against 118–122 with four");
    let veth = measured
        .iter()
        .find(|(path, _)| *path == Path::Veth)
        .map(|(_, figures)| figures);
    for (path, own) in measured {
        let ratio = |pick: fn(&Figures) -> &[f64]| {
            Cell::of(
                Cell::Ratio,
                veth.and_then(|veth| pairwise_ratio(pick(own), pick(veth))),
            )
        };
        let published = |(least, most): (f64, f64)| match path {
            Path::Internal => Cell::Text(format!("{least:.2}–{most:.2}")),
            _ => Cell::Nothing,
        };
        table.row(vec![
            Cell::Text(path.label().to_owned()),
            Cell::of(Cell::Gigabits, median(&own.one)),
            ratio(|f| &f.one),
            published(PUBLISHED[0]),
            Cell::of(Cell::Gigabits, median(&own.four)),
            ratio(|f| &f.four),
            published(PUBLISHED[1]),
            Cell::of(Cell::Rate, median(&own.datagrams)),
            ratio(|f| &f.datagrams),
            Cell::of(Cell::Micros, median(&own.latency)),
            ratio(|f| &f.latency),
        ]);
    }
    table
}
