//! What an allocation and a release cost, by the number of leases in the store: with a
//! range that is mostly free, and with one where all but a single address are taken and
//! the round robin has to go around once. Prints medians and 99th percentiles.
//!
//! `cargo run --release -p ipam --example cost [DIRECTORY] [ROUNDS]`

#![allow(clippy::unwrap_used, reason = "a measurement that fails is none")]

use std::fs;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use ipam::{Config, allocate, release};
use serde_json::json;

const FIRST: u32 = 0x0a00_0002;

fn main() {
    let mut arguments = std::env::args().skip(1);
    let parent = arguments
        .next()
        .map_or_else(std::env::temp_dir, PathBuf::from);
    let rounds = arguments
        .next()
        .map_or(500, |rounds| rounds.parse().unwrap());
    println!(
        "{:>6}  {:>12}  {:>21}  {:>21}  {:>14}",
        "leases", "range", "allocate p50 / p99 µs", "release p50 / p99 µs", "first after µs"
    );
    // Removed all at the end: ext4 passes over the inodes of files deleted in the last
    // seconds one by one, which would be measured with the next store.
    let base = parent.join(format!("berth-ipam-cost-{}", std::process::id()));
    for leases in [0, 250, 1000, 4000] {
        for full in [false, true] {
            measure(&base.join(format!("{leases}-{full}")), leases, full, rounds);
        }
    }
    fs::remove_dir_all(base).unwrap();
}

fn measure(data_dir: &Path, leases: u32, full: bool, rounds: usize) {
    let last = FIRST + leases;
    let mut ipam = json!({"type": "berth-ipam", "dataDir": data_dir, "subnet": "10.0.0.0/16"});
    if full {
        ipam["rangeEnd"] = Ipv4Addr::from(last).to_string().into();
    }
    let config = Config::parse("cost", &json!({"cniVersion": "1.0.0", "ipam": ipam}), "").unwrap();
    let store = config.store();
    fs::create_dir_all(store.directory()).unwrap();
    for number in 0..leases {
        let path = store.lease_path(Ipv4Addr::from(FIRST + number).into());
        fs::write(path, format!("{number:064x}\r\neth0")).unwrap();
    }
    // The index does not know these yet: what the first call pays.
    let started = Instant::now();
    allocate(&config, "first", "eth0").unwrap();
    let first = started.elapsed();
    release(&store, "first", "eth0").unwrap();

    let (mut allocations, mut releases) = (Vec::new(), Vec::new());
    for round in 0..rounds {
        let id = format!("measured{round:056x}");
        allocations.push(time(|| drop(allocate(&config, &id, "eth0").unwrap())));
        releases.push(time(|| {
            assert_eq!(release(&store, &id, "eth0").unwrap().len(), 1)
        }));
    }
    let range = if full { "full but one" } else { "mostly free" };
    println!(
        "{leases:>6}  {range:>12}  {:>21}  {:>21}  {:>14.0}",
        quantiles(allocations),
        quantiles(releases),
        micros(first)
    );
}

fn time(act: impl FnOnce()) -> Duration {
    let started = Instant::now();
    act();
    started.elapsed()
}

fn quantiles(mut times: Vec<Duration>) -> String {
    times.sort_unstable();
    let at = |share: f64| micros(times[((times.len() - 1) as f64 * share) as usize]);
    format!("{:.0} / {:.0}", at(0.5), at(0.99))
}

fn micros(time: Duration) -> f64 {
    time.as_secs_f64() * 1e6
}
