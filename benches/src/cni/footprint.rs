//! What the plugin itself costs: bytes on disk, time to start, memory at its peak.

use anyhow::{Context, Result};
use nix::sys::ptrace;
use nix::sys::signal::Signal;
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;
use std::io::Read;
use std::path::Path;
use tests::netns::Netns;

use crate::contender::Contender;
use crate::interrupt;
use crate::plugin::{self, Plugin, Pod};
use crate::programs::Programs;
use crate::report::{Cell, Table};
use crate::stats::{median, pairwise_ratio, worst};

/// Size, start time of VERSION and peak memory of ADD, for berth and the plugins it replaces.
///
/// # Errors
/// When a plugin fails or cannot be traced.
pub fn table(programs: &Programs, rounds: usize) -> Result<Table> {
    let contenders = [
        Contender::routed(programs)?,
        Contender::bridge(programs)?,
        Contender::ptp(programs)?,
        Contender::host_local(programs)?,
    ];
    let pod = Netns::new("pod")?;
    let mut starts = vec![Vec::new(); contenders.len()];
    let nobody = Pod {
        container: "",
        netns: Path::new(""),
    };
    for round in 0..rounds {
        interrupt::check()?;
        for turn in 0..contenders.len() {
            let index = (round + turn) % contenders.len();
            let (plugin, config) = contenders[index].plugin();
            let done = contenders[index].inside(|| plugin.call("VERSION", &nobody, config))?;
            starts[index].push(done.millis());
        }
    }
    let mut table = Table::new(
        "The binary",
        &["plugin", "size", "VERSION p50", "ratio", "ADD peak memory"],
    )
    .note(format!(
        "VERSION: {rounds} rounds in turn, fork to exit; ratio to bridge"
    ))
    .note(
        "peak memory: high-water mark of the resident set at exit, without delegates, worst of 5",
    );
    for (contender, own) in contenders.iter().zip(&starts) {
        let (plugin, _) = contender.plugin();
        let peaks: Vec<f64> = (0..5)
            .map(|_| peak_of_add(contender, pod.path()))
            .collect::<Result<_>>()?;
        table.row(vec![
            Cell::Text(name(plugin)),
            Cell::Mebibytes(size(&plugin.program)?),
            Cell::of(Cell::Millis, median(own)),
            Cell::of(Cell::Ratio, pairwise_ratio(own, &starts[1])),
            Cell::of(Cell::Mebibytes, worst(&peaks)),
        ]);
    }
    Ok(table)
}

fn name(plugin: &Plugin) -> String {
    plugin
        .program
        .file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned()
}

/// Mebibytes of a file.
fn size(path: &Path) -> Result<f64> {
    let facts = path
        .metadata()
        .with_context(|| format!("cannot examine {}", path.display()))?;
    Ok(facts.len() as f64 / (1 << 20) as f64)
}

/// Mebibytes that an ADD had resident at most.
///
/// `ru_maxrss` would count this program too: the kernel carries the mark of the
/// image before exec over to the one after it. So the plugin is traced, and its
/// own mark read when it stops at its exit.
fn peak_of_add(contender: &Contender, netns: &Path) -> Result<f64> {
    let (plugin, config) = contender.plugin();
    let peak = contender.inside(|| {
        let pod = Pod {
            container: "peak",
            netns,
        };
        // It waits for its configuration, so it cannot have ended before it is traced.
        let mut child = plugin.start("ADD", &pod)?;
        let pid = Pid::from_raw(child.id().cast_signed());
        let outcome = ptrace::seize(pid, ptrace::Options::PTRACE_O_TRACEEXIT)
            .context("cannot trace a plugin")
            .and_then(|()| plugin::feed(&mut child, &config.to_string()))
            .and_then(|()| peak_at_exit(pid));
        if outcome.is_err() {
            child.kill().ok();
        }
        let mut printed = String::new();
        if let Some(mut stdout) = child.stdout.take() {
            stdout.read_to_string(&mut printed).ok();
        }
        outcome.with_context(|| printed.clone())
    })?;
    contender.inside(|| {
        let nothing = serde_json::Value::Null;
        contender.del("peak", netns, &nothing)
    })?;
    Ok(peak)
}

/// Let a traced process run to its exit and end; its high-water mark there, in mebibytes.
fn peak_at_exit(pid: Pid) -> Result<f64> {
    let mut peak = None;
    loop {
        match waitpid(pid, Some(WaitPidFlag::__WALL)).context("cannot wait for a plugin")? {
            WaitStatus::PtraceEvent(_, _, event)
                if event == ptrace::Event::PTRACE_EVENT_EXIT as i32 =>
            {
                peak = Some(high_water_mark(pid)?);
                ptrace::cont(pid, None)?;
            }
            WaitStatus::Stopped(_, signal) => {
                let passed = (signal != Signal::SIGTRAP).then_some(signal);
                ptrace::cont(pid, passed)?;
            }
            WaitStatus::Exited(_, 0) => {
                return peak.context("a plugin ended without its exit being seen");
            }
            WaitStatus::Exited(..) | WaitStatus::Signaled(..) => {
                anyhow::bail!("a traced ADD failed")
            }
            _ => ptrace::cont(pid, None)?,
        }
    }
}

fn high_water_mark(pid: Pid) -> Result<f64> {
    let path = format!("/proc/{pid}/status");
    let text = std::fs::read_to_string(&path).with_context(|| format!("cannot read {path}"))?;
    let kib = text
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:")?.split_whitespace().next());
    let kib: f64 = kib
        .with_context(|| format!("{path} has no VmHWM"))?
        .parse()?;
    Ok(kib / 1024.0)
}
