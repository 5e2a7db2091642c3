//! ADD and DEL of one pod at a time, and on OVS what of it is vswitchd's own.

use std::collections::BTreeSet;
use std::time::Duration;

use anyhow::{Context, Result};
use tests::netns::Netns;
use tests::rig::Strategy;
use tests::wait;

use super::bare_port::BarePort;
use crate::contender::Contender;
use crate::interrupt;
use crate::report::{Cell, Table};
use crate::stats::{median, pairwise_ratio, percentile};

/// A device that is still there then has been left behind.
const GONE: Duration = Duration::from_secs(10);

/// One contender's milliseconds, one value a round.
#[derive(Debug)]
struct Run {
    contender: Contender,
    pod: Netns,
    add: Vec<f64>,
    del: Vec<f64>,
    bare: Option<Bare>,
}

/// The port alone, without a plugin, on the same switch.
#[derive(Debug)]
struct Bare {
    port: BarePort,
    add: Vec<f64>,
    del: Vec<f64>,
}

/// ADD and DEL of `rounds` pods with each contender in turn: against the peers, which come last, and by OVS strategy.
///
/// # Errors
/// When a plugin fails, or the switch does.
pub fn tables(
    plain: Vec<Contender>,
    on_ovs: Vec<(Strategy, Contender)>,
    rounds: usize,
) -> Result<Vec<Table>> {
    let mut runs = Vec::new();
    for (strategy, contender) in on_ovs {
        let port = BarePort::on(&contender, strategy)?;
        runs.push(Run::new(contender, Some(port))?);
    }
    let switched = runs.len();
    for contender in plain {
        runs.push(Run::new(contender, None)?);
    }
    for round in 0..rounds {
        for turn in 0..runs.len() {
            interrupt::check()?;
            let index = (round + turn) % runs.len();
            runs[index].once(round)?;
        }
    }
    let mut tables = vec![against_peers(&runs, rounds)];
    if switched > 0 {
        tables.push(share_of_vswitchd(&runs[..switched], rounds));
    }
    Ok(tables)
}

impl Run {
    fn new(contender: Contender, port: Option<BarePort>) -> Result<Self> {
        let pod = Netns::new("pod")?;
        contender.warm_up(pod.path())?;
        let bare = port.map(|port| Bare {
            port,
            add: Vec::new(),
            del: Vec::new(),
        });
        Ok(Self {
            contender,
            pod,
            add: Vec::new(),
            del: Vec::new(),
            bare,
        })
    }

    fn once(&mut self, round: usize) -> Result<()> {
        let (contender, pod) = (&self.contender, &self.pod);
        let (add, del) = contender.inside(|| {
            let before = devices()?;
            let container = format!("serial-{round}");
            let add = contender.add(&container, pod.path())?;
            let result = add.result()?;
            let del = contender.del(&container, pod.path(), &result)?;
            // What DEL leaves to the kernel must not be at the next contender's expense.
            wait::until(GONE, "the devices of a deleted pod to go", || {
                devices().is_ok_and(|now| now == before)
            })?;
            Ok((add.millis(), del.millis()))
        })?;
        self.add.push(add);
        self.del.push(del);
        if let Some(bare) = &mut self.bare {
            let (add, del) = bare.port.once()?;
            bare.add.push(add);
            bare.del.push(del);
        }
        Ok(())
    }
}

/// The devices of this thread's namespace, as the kernel lists them.
fn devices() -> Result<BTreeSet<String>> {
    const PATH: &str = "/proc/thread-self/net/dev";
    let text = std::fs::read_to_string(PATH).with_context(|| format!("cannot read {PATH}"))?;
    let names = text.lines().filter_map(|line| line.split_once(':'));
    Ok(names.map(|(name, _)| name.trim().to_owned()).collect())
}

fn against_peers(runs: &[Run], rounds: usize) -> Table {
    let mut table = Table::new(
        "One pod at a time",
        &["plugin", "ADD p50", "ADD p99", "ADD ratio", "DEL p50", "DEL p99", "DEL ratio"],
    )
    .note(format!("{rounds} rounds, contenders in turn"))
    .note("ratio: median of the rounds' ratios to bridge + host-local; goal: berth routed at most 0.33");
    let Some(base) = runs.last() else {
        return table;
    };
    for run in runs {
        table.row(vec![
            Cell::Text(run.contender.label.clone()),
            Cell::of(Cell::Millis, median(&run.add)),
            Cell::of(Cell::Millis, percentile(&run.add, 99.0)),
            Cell::of(Cell::Ratio, pairwise_ratio(&run.add, &base.add)),
            Cell::of(Cell::Millis, median(&run.del)),
            Cell::of(Cell::Millis, percentile(&run.del, 99.0)),
            Cell::of(Cell::Ratio, pairwise_ratio(&run.del, &base.del)),
        ]);
    }
    table
}

fn share_of_vswitchd(runs: &[Run], rounds: usize) -> Table {
    let mut table = Table::new(
        "Of which vswitchd's own",
        &[
            "plugin",
            "ADD p50",
            "bare port up",
            "ADD share",
            "DEL p50",
            "bare port gone",
        ],
    )
    .note(format!(
        "the same {rounds} rounds; bare: the port alone, over a connection that is open"
    ))
    .note(
        "from the transaction until vswitchd has acted on it; share: median of the rounds' ratios",
    );
    for run in runs {
        let Some(bare) = &run.bare else { continue };
        table.row(vec![
            Cell::Text(run.contender.label.clone()),
            Cell::of(Cell::Millis, median(&run.add)),
            Cell::of(Cell::Millis, median(&bare.add)),
            Cell::of(Cell::Ratio, pairwise_ratio(&bare.add, &run.add)),
            Cell::of(Cell::Millis, median(&run.del)),
            Cell::of(Cell::Millis, median(&bare.del)),
        ]);
    }
    table
}
