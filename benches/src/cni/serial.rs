//! ADD and DEL of one pod at a time.

use anyhow::Result;
use tests::netns::Netns;

use crate::contender::Contender;
use crate::interrupt;
use crate::report::{Cell, Table};
use crate::stats::{median, pairwise_ratio, percentile};

/// Milliseconds of one contender, one value a round.
#[derive(Clone, Debug, Default)]
pub struct Times {
    /// Of ADD.
    pub add: Vec<f64>,
    /// Of DEL.
    pub del: Vec<f64>,
}

/// ADD and DEL of `rounds` pods with each contender, in turn; the first in a round changes.
///
/// # Errors
/// When a plugin fails.
pub fn measure(contenders: &[Contender], rounds: usize) -> Result<Vec<Times>> {
    let pods: Vec<Netns> = contenders.iter().map(|_| Netns::new("pod")).collect::<Result<_>>()?;
    for (contender, pod) in contenders.iter().zip(&pods) {
        contender.warm_up(pod.path())?;
    }
    let mut times = vec![Times::default(); contenders.len()];
    for round in 0..rounds {
        interrupt::check()?;
        for turn in 0..contenders.len() {
            let index = (round + turn) % contenders.len();
            let (contender, pod) = (&contenders[index], &pods[index]);
            let (add, del) = contender.inside(|| {
                let container = format!("serial-{round}");
                let add = contender.add(&container, pod.path())?;
                let del = contender.del(&container, pod.path(), &add.result()?)?;
                Ok((add, del))
            })?;
            times[index].add.push(add.millis());
            times[index].del.push(del.millis());
        }
    }
    Ok(times)
}

/// The table of [`measure`], with ratios to the contender at `baseline`.
pub fn table(contenders: &[Contender], times: &[Times], baseline: usize) -> Table {
    let base = &contenders[baseline].label;
    let rounds = times[baseline].add.len();
    let mut table = Table::new(
        "One pod at a time",
        &["plugin", "ADD p50", "ADD p99", "ADD ratio", "DEL p50", "DEL p99", "DEL ratio"],
    )
    .note(format!("{rounds} rounds, contenders in turn; ratio: median of the rounds' ratios to {base}"))
    .note("goal: berth routed at most 0.33 of bridge + host-local");
    for (contender, own) in contenders.iter().zip(times) {
        table.row(vec![
            Cell::Text(contender.label.clone()),
            Cell::of(Cell::Millis, median(&own.add)),
            Cell::of(Cell::Millis, percentile(&own.add, 99.0)),
            Cell::of(Cell::Ratio, pairwise_ratio(&own.add, &times[baseline].add)),
            Cell::of(Cell::Millis, median(&own.del)),
            Cell::of(Cell::Millis, percentile(&own.del, 99.0)),
            Cell::of(Cell::Ratio, pairwise_ratio(&own.del, &times[baseline].del)),
        ]);
    }
    table
}
