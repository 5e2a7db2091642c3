//! `bench-services`: Services by berth against kube-proxy and against nothing between.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use benches::programs::Programs;
use benches::report::Report;
use benches::services::{connections, forwarding, local, scale};
use benches::{command, setting};
use clap::{Parser, ValueEnum};
use tests::binaries;
use tests::rig::Rig;

/// Measures Services: new connections, forwarding from outside, many Services, and pods of one node.
///
/// Needs root, and the release programs of `make build`. What compares path lengths runs in the VM under virtual time
/// (forwarding, local), what counts milliseconds on this machine (connections, scale): `make bench-services` does both.
#[derive(Debug, Parser)]
#[command(version)]
struct Arguments {
    /// Few repeats: to see that everything runs, not to be quoted.
    #[arg(long)]
    quick: bool,
    /// Write the tables as PATH.json and PATH.md too; in the VM as PATH-vm-6.12.json and .md.
    #[arg(long, value_name = "PATH")]
    out: Option<PathBuf>,
    /// Only these parts, comma-separated.
    #[arg(long, value_delimiter = ',', value_enum)]
    only: Vec<Part>,
    /// Only these numbers of Services for connections, comma-separated, growing.
    #[arg(long, value_delimiter = ',')]
    services: Option<Vec<usize>>,
    /// Have kube-proxy make its rules for the forwarding in the VM, keep them in this file, and measure nothing.
    #[arg(long, value_name = "FILE")]
    record: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Part {
    /// New connections through a ClusterIP, among 1 to 50,000 Services.
    Connections,
    /// A NodePort from outside, in packets each second.
    Forwarding,
    /// 10,000 Services with 100,000 endpoints: the first sync, a change, memory.
    Scale,
    /// Pod to pod on one node, for those who ask for no Service.
    Local,
}

impl Part {
    /// Whether it is measured under virtual time.
    fn in_vm(self) -> bool {
        match self {
            Self::Connections | Self::Scale => false,
            Self::Forwarding | Self::Local => true,
        }
    }
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    command::run(|| measure(&arguments))
}

fn measure(arguments: &Arguments) -> Result<()> {
    if let Some(file) = &arguments.record {
        return forwarding::record(file);
    }
    let programs = Programs::prepare()?;
    let mut setting = setting::machine(&programs);
    setting.push((
        "berth".into(),
        setting::version(&binaries::berth()?, "--version"),
    ));
    let rig = Rig::current();
    // One command measures here and in the VM with the same arguments: neither may overwrite the other's tables.
    let out = arguments.out.as_ref().map(|out| match rig.is_vm() {
        true => PathBuf::from(format!("{}-{rig}", out.display())),
        false => out.clone(),
    });
    let mut report = Report::new("bench-services", setting, out);
    let parts = Part::value_variants().iter().filter(|part| {
        part.in_vm() == rig.is_vm() && (arguments.only.is_empty() || arguments.only.contains(part))
    });
    for part in parts {
        match part {
            Part::Connections => {
                report.add(connections::table(&connections_size(arguments))?)?;
            }
            Part::Forwarding => {
                let frames = if arguments.quick { 20_000 } else { 100_000 };
                report.add(forwarding::table(frames, 1)?)?;
            }
            Part::Scale => report.add(scale::table(scale_size(arguments.quick))?)?,
            Part::Local => {
                let seconds = if arguments.quick { 1 } else { 2 };
                report.add(local::table(&programs, seconds)?)?;
            }
        }
    }
    Ok(())
}

fn connections_size(arguments: &Arguments) -> connections::Size {
    let (services, rounds, millis) = if arguments.quick {
        (vec![1, 1000], 5, 300)
    } else {
        (vec![1, 1000, 10_000, 50_000], 40, 250)
    };
    connections::Size {
        services: arguments.services.clone().unwrap_or(services),
        rounds,
        millis,
        threads: 1,
    }
}

fn scale_size(quick: bool) -> scale::Size {
    let (starts, changes) = if quick { (1, 5) } else { (5, 20) };
    scale::Size {
        services: 10_000,
        endpoints: 10,
        starts,
        changes,
    }
}
