//! Many Services: how long the first sync takes, how soon a change arrives, and what it all weighs.

use std::net::Ipv4Addr;
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use super::goal::Goal;
use super::manifests::{self, PORT};
use super::node::ServiceNode;
use super::tables::{self, Pinned};
use crate::interrupt;
use crate::report::{Cell, Table};
use crate::stats::{median, percentile, worst};

/// How often the tables are looked at while something is waited for.
const POLL: Duration = Duration::from_micros(100);

/// When something that is waited for is given up.
const LIMIT: Duration = Duration::from_secs(300);

/// How long nothing happens between two changes, such that each is a change by itself.
const QUIET: Duration = Duration::from_millis(150);

/// How much there is of everything.
#[derive(Clone, Copy, Debug)]
pub struct Size {
    /// Services, each a file.
    pub services: usize,
    /// Endpoints of each.
    pub endpoints: usize,
    /// Starts of the daemon.
    pub starts: usize,
    /// Changes of one endpoint.
    pub changes: usize,
}

/// What was measured, one value a repeat.
#[derive(Default)]
struct Figures {
    synced: Vec<f64>,
    processor: Vec<f64>,
    took: Vec<f64>,
    seen: Vec<f64>,
    change_took: Vec<f64>,
    resident: Vec<f64>,
    peak: Vec<f64>,
}

/// Measures, and makes the table.
///
/// # Errors
/// When the daemon does not do its work.
pub fn table(size: Size) -> Result<Table> {
    let mut figures = Figures::default();
    let mut maps = Vec::new();
    for start in 0..size.starts {
        interrupt::check()?;
        eprintln!("scale: start {} of {}", start + 1, size.starts);
        let mut node = ServiceNode::new()?;
        for number in 0..size.services {
            let text = manifests::text(number, &endpoints(number, size.endpoints));
            manifests::put(node.folder(), number, &text)?;
        }
        let measured = measure(&mut node, size, &mut figures);
        measured.with_context(|| format!("log of berthd: {}", node.node.berthd_log()))?;
        maps = tables::memory(&node.bpf_dir())?;
    }
    Ok(report(size, &figures, &maps))
}

/// The endpoints that nobody else has.
fn endpoints(number: usize, count: usize) -> Vec<Ipv4Addr> {
    (0..count)
        .map(|index| manifests::endpoint(number * count + index))
        .collect()
}

fn measure(node: &mut ServiceNode, size: Size, figures: &mut Figures) -> Result<()> {
    let begin = Instant::now();
    node.spawn(&[])?;
    // Ports are written in the order of their names: when the last one is there, all are.
    let last = manifests::cluster_ip(size.services - 1);
    let bpf_dir = node.bpf_dir();
    let mut tables = await_some("the tables", || Pinned::open(&bpf_dir).ok())?;
    await_some("the last Service", || tables.service(last, PORT))?;
    let synced = begin.elapsed();
    let status = await_some("the daemon's own word", || {
        let status = node.status().ok()?;
        status["tookMs"].is_f64().then_some(status)
    })?;
    figures.synced.push(millis(synced));
    figures.processor.push(node.processor_millis()?);
    figures
        .took
        .push(status["tookMs"].as_f64().unwrap_or_default());
    let (resident, _) = node.memory()?;
    figures.resident.push(resident);
    for change in 0..size.changes {
        interrupt::check()?;
        sleep(QUIET);
        one_change(node, &mut tables, size, change, figures)?;
    }
    figures.peak.push(node.memory()?.1);
    Ok(())
}

/// Another endpoint in place of a Service's first.
fn one_change(
    node: &ServiceNode,
    tables: &mut Pinned,
    size: Size,
    change: usize,
    figures: &mut Figures,
) -> Result<()> {
    // Spread over all Services, so that none is always the first one.
    let number = (change * 7_919 + 1) % size.services;
    let mut endpoints = endpoints(number, size.endpoints);
    let fresh = manifests::endpoint(size.services * size.endpoints + change);
    endpoints[0] = fresh;
    let text = manifests::text(number, &endpoints);
    let begin = Instant::now();
    manifests::put(node.folder(), number, &text)?;
    await_some("the change", || {
        let service = tables.service(manifests::cluster_ip(number), PORT)?;
        tables.has_backend(&service, fresh).then_some(())
    })?;
    figures.seen.push(millis(begin.elapsed()));
    let before = figures.change_took.last().copied();
    let took = await_some("the daemon's own word", || {
        let took = node.status().ok()?["tookMs"].as_f64();
        took.filter(|took| Some(*took) != before)
    })?;
    figures.change_took.push(took);
    Ok(())
}

fn await_some<T>(what: &str, mut attempt: impl FnMut() -> Option<T>) -> Result<T> {
    let begin = Instant::now();
    loop {
        if let Some(found) = attempt() {
            return Ok(found);
        }
        if begin.elapsed() > LIMIT {
            bail!("waited {} s in vain for {what}", LIMIT.as_secs());
        }
        sleep(POLL);
    }
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

fn report(size: Size, figures: &Figures, maps: &[(&'static str, u64)]) -> Table {
    let (services, endpoints) = (size.services, size.services * size.endpoints);
    let mut table = Table::new(
        format!("{services} Services with {endpoints} endpoints, from a folder of manifests"),
        &["figure", "p50", "p99", "worst", "goal"],
    )
    .note(format!(
        "a file for each Service with its slice, YAML as kubectl prints it; one in ten has a NodePort; {} start(s), {} change(s) of one endpoint after each",
        size.starts, size.changes
    ))
    .note("start to synced: from the fork to the last Service in the kernel's table; a change: from writing the file to the new backend in the table, by polling every 0.1 ms")
    .note("its own measure: what the daemon says a sync took, once it has read the files");
    let mut row = |label: &str, make: fn(f64) -> Cell, values: &[f64], goal: Option<Goal>| {
        table.row(vec![
            Cell::Text(label.to_owned()),
            Cell::of(make, median(values)),
            Cell::of(make, percentile(values, 99.0)),
            Cell::of(make, worst(values)),
            goal.map_or(Cell::Nothing, |goal| goal.verdict(median(values))),
        ]);
    };
    let millis = Cell::Millis;
    row(
        "start to synced",
        millis,
        &figures.synced,
        Some(Goal::AtMost(2000.0)),
    );
    row(
        "  processor time of that, all threads",
        millis,
        &figures.processor,
        None,
    );
    row("first sync, its own measure", millis, &figures.took, None);
    let goal = Some(Goal::AtMost(10.0));
    row("one endpoint changed", millis, &figures.seen, goal);
    row(
        "one endpoint changed, its own measure",
        millis,
        &figures.change_took,
        goal,
    );
    let mebibytes = Cell::Mebibytes;
    let goal = Some(Goal::AtMost(200.0));
    row(
        "memory of berthd when synced",
        mebibytes,
        &figures.resident,
        goal,
    );
    row("its peak", mebibytes, &figures.peak, goal);
    let sum = maps.iter().map(|(_, bytes)| bytes).sum::<u64>() as f64 / f64::from(1 << 20);
    row("memory of the kernel's tables", mebibytes, &[sum], None);
    for (name, bytes) in maps {
        let mebibytes_of = *bytes as f64 / f64::from(1 << 20);
        if mebibytes_of >= 1.0 {
            row(
                &format!("  of them {name}"),
                mebibytes,
                &[mebibytes_of],
                None,
            );
        }
    }
    table
}
