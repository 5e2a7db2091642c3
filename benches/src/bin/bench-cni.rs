//! `bench-cni`: the plugin against the reference plugins, outages, footprint.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use benches::cni::{burst, daemon_memory, footprint, leases, outage, serial};
use benches::contender::Contender;
use benches::programs::Programs;
use benches::report::{Report, Table};
use benches::{command, interrupt, setting};
use clap::Parser;
use tests::binaries;
use tests::ovs::Datapath;
use tests::rig::{Rig, Strategy};

/// Times ADD and DEL against bridge and ptp with host-local, the outage of pods while OVS restarts, and what the
/// programs cost.
///
/// Needs root, and the release programs of `make build`. The reference plugins are built at the first run, which
/// needs Go 1.24 or later. In the VM only the outages are measured: emulated times compare with nothing else.
#[derive(Debug, Parser)]
#[command(version)]
struct Arguments {
    /// Few repeats: to see that everything runs, not to be quoted.
    #[arg(long)]
    quick: bool,
    /// Write the tables as PATH.json and PATH.md too; in the VM as PATH-vm-6.12.json and .md.
    #[arg(long, value_name = "PATH")]
    out: Option<PathBuf>,
    /// Only these measurements, comma-separated.
    #[arg(long, value_delimiter = ',', value_enum)]
    only: Vec<Measurement>,
    /// Pods of the outages, comma-separated.
    #[arg(long, value_delimiter = ',', default_values_t = outage::PODS)]
    pods: Vec<usize>,
    /// Only these port strategies in the outages, comma-separated: veth, rename, bond, macvlan.
    #[arg(long, value_delimiter = ',')]
    strategies: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Measurement {
    /// One pod at a time.
    Serial,
    /// 8 and 250 pods at once.
    Burst,
    /// 0 to 4000 leases in the store.
    Leases,
    /// Outage when vswitchd is killed.
    Outage,
    /// Size, start time and memory of the plugin, memory of the daemon.
    Footprint,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    command::run(|| measure(&arguments))
}

fn measure(arguments: &Arguments) -> Result<()> {
    let programs = Programs::prepare()?;
    let mut setting = setting::machine(&programs);
    setting.push((
        "berth".into(),
        setting::version(&binaries::berth()?, "--version"),
    ));
    setting.push((
        "Open vSwitch".into(),
        setting::version("ovs-vswitchd".as_ref(), "--version"),
    ));
    let rig = Rig::current();
    // One command measures here and in the VM with the same arguments: neither may overwrite the other's tables.
    let out = arguments.out.as_ref().map(|out| match rig.is_vm() {
        true => PathBuf::from(format!("{}-{rig}", out.display())),
        false => out.clone(),
    });
    let mut report = Report::new("bench-cni", setting, out);

    let wanted = |m| {
        (!rig.is_vm() || m == Measurement::Outage)
            && (arguments.only.is_empty() || arguments.only.contains(&m))
    };
    let repeats = |full: usize, quick: usize| if arguments.quick { quick } else { full };

    if wanted(Measurement::Serial) {
        for table in serial::tables(plain(&programs)?, on_ovs(&programs)?, repeats(200, 30))? {
            report.add(table)?;
        }
    }
    if wanted(Measurement::Burst) {
        report.add(burst::table(&plain(&programs)?, 8, repeats(25, 5))?)?;
        report.add(burst::table(&plain(&programs)?, 250, repeats(5, 1))?)?;
    }
    if wanted(Measurement::Leases) {
        for table in leases::tables(&programs, repeats(50, 10))? {
            report.add(table)?;
        }
    }
    if wanted(Measurement::Outage) {
        // Emulation takes ten times as long, and its figures say no more for being repeated.
        let kills = if rig.is_vm() {
            repeats(3, 1)
        } else {
            repeats(5, 2)
        };
        let mut table = outage::table(kills);
        let measured = outages(&programs, arguments, kills, &mut table);
        // What was measured before a failure is worth its minutes.
        report.add(table)?;
        measured?;
    }
    if wanted(Measurement::Footprint) {
        report.add(footprint::table(&programs, repeats(200, 30))?)?;
        report.add(daemon_memory::table(
            &programs,
            Datapath::Userspace,
            Strategy::Rename,
            250,
        )?)?;
    }
    Ok(())
}

/// A row for each datapath and strategy of the rig, and each number of pods.
fn outages(
    programs: &Programs,
    arguments: &Arguments,
    kills: usize,
    table: &mut Table,
) -> Result<()> {
    for &datapath in Rig::current().datapaths() {
        for &strategy in Rig::current().strategies(datapath) {
            if !chosen(&arguments.strategies, strategy) {
                continue;
            }
            for &pods in &arguments.pods {
                eprintln!(
                    "outage: {pods} pods by {strategy} on the {datapath} datapath, {kills} kills"
                );
                // Many renamed ports on a kernel datapath can take each other down: the others are measured still.
                if let Err(error) =
                    outage::measure(programs, datapath, strategy, pods, kills, table)
                {
                    interrupt::check()?;
                    let what = format!("{pods} pods by {strategy} on the {datapath} datapath");
                    eprintln!("{what}: {error:#}");
                    table.remark(format!("{what}: not measured, it failed"));
                }
            }
        }
    }
    Ok(())
}

/// Whether a strategy is among those asked for; all are when none was.
fn chosen(asked: &[String], strategy: Strategy) -> bool {
    asked.is_empty() || asked.iter().any(|name| name == strategy.name())
}

/// The field without a switch, the baseline last.
fn plain(programs: &Programs) -> Result<Vec<Contender>> {
    Ok(vec![
        Contender::routed(programs)?,
        Contender::ptp(programs)?,
        Contender::bridge(programs)?,
    ])
}

/// Each strategy that exists on the userspace datapath here.
fn on_ovs(programs: &Programs) -> Result<Vec<(Strategy, Contender)>> {
    let strategies = Rig::current().strategies(Datapath::Userspace).iter();
    strategies
        .map(|&s| Ok((s, Contender::on_ovs(programs, s, Datapath::Userspace)?)))
        .collect()
}
