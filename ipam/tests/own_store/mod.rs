//! A store in a directory of its own, and short ways to say what a test does with it.

#![allow(dead_code, reason = "each test binary uses its own part")]

use std::collections::BTreeMap;
use std::fs;
use std::net::IpAddr;
use std::path::PathBuf;

use ipam::{Allocation, Config, Error, Store};
use serde_json::{Value, json};

/// The versions a configuration may have.
pub const VERSIONS: [&str; 7] = [
    "0.1.0", "0.2.0", "0.3.0", "0.3.1", "0.4.0", "1.0.0", "1.1.0",
];

/// Versions whose results hold several addresses of a family.
pub fn has_several_addresses(version: &str) -> bool {
    !["0.1.0", "0.2.0"].contains(&version)
}

/// A data directory that goes away with it.
pub struct Rig {
    directory: tempfile::TempDir,
}

impl Rig {
    pub fn new() -> Self {
        Self {
            directory: tempfile::tempdir().unwrap(),
        }
    }

    pub fn data_dir(&self) -> PathBuf {
        self.directory.path().join("networks")
    }

    pub fn store(&self, network: &str) -> Store {
        Store::at(&self.data_dir(), network)
    }

    /// A whole network configuration around this `ipam`, whose store is in the rig.
    pub fn network(&self, version: &str, name: &str, mut ipam: Value) -> Value {
        ipam["type"] = "host-local".into();
        ipam["dataDir"] = self.data_dir().to_str().unwrap().into();
        json!({"cniVersion": version, "name": name, "type": "ipvlan", "master": "foo0", "ipam": ipam})
    }

    /// The parsed configuration of network `mynet` with this `ipam`.
    pub fn config(&self, ipam: Value) -> Config {
        Config::parse("mynet", &self.network("1.0.0", "mynet", ipam), "").unwrap()
    }

    /// The network's files and what they hold, without the lock.
    pub fn files(&self, network: &str) -> BTreeMap<String, String> {
        let Ok(entries) = fs::read_dir(self.data_dir().join(network)) else {
            return BTreeMap::new();
        };
        let files = entries.map(|entry| {
            let entry = entry.unwrap();
            (
                entry.file_name().into_string().unwrap(),
                fs::read_to_string(entry.path()).unwrap(),
            )
        });
        files.filter(|(name, _)| name != "lock").collect()
    }

    /// Puts a file into the network's directory, as another program would.
    pub fn put(&self, network: &str, name: &str, contents: &str) {
        let directory = self.data_dir().join(network);
        fs::create_dir_all(&directory).unwrap();
        fs::write(directory.join(name), contents).unwrap();
    }
}

pub fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

/// The addresses of an allocation, with prefix lengths.
pub fn addresses(allocation: &Allocation) -> Vec<String> {
    allocation
        .ips
        .iter()
        .map(|lease| lease.address.to_string())
        .collect()
}

/// Allocates and gives the addresses with prefix lengths.
pub fn add(config: &Config, container_id: &str, ifname: &str) -> Result<Vec<String>, Error> {
    ipam::allocate(config, container_id, ifname).map(|allocation| addresses(&allocation))
}

pub fn files(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs
        .iter()
        .map(|(name, contents)| ((*name).to_owned(), (*contents).to_owned()))
        .collect()
}

/// What is logged at warn and error while `act` runs on this thread.
pub fn events(act: impl FnOnce()) -> Vec<String> {
    let recorder = Recorder::default();
    tracing::subscriber::with_default(recorder.clone(), act);
    let events = recorder.0.lock().unwrap();
    events.clone()
}

#[derive(Clone, Default)]
struct Recorder(std::sync::Arc<std::sync::Mutex<Vec<String>>>);

impl tracing::Subscriber for Recorder {
    fn enabled(&self, metadata: &tracing::Metadata<'_>) -> bool {
        *metadata.level() <= tracing::Level::WARN
    }
    fn new_span(&self, _: &tracing::span::Attributes<'_>) -> tracing::span::Id {
        tracing::span::Id::from_u64(1)
    }
    fn record(&self, _: &tracing::span::Id, _: &tracing::span::Record<'_>) {}
    fn record_follows_from(&self, _: &tracing::span::Id, _: &tracing::span::Id) {}
    fn event(&self, event: &tracing::Event<'_>) {
        self.0.lock().unwrap().push(format!("{event:?}"));
    }
    fn enter(&self, _: &tracing::span::Id) {}
    fn exit(&self, _: &tracing::span::Id) {}
}

/// Waits until someone waits for the flock on this file: the kernel lists such waiters in
/// /proc/locks as `N: -> FLOCK … MAJOR:MINOR:INODE …`.
pub fn until_blocked_on(path: &std::path::Path) {
    use std::os::unix::fs::MetadataExt;
    let inode = format!(":{} ", fs::metadata(path).unwrap().ino());
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(60);
    loop {
        let locks = fs::read_to_string("/proc/locks").unwrap();
        if locks
            .lines()
            .any(|line| line.contains("-> FLOCK") && line.contains(&inode))
        {
            return;
        }
        assert!(
            std::time::Instant::now() < deadline,
            "nobody waits for {}:\n{locks}",
            path.display()
        );
        std::thread::yield_now();
    }
}
