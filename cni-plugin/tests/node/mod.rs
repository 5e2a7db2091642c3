//! What the suites of the plugin share: the binary under its names, a node and
//! its pods.
#![allow(dead_code, reason = "each suite uses a part of it")]

use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use tempfile::TempDir;
use tests::cni::{Answer, Cni};
use tests::netns::Netns;

/// A node of its own: a namespace, the binary's links, state and leases.
pub struct Node {
    pub netns: Netns,
    directory: TempDir,
}

impl Node {
    pub fn new(hint: &str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let bin = directory.path().join("bin");
        std::fs::create_dir(&bin).unwrap();
        for name in ["berth", "berth-ipam", "host-local", "loopback", "flannel"] {
            std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_berth"), bin.join(name)).unwrap();
        }
        let netns = Netns::new(hint).unwrap();
        // A node speaks to its pods from an address of its own.
        netns
            .sh("ip addr add 192.0.2.10/32 dev lo; ip addr add 2001:db8::10/128 dev lo nodad")
            .unwrap();
        Self { netns, directory }
    }

    /// The directory of plugins.
    pub fn bin(&self) -> PathBuf {
        self.directory.path().join("bin")
    }

    /// The directory of records.
    pub fn state(&self) -> PathBuf {
        self.directory.path().join("state")
    }

    /// The directory of leases.
    pub fn leases(&self) -> PathBuf {
        self.directory.path().join("leases")
    }

    /// A call of one of the plugins, with this node's places in the configuration.
    pub fn plugin(&self, name: &str, container: &str, pod: &Path, config: &Value) -> Cni {
        let config = self.placed(config);
        Cni::new(&self.bin().join(name), &self.netns, container, pod, &config)
            .env("BERTH_LOG", "debug")
    }

    /// A call of the main plugin.
    pub fn berth(&self, container: &str, pod: &Path, config: &Value) -> Cni {
        self.plugin("berth", container, pod, config)
    }

    /// The configuration with the places that belong to this node.
    pub fn placed(&self, config: &Value) -> Value {
        let mut config = config.clone();
        if config.is_object() {
            config["stateDir"] = json!(self.state());
            if config["ipam"].is_object() {
                config["ipam"]["dataDir"] = json!(self.leases());
            }
        }
        config
    }

    /// Files with leases of a network: its addresses.
    pub fn leased(&self, network: &str) -> Vec<String> {
        let mut found: Vec<String> = std::fs::read_dir(self.leases().join(network))
            .into_iter()
            .flatten()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .filter(|name| name.parse::<std::net::IpAddr>().is_ok() || name.contains('_'))
            .filter(|name| !name.starts_with("last_reserved_ip"))
            .collect();
        found.sort();
        found
    }

    /// File names of the attachment records.
    pub fn records(&self) -> Vec<String> {
        let mut found: Vec<String> = std::fs::read_dir(self.state().join("attachments"))
            .into_iter()
            .flatten()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        found.sort();
        found
    }

    /// Asserts that no link, record, lock or lease is left.
    pub fn assert_bare(&self) {
        let locks = std::fs::read_dir(self.state().join("locks"))
            .into_iter()
            .flatten()
            .count();
        assert_eq!((self.links(), locks), (Vec::<String>::new(), 0));
        assert_eq!(self.records(), Vec::<String>::new());
        for network in std::fs::read_dir(self.leases()).into_iter().flatten() {
            let name = network.unwrap().file_name().into_string().unwrap();
            assert_eq!(self.leased(&name), Vec::<String>::new());
        }
    }

    /// Names of all links of the node but `lo`.
    pub fn links(&self) -> Vec<String> {
        links(&self.netns)
    }
}

/// Names of all links of a namespace but `lo`.
pub fn links(netns: &Netns) -> Vec<String> {
    let listed = netns.ip_json("link show").unwrap();
    let names = listed.as_array().unwrap().iter();
    names
        .map(|link| link["ifname"].as_str().unwrap().to_owned())
        .filter(|name| name != "lo")
        .collect()
}

/// A routed configuration over one IPv4 subnet.
pub fn routed() -> Value {
    json!({
        "cniVersion": "1.0.0", "name": "pods", "type": "berth",
        "ipam": {"type": "berth-ipam", "subnet": "10.77.0.0/24"},
    })
}

/// A configuration with some of its keys changed; null removes one.
pub fn with(mut config: Value, changes: Value) -> Value {
    for (key, value) in changes.as_object().unwrap() {
        config[key] = value.clone();
    }
    config
}

/// Asserts that a call fails with this code and a message with these words.
pub fn assert_fails(answer: &Answer, code: u32, words: &[&str]) {
    assert_eq!(answer.status, Some(1), "{answer:?}");
    let failure = answer.failure().unwrap();
    assert_eq!(failure.code, code, "{failure:?}");
    let text = format!("{} {}", failure.msg, failure.details);
    for word in words {
        assert!(text.contains(word), "{word:?} is not in {text:?}");
    }
    assert!(!failure.cni_version.is_empty(), "{failure:?}");
}

/// Asserts that packets go from one namespace to an address of another and back.
pub fn reach(from: &Netns, to: &Netns, address: &str) {
    let train = tests::traffic::PingTrain::start(from, to, address.parse().unwrap());
    drop(train.unwrap_or_else(|error| panic!("{address} cannot be reached: {error:#}")));
}

/// Like [`reach`], but tells as whom the receiver saw the sender.
pub fn seen_as(from: &Netns, to: &Netns, address: &str) -> std::net::IpAddr {
    use std::net::UdpSocket;
    let bind = |port: u16| UdpSocket::bind((address.parse::<std::net::IpAddr>().unwrap(), port));
    let server = to.run(|| Ok(bind(0)?)).unwrap();
    let limit = Some(std::time::Duration::from_secs(10));
    server.set_read_timeout(limit).unwrap();
    let any = if address.contains(':') {
        "[::]:0"
    } else {
        "0.0.0.0:0"
    };
    let client = from.run(|| Ok(UdpSocket::bind(any)?)).unwrap();
    client
        .send_to(b"who am I", server.local_addr().unwrap())
        .unwrap();
    server.recv_from(&mut [0; 16]).unwrap().1.ip()
}
