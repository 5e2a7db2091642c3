//! `bench-load`: opens connections one after the other and tells how long each took; `bench-services` starts it where
//! it wants a client to be. Prints one line of JSON.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::Result;
use benches::services::load;
use clap::Parser;

/// Opens connections one after the other: connect, a request, its answer, the end.
#[derive(Debug, Parser)]
#[command(version)]
struct Arguments {
    /// Where to.
    to: SocketAddr,
    /// How many at a time.
    #[arg(long, default_value_t = 1)]
    threads: usize,
    /// For how long, in milliseconds.
    #[arg(long, default_value_t = 1000)]
    millis: u64,
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let time = Duration::from_millis(arguments.millis);
    let outcome = load::run(arguments.to, arguments.threads, time)?;
    println!("{}", outcome.json());
    Ok(())
}
