//! What competes: a plugin with its configuration, on a node of its own.
//!
//! Each contender has its own network namespace as its node, its own store and
//! its own records, so that none pays for what another has left.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde_json::{Value, json};
use tests::netns::Netns;
use tests::ovs::{Datapath, Ovs};
use tests::rig::Strategy;

use crate::plugin::{Done, Plugin, Pod};
use crate::programs::Programs;

/// The network's name in every configuration, and the folder of its store.
const NETWORK: &str = "bench";

/// The OVS bridge of contenders that have one.
pub const BRIDGE: &str = "br0";

/// One plugin with its configuration and its node.
#[derive(Debug)]
pub struct Contender {
    /// Its name in the tables.
    pub label: String,
    plugin: Plugin,
    config: Value,
    store: PathBuf,
    state: PathBuf,
    node: Node,
}

/// Whose plugins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Side {
    Berth,
    Peer,
}

/// A namespace that stands for a machine.
#[derive(Debug)]
struct Node {
    // Before the namespace: vswitchd ends first.
    ovs: Option<Ovs>,
    netns: Netns,
}

impl Node {
    fn plain() -> Result<Self> {
        Ok(Self {
            ovs: None,
            netns: Netns::new("node")?,
        })
    }
}

impl Contender {
    /// berth without a switch: a routed veth, addresses from its own IPAM.
    pub fn routed(programs: &Programs) -> Result<Self> {
        let keys = json!({ "type": "berth" });
        Self::new(
            programs,
            Side::Berth,
            "berth routed + berth-ipam",
            Node::plain()?,
            &keys,
        )
    }

    /// berth on a bridge of a private Open vSwitch, by the given strategy.
    pub fn on_ovs(programs: &Programs, strategy: Strategy, datapath: Datapath) -> Result<Self> {
        let netns = Netns::new("node")?;
        let ovs = Ovs::start(&netns, datapath)?;
        ovs.add_bridge(BRIDGE)?;
        let keys = json!({
            "type": "berth",
            "bridge": BRIDGE,
            "socket_file": ovs.socket(),
            "port": strategy.name(),
        });
        let label = format!("berth {strategy} on OVS ({datapath})");
        let node = Node {
            ovs: Some(ovs),
            netns,
        };
        Self::new(programs, Side::Berth, &label, node, &keys)
    }

    /// The reference bridge with host-local.
    pub fn bridge(programs: &Programs) -> Result<Self> {
        let keys = json!({ "type": "bridge", "bridge": "cni0", "isGateway": true });
        Self::new(
            programs,
            Side::Peer,
            "bridge + host-local",
            Node::plain()?,
            &keys,
        )
    }

    /// The reference ptp with host-local.
    pub fn ptp(programs: &Programs) -> Result<Self> {
        let keys = json!({ "type": "ptp" });
        Self::new(
            programs,
            Side::Peer,
            "ptp + host-local",
            Node::plain()?,
            &keys,
        )
    }

    /// berth's IPAM executed by itself.
    pub fn berth_ipam(programs: &Programs) -> Result<Self> {
        let keys = json!({ "type": "berth-ipam" });
        Self::new(programs, Side::Berth, "berth-ipam", Node::plain()?, &keys)
    }

    /// The reference host-local by itself.
    pub fn host_local(programs: &Programs) -> Result<Self> {
        let keys = json!({ "type": "host-local" });
        Self::new(programs, Side::Peer, "host-local", Node::plain()?, &keys)
    }

    fn new(programs: &Programs, side: Side, label: &str, node: Node, keys: &Value) -> Result<Self> {
        let (path, ipam) = match side {
            Side::Berth => (programs.berth(), "berth-ipam"),
            Side::Peer => (programs.peers()?, "host-local"),
        };
        let store = programs.stores().join(node.netns.name());
        let state = programs.state().join(node.netns.name());
        let mut config = json!({
            "cniVersion": "1.0.0",
            "name": NETWORK,
            "ipam": {
                "type": ipam,
                "dataDir": store,
                "ranges": [[{ "subnet": "10.99.0.0/16" }]],
                "routes": [{ "dst": "0.0.0.0/0" }],
            },
        });
        if side == Side::Berth {
            config["stateDir"] = json!(state);
        }
        for (key, value) in keys.as_object().into_iter().flatten() {
            config[key] = value.clone();
        }
        let program = path.join(config["type"].as_str().context("a plugin without type")?);
        let plugin = Plugin {
            program,
            path: path.to_owned(),
        };
        Ok(Self {
            label: label.to_owned(),
            plugin,
            config,
            store,
            state,
            node,
        })
    }

    /// The namespace that is its node.
    pub fn node(&self) -> &Netns {
        &self.node.netns
    }

    /// Its switch, if it has one.
    pub fn ovs(&self) -> Option<&Ovs> {
        self.node.ovs.as_ref()
    }

    /// Its switch, to be restarted.
    pub fn ovs_mut(&mut self) -> Option<&mut Ovs> {
        self.node.ovs.as_mut()
    }

    /// Its plugin and the configuration that ADD gets.
    pub fn plugin(&self) -> (&Plugin, &Value) {
        (&self.plugin, &self.config)
    }

    /// Its folder of attachment records.
    pub fn state(&self) -> &Path {
        &self.state
    }

    /// The folder with its leases, in host-local's layout.
    pub fn leases(&self) -> PathBuf {
        self.store.join(NETWORK)
    }

    /// Run `work` on a thread inside its node, where [`Contender::add`] and the like are called.
    pub fn inside<T: Send>(&self, work: impl FnOnce() -> Result<T> + Send) -> Result<T> {
        self.node
            .netns
            .run(work)
            .with_context(|| self.label.clone())
    }

    /// ADD, from a thread inside the node.
    pub fn add(&self, container: &str, netns: &Path) -> Result<Done> {
        self.plugin
            .call("ADD", &Pod { container, netns }, &self.config)
    }

    /// DEL, from a thread inside the node, with the result of ADD as a runtime gives it back.
    pub fn del(&self, container: &str, netns: &Path, result: &Value) -> Result<Done> {
        let mut config = self.config.clone();
        config["prevResult"] = result.clone();
        self.plugin.call("DEL", &Pod { container, netns }, &config)
    }

    /// ADD and DEL of one pod, once, untimed: what a node does for its first pod only is done.
    pub fn warm_up(&self, netns: &Path) -> Result<()> {
        self.inside(|| {
            let result = self.add("warm-up", netns)?.result()?;
            self.del("warm-up", netns, &result).map(drop)
        })
    }
}

/// The first address of a CNI result, without its prefix length.
///
/// # Errors
/// When there is none.
pub fn address(result: &Value) -> Result<&str> {
    result["ips"][0]["address"]
        .as_str()
        .and_then(|address| address.split('/').next())
        .with_context(|| format!("a result without address: {result}"))
}
