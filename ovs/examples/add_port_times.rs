//! Where the time of adding a port goes: connecting, the database, vswitchd. Adds and removes ports on a bridge
//! that is there: `add_port_times SOCKET BRIDGE COUNT`. `RUST_LOG=ovs=debug` shows the split of each addition.
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use ovs::{ExternalIds, InterfaceType, PortSpec, Switch};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    tracing_subscriber::fmt()
        .with_env_filter(tracing_subscriber::EnvFilter::from_default_env())
        .with_writer(std::io::stderr)
        .with_ansi(false)
        .init();
    let mut arguments = std::env::args().skip(1);
    let mut argument = |what| {
        arguments
            .next()
            .with_context(|| format!("{what} is missing"))
    };
    let socket = argument("the OVSDB socket")?;
    let bridge = argument("the bridge")?;
    let count: usize = argument("the number of ports")?.parse()?;

    let mut columns: [(&str, Vec<Duration>); 5] =
        ["connect", "round trip", "add_port", "del_port", "settled"].map(|name| (name, Vec::new()));
    for number in 0..count {
        let name = format!("brt{number:012}");
        let mut laps = Vec::new();
        let mut last = Instant::now();
        let mut lap = || laps.push(std::mem::replace(&mut last, Instant::now()).elapsed());
        let switch = Switch::connect(Path::new(&socket)).await?;
        lap();
        switch.bridge(&bridge).await?;
        lap();
        switch
            .add_port(&PortSpec::new(&bridge, &name, InterfaceType::Internal))
            .await?;
        lap();
        switch.del_port(&name, &ExternalIds::new()).await?;
        lap();
        switch.settled(PortSpec::LIMIT).await?;
        lap();
        for (column, took) in columns.iter_mut().zip(laps) {
            column.1.push(took);
        }
    }
    for (name, mut times) in columns {
        times.sort_unstable();
        let at = |percent: usize| {
            times
                .get(times.len() * percent / 100)
                .copied()
                .unwrap_or_default()
        };
        println!("{name:>10}  p50 {:>9.3?}  p90 {:>9.3?}", at(50), at(90));
    }
    Ok(())
}
