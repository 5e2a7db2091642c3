//! A node as an operator has it: a switch, the daemon, and pods attached by the real plugin.
//!
//! Everything lives in one network namespace and one temporary directory, so that many nodes run side by side.
//! Scenarios do something to the switch, the daemon or a pod, and then ask for [`Node::assert_whole`].

use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use anyhow::{Context, Result};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::binaries;
use crate::cni::{Answer, Cni};
use crate::leftovers::Leftovers;
use crate::netns::Netns;
use crate::ovs::{Datapath, Ovs};
use crate::rig::Strategy;

mod daemon;
mod pod;
mod whole;

use daemon::Berthd;
pub use pod::Pod;

/// The bridge of every node with a switch.
pub const BRIDGE: &str = "br-int";

/// The CNI code for "try again later".
const TRY_AGAIN: u32 = 11;

/// How often it is tried again.
const ATTEMPTS: u32 = 3;

/// A node under test. Dropped, it ends its daemon and its switch; pods are dropped by whoever holds them.
pub struct Node {
    berthd: Option<Berthd>,
    /// The switch; absent on a node with routed ports only.
    pub switch: Option<Ovs>,
    directory: TempDir,
    config: Value,
    guard: Leftovers,
    pods: AtomicU32,
    /// The root namespace of the node.
    pub netns: Netns,
}

impl Node {
    /// A node with a private switch, whose pods are attached by `strategy`; the daemon does not run yet.
    ///
    /// # Errors
    /// When the namespace or the switch cannot be had.
    pub fn switched(datapath: Datapath, strategy: Strategy) -> Result<Self> {
        let netns = Netns::new("node")?;
        let switch = Ovs::start(&netns, datapath)?;
        switch.add_bridge(BRIDGE)?;
        let mut node = Self::around(netns, Some(switch))?;
        node.config["bridge"] = json!(BRIDGE);
        node.config["port"] = json!(strategy.name());
        Ok(node)
    }

    /// A node without a switch.
    ///
    /// # Errors
    /// When the namespace cannot be had.
    pub fn routed() -> Result<Self> {
        Self::around(Netns::new("node")?, None)
    }

    fn around(netns: Netns, switch: Option<Ovs>) -> Result<Self> {
        let directory = tempfile::Builder::new().prefix("berth-node-").tempdir()?;
        let path = |name: &str| directory.path().join(name);
        std::fs::create_dir(path("state"))?;
        std::fs::create_dir(path("ipam"))?;
        let mut config = json!({
            "cniVersion": "1.1.0",
            "name": "pods",
            "type": "berth",
            "stateDir": path("state"),
            "bpfDir": path("bpf"),
            "ipam": {
                "type": "berth-ipam",
                "dataDir": path("ipam"),
                "ranges": [[{"subnet": "10.88.0.0/16"}], [{"subnet": "fd00:88::/64"}]],
            },
        });
        let mut guard = Leftovers::new().netns(&netns)?;
        if let Some(switch) = &switch {
            config["socket_file"] = json!(switch.socket());
            guard = guard.switch(switch)?;
        }
        Ok(Node {
            berthd: None,
            switch,
            directory,
            config,
            guard,
            pods: AtomicU32::new(0),
            netns,
        })
    }

    /// Takes what there is now as what there was before: for what stays once it has been made.
    ///
    /// # Errors
    /// When it cannot be examined.
    pub fn renew_guard(&mut self) -> Result<()> {
        self.guard = Leftovers::new().netns(&self.netns)?;
        if let Some(switch) = &self.switch {
            self.guard = std::mem::take(&mut self.guard).switch(switch)?;
        }
        Ok(())
    }

    /// The plugin's configuration, for pods that are added from now on.
    pub fn config(&self) -> &Value {
        &self.config
    }

    /// The plugin's configuration, to be changed before pods are added.
    pub fn config_mut(&mut self) -> &mut Value {
        &mut self.config
    }

    /// The directory of records and of the daemon's socket.
    pub fn state_dir(&self) -> PathBuf {
        self.directory.path().join("state")
    }

    /// The directory of leases, one folder a network.
    pub fn ipam_dir(&self) -> PathBuf {
        self.directory.path().join("ipam")
    }

    /// A directory for whatever a test needs, gone with the node.
    pub fn scratch(&self) -> &Path {
        self.directory.path()
    }

    /// The switch.
    ///
    /// # Panics
    /// On a node without one.
    pub fn ovs(&self) -> &Ovs {
        self.switch.as_ref().expect("a node with a switch")
    }

    /// The switch, to be restarted.
    ///
    /// # Panics
    /// On a node without one.
    pub fn ovs_mut(&mut self) -> &mut Ovs {
        self.switch.as_mut().expect("a node with a switch")
    }

    /// The plugin for a container of this node whose namespace is `pod`, not called yet.
    ///
    /// # Errors
    /// When the plugin has not been built.
    pub fn cni(&self, container: &str, pod: &Path) -> Result<Cni> {
        let plugin = binaries::berth()?;
        Ok(Cni::new(&plugin, &self.netns, container, pod, &self.config))
    }

    /// Makes a namespace and attaches it by ADD.
    ///
    /// # Errors
    /// When ADD fails or its result lacks what a runtime needs.
    pub fn add_pod(&self, hint: &str) -> Result<Pod> {
        self.add_pod_with(hint, &self.config)
    }

    /// As [`Node::add_pod`], by another configuration than the node's.
    ///
    /// # Errors
    /// As [`Node::add_pod`].
    pub fn add_pod_with(&self, hint: &str, config: &Value) -> Result<Pod> {
        let netns = Netns::new(hint)?;
        let number = self.pods.fetch_add(1, Ordering::Relaxed);
        let container = format!("{hint}-{}-{number}", std::process::id());
        let cni = self.cni(&container, netns.path())?.config(config).env(
            "CNI_ARGS",
            format!("IgnoreUnknown=1;K8S_POD_NAMESPACE=demo;K8S_POD_NAME={hint}"),
        );
        let result = self.add(&cni);
        let result = result.with_context(|| format!("ADD of pod {hint}"))?;
        Pod::new(hint, container, netns, cni, result)
    }

    /// ADD. Where ports are lost in passing, vswitchd may be busy with several for longer than ADD waits: then
    /// it answers "try again", and as a kubelet does, so does this.
    fn add(&self, cni: &Cni) -> Result<Value> {
        let mut last = cni.call("ADD")?;
        let again = |last: &Answer| last.failure().is_ok_and(|f| f.code == TRY_AGAIN);
        for _ in 0..ATTEMPTS {
            if !self.loses_ports() || !again(&last) {
                break;
            }
            cni.del()?;
            last = cni.call("ADD")?;
        }
        last.success()?
            .json
            .context("ADD printed something else than JSON")
    }

    /// Whether its ports are lost in passing: a renamed port of the kernel datapath is, at each change of the
    /// switch, and the daemon brings it back.
    pub fn loses_ports(&self) -> bool {
        let kernel = |switch: &Ovs| switch.datapath() == Datapath::Kernel;
        self.config["port"] == json!(Strategy::Rename.name())
            && self.switch.as_ref().is_some_and(kernel)
    }

    /// Detaches a pod by DEL and removes its namespace.
    ///
    /// # Errors
    /// When DEL fails or leaves the interface in the namespace.
    pub fn del_pod(&self, pod: Pod) -> Result<()> {
        pod.cni
            .del()
            .with_context(|| format!("DEL of {}", pod.hint))?;
        pod.netns
            .sh(&format!("! ip link show {} 2>/dev/null", pod.ifname))?;
        Ok(())
    }

    /// Runs `berthctl` against this node's daemon.
    ///
    /// # Errors
    /// When it has not been built or cannot be started; its status is in the output.
    pub fn berthctl(&self, arguments: &[&str]) -> Result<Output> {
        let mut command: Command = self.netns.command(binaries::berthctl()?);
        command
            .arg("--socket")
            .arg(self.state_dir().join("berthd.sock"));
        let output = command.args(arguments).stdin(Stdio::null()).output();
        output.context("cannot run berthctl")
    }

    /// Asserts that after the last DEL nothing is left of any pod: links, addresses, routes, nftables, rows of
    /// the switch, records, leases.
    ///
    /// # Errors
    /// When something is; the message lists it.
    pub fn assert_clean(&self) -> Result<()> {
        self.guard.check()?;
        let records = files(&self.state_dir().join("attachments"));
        let leases: Vec<_> = files(&self.ipam_dir().join("pods"))
            .into_iter()
            .filter(|name| name.parse::<IpAddr>().is_ok())
            .collect();
        anyhow::ensure!(records.is_empty(), "records left: {records:?}");
        anyhow::ensure!(leases.is_empty(), "leases left: {leases:?}");
        Ok(())
    }
}

/// Names of the entries of a directory that do not begin with a dot; none if it is not there.
fn files(directory: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(directory).into_iter().flatten().flatten();
    entries
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .filter(|name| !name.starts_with('.'))
        .collect()
}
