//! `bench-ports`: throughput, packets and latency of each OVS port strategy from pod to pod.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use benches::ports::figures::{Figures, warm_up};
use benches::ports::path::Path;
use benches::ports::table::table;
use benches::programs::Programs;
use benches::report::Report;
use benches::{command, interrupt, setting};
use clap::{Parser, ValueEnum};
use tests::binaries;
use tests::ovs::Datapath;
use tests::rig::Rig;

/// Compares the ways from pod to pod: each OVS port strategy as berth attaches it and the raw internal port,
/// against OVS with veth, a Linux bridge with veth, and a bare veth pair.
///
/// Meant for the VM under virtual time (`make bench-ports`), where a nanosecond is an instruction and a figure the
/// same at every run. Elsewhere it runs too, on the userspace datapath, and its figures swing with the machine.
/// Needs root, iperf3 and sockperf (`benches/setup.sh traffic`).
#[derive(Debug, Parser)]
#[command(version)]
struct Arguments {
    /// One second for each figure.
    #[arg(long)]
    quick: bool,
    /// Seconds for each figure.
    #[arg(long, default_value_t = 2, conflicts_with = "quick")]
    seconds: u32,
    /// Rounds; all paths in turn, each made anew. One is enough under virtual time.
    #[arg(long, default_value_t = 1)]
    rounds: usize,
    /// Only these paths, comma-separated.
    #[arg(long, value_delimiter = ',', value_enum)]
    paths: Vec<Path>,
    /// Write the table as PATH.json and PATH.md too.
    #[arg(long, value_name = "PATH")]
    out: Option<PathBuf>,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    command::run(|| measure(&arguments))
}

fn measure(arguments: &Arguments) -> Result<()> {
    let programs = Programs::prepare()?;
    let mut setting = setting::machine(&programs);
    let datapath = if Rig::current().is_vm() {
        Datapath::Kernel
    } else {
        Datapath::Userspace
    };
    setting.push((
        "berth".into(),
        setting::version(&binaries::berth()?, "--version"),
    ));
    setting.push((
        "Open vSwitch".into(),
        setting::version("ovs-vswitchd".as_ref(), "--version"),
    ));
    setting.push(("datapath".into(), datapath.to_string()));
    let mut report = Report::new("bench-ports", setting, arguments.out.clone());

    let seconds = if arguments.quick {
        1
    } else {
        arguments.seconds
    };
    let paths: Vec<Path> = match arguments.paths.as_slice() {
        [] => Path::value_variants()
            .iter()
            .copied()
            .filter(|path| exists(*path, datapath))
            .collect(),
        chosen => chosen.to_vec(),
    };
    let mut measured: Vec<(Path, Figures)> = paths
        .iter()
        .map(|&path| (path, Figures::default()))
        .collect();
    eprintln!("warming up");
    warm_up(&Path::Pair.lay(&programs, datapath)?);
    let outcome = (0..arguments.rounds).try_for_each(|round| {
        measured.iter_mut().try_for_each(|(path, figures)| {
            interrupt::check()?;
            eprintln!(
                "round {} of {}: {}",
                round + 1,
                arguments.rounds,
                path.label()
            );
            let laid = path.lay(&programs, datapath)?;
            figures.measure(*path, &laid, seconds)
        })
    });
    // What was measured before a failure is worth its minutes.
    report.add(table(&measured, arguments.rounds, seconds))?;
    outcome
}

/// Whether the path can be laid here: a strategy that the rig has not is left out of the default.
fn exists(path: Path, datapath: Datapath) -> bool {
    let wanted = path.to_possible_value();
    let strategies = Rig::current().strategies(datapath);
    match path {
        Path::Veth | Path::Rename | Path::Bond | Path::Macvlan => strategies.iter().any(|s| {
            wanted
                .as_ref()
                .is_some_and(|wanted| wanted.matches(s.name(), false))
        }),
        Path::Internal | Path::Bridge | Path::Pair | Path::Routed | Path::Unaided => true,
    }
}
