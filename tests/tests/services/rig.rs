//! A node with routed pods, a directory of manifests, and the daemon that programs them.

use std::fs;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use crate::lan::Lan;
use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use tempfile::TempDir;
use tests::bpffs::{BpfFs, Cgroup};
use tests::netns::Netns;
use tests::node::{BRIDGE, Node, Pod};
use tests::ovs::Datapath;
use tests::rig::Strategy;
use tests::traffic::Answerer;
use tests::wait;

/// How long a change may take.
pub const LIMIT: Duration = Duration::from_secs(30);

/// Where backends listen.
pub const BACKEND: u16 = 8080;
/// An address of the node that others would reach it by.
pub const NODE_V4: &str = "192.0.2.10";
pub const NODE_V6: &str = "2001:db8::10";

/// The gateway of pods on a switch.
pub const GATEWAY_V4: &str = "10.88.0.1";
pub const GATEWAY_V6: &str = "fd00:88::1";

/// A node with routed pods, a directory of manifests, and a daemon that programs them.
pub struct Rig {
    pub node: Node,
    pub manifests: TempDir,
    pub cgroup: Cgroup,
    bpf: BpfFs,
    backends: Vec<(Pod, Answerer, Answerer)>,
}

impl Rig {
    /// With `count` backends called `b0` and so on, and the daemon running.
    pub fn new(count: usize) -> Result<Self> {
        let mut rig = Self::without_daemon(count)?;
        rig.start()?;
        Ok(rig)
    }

    pub fn without_daemon(count: usize) -> Result<Self> {
        Self::on(Node::routed()?, count)
    }

    /// With a wire around the node; see [`Lan`].
    pub fn on_a_wire(count: usize) -> Result<(Self, Lan)> {
        let node = Node::routed()?;
        let lan = Lan::around(&node)?;
        Ok((Self::on(node, count)?, lan))
    }

    /// With a wire, and the other node behind a narrower one; see [`Lan::narrow`].
    pub fn on_a_narrow_wire(count: usize, mtu: u32) -> Result<(Self, Lan)> {
        let node = Node::routed()?;
        let lan = Lan::around(&node)?;
        lan.narrow(&node, mtu)?;
        Ok((Self::on(node, count)?, lan))
    }

    /// With a wire, and pods on a switch whose own port is their gateway.
    pub fn on_a_switch(count: usize, strategy: Strategy) -> Result<(Self, Lan)> {
        let mut node = Node::switched(Datapath::Userspace, strategy)?;
        let lan = Lan::around(&node)?;
        node.config_mut()["isGateway"] = json!(true);
        node.config_mut()["isDefaultGateway"] = json!(true);
        // The gateway's addresses stay after the last pod; here they are there before the first.
        node.netns.sh(&format!(
            "ip addr add {GATEWAY_V4}/16 dev {BRIDGE}; ip addr add {GATEWAY_V6}/64 dev {BRIDGE} nodad; ip link set {BRIDGE} up"
        ))?;
        Ok((Self::on(node, count)?, lan))
    }

    fn on(mut node: Node, count: usize) -> Result<Self> {
        node.netns.sh(&format!(
            "ip addr add {NODE_V4}/32 dev lo; ip addr add {NODE_V6}/128 dev lo nodad"
        ))?;
        node.renew_guard()?;
        let bpf = BpfFs::new()?;
        node.config_mut()["bpfDir"] = json!(bpf.path().join("berth"));
        let mut backends = Vec::new();
        for n in 0..count {
            let name = format!("b{n}");
            let pod = node.add_pod(&name)?;
            let v4 = Answerer::start(&pod.netns, &name, SocketAddr::new(pod.v4(), BACKEND))?;
            let v6 = Answerer::start(&pod.netns, &name, SocketAddr::new(pod.v6(), BACKEND))?;
            backends.push((pod, v4, v6));
        }
        Ok(Self {
            node,
            manifests: tempfile::tempdir()?,
            cgroup: Cgroup::new("services")?,
            bpf,
            backends,
        })
    }

    pub fn bpf_dir(&self) -> PathBuf {
        self.bpf.path().join("berth")
    }

    pub fn start(&mut self) -> Result<()> {
        self.start_with(&[])
    }

    /// With more arguments for the daemon.
    pub fn start_with(&mut self, more: &[&str]) -> Result<()> {
        let services = format!("dir:{}", self.manifests.path().display());
        let (bpf, cgroup) = (self.bpf_dir(), self.cgroup.path().to_owned());
        let (bpf, cgroup) = (bpf.display().to_string(), cgroup.display().to_string());
        #[rustfmt::skip]
        let arguments = [
            "--services", &services, "--bpf-dir", &bpf, "--cgroup", &cgroup,
            "--node-name", "n1", "--nodeport-addresses", "192.0.2.0/24,2001:db8::/32",
        ];
        let arguments: Vec<&str> = arguments.into_iter().chain(more.iter().copied()).collect();
        self.node.spawn_berthd(&arguments)?;
        wait::until_ok(LIMIT, "the first sync", || {
            let status = self.ask("status")?;
            ensure!(!status["services"]["syncedAtUs"].is_null(), "{status}");
            Ok(())
        })
    }

    /// The pod of a backend.
    pub fn pod(&self, number: usize) -> &Pod {
        &self.backends[number].0
    }

    /// The answer of `berthctl -o json`.
    pub fn ask(&self, verb: &str) -> Result<Value> {
        let output = self.node.berthctl(&["-o", "json", verb])?;
        serde_json::from_slice(&output.stdout)
            .with_context(|| String::from_utf8_lossy(&output.stderr).into_owned())
    }

    /// Writes a manifest as an editor would, by renaming.
    pub fn write(&self, name: &str, documents: &[Value]) -> Result<()> {
        let path = self.manifests.path().join(name);
        let fresh = path.with_extension("new");
        let text: Vec<String> = documents.iter().map(Value::to_string).collect();
        fs::write(&fresh, text.join("\n---\n"))?;
        Ok(fs::rename(&fresh, &path)?)
    }

    /// A slice of `service` for a family, with the backends of those numbers.
    pub fn slice(&self, service: &str, v4: bool, backends: &[usize]) -> Value {
        let of = |n: &usize| {
            let pod = &self.backends[*n].0;
            let address = if v4 { pod.v4() } else { pod.v6() };
            json!({"addresses": [address.to_string()], "nodeName": "n1"})
        };
        let endpoints: Vec<Value> = backends.iter().map(of).collect();
        let family = if v4 { "IPv4" } else { "IPv6" };
        json!({
            "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice",
            "metadata": {
                "name": format!("{service}-{}", family.to_lowercase()), "namespace": "default",
                "labels": {"kubernetes.io/service-name": service},
            },
            "addressType": family,
            "ports": [
                {"name": "t", "port": BACKEND, "protocol": "TCP"},
                {"name": "u", "port": BACKEND, "protocol": "UDP"},
            ],
            "endpoints": endpoints,
        })
    }

    /// Where a backend listens, in both families.
    pub fn backend(&self, number: usize) -> [SocketAddr; 2] {
        let pod = &self.backends[number].0;
        [pod.v4(), pod.v6()].map(|address| SocketAddr::new(address, BACKEND))
    }

    /// Asks from a namespace, `times` times; one line for each answer.
    pub fn talk(
        &self,
        from: &Netns,
        how: &str,
        to: &str,
        port: u16,
        times: usize,
    ) -> Result<Vec<String>> {
        let (port, times) = (port.to_string(), times.to_string());
        let words = [env!("CARGO_BIN_EXE_talk"), how, to, &port, &times];
        let printed = from.output("sh", self.cgroup.inside(&words))?;
        Ok(printed.lines().map(str::to_owned).collect())
    }

    /// Waits until every answer is as `good` says.
    pub fn await_answers(
        &self,
        from: &Netns,
        (how, to, port): (&str, &str, u16),
        good: impl Fn(&str) -> bool,
    ) -> Result<()> {
        wait::until_ok(LIMIT, &format!("{how} to {to} port {port}"), || {
            let answers = self.talk(from, how, to, port, 8)?;
            ensure!(answers.iter().all(|answer| good(answer)), "{answers:?}");
            Ok(())
        })
    }

    /// As [`Rig::talk`], from where no socket program is in force: what leaves is what was asked for.
    pub fn talk_bare(
        &self,
        from: &Netns,
        how: &str,
        to: &str,
        port: u16,
        times: usize,
    ) -> Result<Vec<String>> {
        let (port, times) = (port.to_string(), times.to_string());
        let printed = from.output(env!("CARGO_BIN_EXE_talk"), [how, to, &port, &times])?;
        Ok(printed.lines().map(str::to_owned).collect())
    }

    /// As [`Rig::await_answers`], from there.
    pub fn await_bare(
        &self,
        from: &Netns,
        (how, to, port): (&str, &str, u16),
        good: impl Fn(&str) -> bool,
    ) -> Result<()> {
        wait::until_ok(LIMIT, &format!("{how} to {to} port {port}"), || {
            let answers = self.talk_bare(from, how, to, port, 4)?;
            ensure!(answers.iter().all(|answer| good(answer)), "{answers:?}");
            Ok(())
        })
    }

    /// How often a verdict was given so far.
    pub fn verdict(&self, name: &str) -> Result<u64> {
        let answer = self.ask("services")?;
        answer["verdicts"][name]
            .as_u64()
            .with_context(|| format!("{name} is not among {}", answer["verdicts"]))
    }

    /// `berthd uninstall`; what it says.
    pub fn uninstall(&self) -> Result<String> {
        let mut command = self.node.netns.command(tests::binaries::berthd()?);
        command
            .arg("uninstall")
            .arg("--state-dir")
            .arg(self.node.state_dir());
        command.arg("--bpf-dir").arg(self.bpf_dir());
        let output = command.output()?;
        ensure!(output.status.success(), "{output:?}");
        Ok(String::from_utf8(output.stdout)?)
    }

    pub fn finish(mut self) -> Result<()> {
        self.node.stop_berthd()?;
        self.uninstall()?;
        for (pod, v4, v6) in self.backends {
            drop((v4, v6));
            self.node.del_pod(pod)?;
        }
        self.node.assert_clean()
    }
}

/// A Service with one TCP and one UDP port, 80, in both families; `more` goes into its spec.
pub fn service(name: &str, number: u8, more: &Value) -> Value {
    let ips = [format!("10.96.0.{number}"), format!("fd00:96::{number}")];
    let mut service = json!({
        "apiVersion": "v1", "kind": "Service",
        "metadata": {"name": name, "namespace": "default"},
        "spec": {
            "clusterIP": ips[0], "clusterIPs": ips,
            "ports": [
                {"name": "t", "port": 80, "protocol": "TCP", "nodePort": 30000 + u16::from(number)},
                {"name": "u", "port": 80, "protocol": "UDP", "nodePort": 30000 + u16::from(number)},
            ],
        },
    });
    for (key, value) in more.as_object().into_iter().flatten() {
        service["spec"][key] = value.clone();
    }
    service
}
