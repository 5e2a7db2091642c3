//! Many pods at once: no failure, no address given twice, and how long until the last has its network.

use std::collections::BTreeSet;
use std::sync::Barrier;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use tests::netns::Netns;
use tests::wait;

use crate::contender::{Contender, address};
use crate::interrupt;
use crate::plugin::Done;
use crate::report::{Cell, Table};
use crate::stats::{median, pairwise_ratio, percentile};

/// Milliseconds of one contender.
#[derive(Clone, Debug, Default)]
struct Times {
    /// Of all ADDs of a round together.
    add_all: Vec<f64>,
    /// Of all DELs of a round together.
    del_all: Vec<f64>,
    /// Of each ADD.
    add: Vec<f64>,
}

/// ADD, then DEL, of `pods` pods at once, `rounds` times with each contender in turn.
///
/// Every address is checked to be given once, and nothing to be left after the DELs.
///
/// # Errors
/// When one plugin fails, two pods have one address, or DEL leaves a link or a lease.
pub fn table(contenders: &[Contender], pods: usize, rounds: usize) -> Result<Table> {
    let netns: Vec<Netns> = (0..pods)
        .map(|_| Netns::new("pod"))
        .collect::<Result<_>>()?;
    for contender in contenders {
        contender.warm_up(netns.first().context("a burst of no pods")?.path())?;
    }
    let mut times = vec![Times::default(); contenders.len()];
    for round in 0..rounds {
        for turn in 0..contenders.len() {
            interrupt::check()?;
            let index = (round + turn) % contenders.len();
            once(&contenders[index], &netns, round, &mut times[index])
                .with_context(|| format!("{pods} at once, {}", contenders[index].label))?;
        }
    }
    let mut table = Table::new(
        format!("{pods} pods at once"),
        &[
            "plugin",
            "all added in",
            "ADD ratio",
            "ADD p50",
            "ADD p99",
            "all deleted in",
            "DEL ratio",
        ],
    )
    .note(format!(
        "{rounds} rounds, contenders in turn, medians; ratio to {}",
        contenders.last().map_or("", |c| &c.label)
    ))
    .note("checked: no failure, no address given twice, no link or lease left");
    let Some(baseline) = times.last() else {
        return Ok(table);
    };
    for (contender, own) in contenders.iter().zip(&times) {
        table.row(vec![
            Cell::Text(contender.label.clone()),
            Cell::of(Cell::Millis, median(&own.add_all)),
            Cell::of(Cell::Ratio, pairwise_ratio(&own.add_all, &baseline.add_all)),
            Cell::of(Cell::Millis, median(&own.add)),
            Cell::of(Cell::Millis, percentile(&own.add, 99.0)),
            Cell::of(Cell::Millis, median(&own.del_all)),
            Cell::of(Cell::Ratio, pairwise_ratio(&own.del_all, &baseline.del_all)),
        ]);
    }
    Ok(table)
}

/// One round of one contender.
fn once(contender: &Contender, pods: &[Netns], round: usize, times: &mut Times) -> Result<()> {
    let before = leftovers(contender)?;
    let containers: Vec<String> = (0..pods.len())
        .map(|pod| format!("burst-{round}-{pod}"))
        .collect();

    let (added, elapsed) = at_once(contender, pods.len(), |pod| {
        contender.add(&containers[pod], pods[pod].path())
    })?;
    times.add_all.push(elapsed);
    times.add.extend(added.iter().map(Done::millis));

    let results: Vec<Value> = added.iter().map(Done::result).collect::<Result<_>>()?;
    let mut addresses = BTreeSet::new();
    for result in &results {
        let address = address(result)?;
        ensure!(addresses.insert(address), "{address} was given to two pods");
    }

    let (_, elapsed) = at_once(contender, pods.len(), |pod| {
        contender.del(&containers[pod], pods[pod].path(), &results[pod])
    })?;
    times.del_all.push(elapsed);
    let mut after = BTreeSet::new();
    // DEL may leave the end of a device to the kernel, but not for long.
    let gone = wait::until(
        Duration::from_secs(30),
        "the pods' links and leases to go",
        || {
            after = leftovers(contender).unwrap_or_default();
            after == before
        },
    );
    gone.with_context(|| {
        format!("before the ADDs there were {before:?}, after the DELs {after:?}")
    })?;
    Ok(())
}

/// Run `call` for each pod, all started together; what they returned, and milliseconds until the last had.
fn at_once(
    contender: &Contender,
    pods: usize,
    call: impl Fn(usize) -> Result<Done> + Sync,
) -> Result<(Vec<Done>, f64)> {
    let gate = Barrier::new(pods + 1);
    contender.inside(|| {
        thread::scope(|scope| {
            // Threads begin in the namespace of the one that starts them.
            let threads: Vec<_> = (0..pods)
                .map(|pod| {
                    let (gate, call) = (&gate, &call);
                    scope.spawn(move || {
                        gate.wait();
                        call(pod)
                    })
                })
                .collect();
            gate.wait();
            let start = Instant::now();
            let done: Vec<Result<Done>> = threads
                .into_iter()
                .map(|t| {
                    t.join()
                        .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
                })
                .collect();
            let elapsed = start.elapsed().as_secs_f64() * 1e3;
            let failed = done.iter().filter(|d| d.is_err()).count();
            let done: Result<Vec<Done>> = done.into_iter().collect();
            Ok((
                done.with_context(|| format!("{failed} of {pods} failed, the first of them"))?,
                elapsed,
            ))
        })
    })
}

/// The node's links and leases, by name.
fn leftovers(contender: &Contender) -> Result<BTreeSet<String>> {
    let links = contender.node().ip_json("link show")?;
    let links = links.as_array().into_iter().flatten();
    let mut found: BTreeSet<String> = links
        .filter_map(|link| link["ifname"].as_str())
        .map(|name| format!("link {name}"))
        .collect();
    let leases = contender.leases();
    for entry in
        std::fs::read_dir(&leases).with_context(|| format!("cannot list {}", leases.display()))?
    {
        let name = entry?.file_name().to_string_lossy().into_owned();
        if name.parse::<std::net::IpAddr>().is_ok() {
            found.insert(format!("lease {name}"));
        }
    }
    Ok(found)
}
