//! `bench-cni`: the plugin against the reference plugins, outages, footprint.

use std::path::PathBuf;

use anyhow::Result;
use benches::cni::{burst, footprint, leases, serial};
use benches::contender::Contender;
use benches::programs::Programs;
use benches::report::Report;
use benches::{interrupt, setting};
use clap::Parser;

/// Times ADD and DEL against bridge and ptp with host-local, outages of pods while OVS restarts, and footprint.
///
/// Needs root, and the release programs of `make build`. The reference plugins
/// are built at the first run, which needs Go 1.24 or later.
#[derive(Debug, Parser)]
#[command(version)]
struct Arguments {
    /// Few repeats: to see that everything runs, not to be quoted.
    #[arg(long)]
    quick: bool,
    /// Write the tables as PATH.json and PATH.md too.
    #[arg(long, value_name = "PATH")]
    out: Option<PathBuf>,
    /// Only these measurements, comma-separated.
    #[arg(long, value_delimiter = ',', value_enum)]
    only: Vec<Measurement>,
    /// Only the reference plugins: to try the bench itself.
    #[arg(long)]
    peers_only: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Measurement {
    /// One pod at a time.
    Serial,
    /// 8 and 250 pods at once.
    Burst,
    /// 0 to 4000 leases in the store.
    Leases,
    /// Size, start time, memory.
    Footprint,
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    interrupt::watch()?;
    let programs = Programs::prepare()?;
    let mut report = Report::new("bench-cni", setting::machine(programs.stores()), arguments.out.clone());
    let wanted = |m| arguments.only.is_empty() || arguments.only.contains(&m);
    let repeats = |full: usize, quick: usize| if arguments.quick { quick } else { full };
    let field = || -> Result<Vec<Contender>> {
        let mut field = Vec::new();
        if !arguments.peers_only {
            field.push(Contender::routed(&programs)?);
        }
        field.push(Contender::ptp(&programs)?);
        field.push(Contender::bridge(&programs)?);
        Ok(field)
    };
    if wanted(Measurement::Serial) {
        let field = field()?;
        let times = serial::measure(&field, repeats(200, 30))?;
        report.add(serial::table(&field, &times, field.len() - 1))?;
    }
    if wanted(Measurement::Burst) {
        report.add(burst::table(&field()?, 8, repeats(25, 5))?)?;
        report.add(burst::table(&field()?, 250, repeats(5, 1))?)?;
    }
    if wanted(Measurement::Leases) {
        for table in leases::tables(&programs, repeats(50, 10))? {
            report.add(table)?;
        }
    }
    if wanted(Measurement::Footprint) {
        report.add(footprint::table(&programs, repeats(200, 30))?)?;
    }
    Ok(())
}
