//! The Service chapter: three backends, a client in a pod and one outside, and what happens when things go.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use tests::bpffs::{BpfFs, Cgroup};
use tests::netns::Netns;
use tests::node::{Node, Pod};
use tests::traffic::Answerer;
use tests::wait;

use crate::{berthctl, show};

const LIMIT: Duration = Duration::from_secs(30);
const CLUSTER_IP: &str = "10.96.0.10";
const NODE: &str = "192.0.2.10";
const NODE_PORT: u16 = 30080;
/// Questions that each client asks while things go.
const QUESTIONS: usize = 3000;

/// A node with routed pods, the client outside, and what berthd is told.
struct Scene {
    node: Node,
    outside: Netns,
    cgroup: Cgroup,
    bpf: BpfFs,
    manifests: tempfile::TempDir,
}

pub fn run(step: &dyn Fn(&str)) -> Result<()> {
    step("Services: a node with routed pods, a client outside, berthd --services dir:PATH");
    let mut scene = Scene::new()?;
    let names = ["web-0", "web-1", "web-2"];
    let mut pods = Vec::new();
    for name in names {
        let pod = scene.node.add_pod(name)?;
        let answerer = Answerer::start(&pod.netns, name, SocketAddr::new(pod.v4(), 8080))?;
        pods.push((pod, answerer));
    }
    let client = scene.node.add_pod("client")?;
    scene.manifest(&pods.iter().map(|(pod, _)| pod).collect::<Vec<_>>())?;
    scene.start()?;
    wait::until_ok(LIMIT, "all backends", || {
        let seen = scene.ask(&client.netns, true, CLUSTER_IP, 80, 60)?;
        ensure!(seen.len() == names.len(), "{seen:?}");
        Ok(())
    })?;
    show("berthctl services", &berthctl(&scene.node, &["services"])?);
    show("berthctl backends", &berthctl(&scene.node, &["backends"])?);

    step("300 connections each: from the pod to the ClusterIP, from outside to the NodePort");
    let inside = scene.ask(&client.netns, true, CLUSTER_IP, 80, 300)?;
    print("pod -> ClusterIP", &inside, None)?;
    let outside = scene.ask(&scene.outside, false, NODE, NODE_PORT, 300)?;
    print("outside -> NodePort", &outside, None)?;

    step("web-1 leaves, and berthd is killed and started again, under connections from both");
    let load = [
        (
            "pod -> ClusterIP",
            scene.load(&client.netns, true, CLUSTER_IP, 80)?,
        ),
        (
            "outside -> NodePort",
            scene.load(&scene.outside, false, NODE, NODE_PORT)?,
        ),
    ];
    let staying: Vec<&Pod> = [&pods[0].0, &pods[2].0].into();
    scene.manifest(&staying)?;
    wait::until_ok(LIMIT, "web-1 not to be asked any more", || {
        let seen = scene.ask(&client.netns, true, CLUSTER_IP, 80, 40)?;
        ensure!(!seen.contains_key("web-1"), "{seen:?}");
        Ok(())
    })?;
    println!("web-1 is out of the slice: new connections go to the others");
    scene.node.kill_berthd()?;
    println!("berthd is dead (kill -9)");
    let alone = scene.ask(&scene.outside, false, NODE, NODE_PORT, 100)?;
    print("outside -> NodePort, without a daemon", &alone, None)?;
    scene.start()?;
    println!("berthd is back");
    for (what, child) in load {
        let printed = String::from_utf8(child.wait_with_output()?.stdout)?;
        print(what, &count(&printed), Some(QUESTIONS))?;
    }
    show("berthctl status", &berthctl(&scene.node, &["status"])?);

    step("DEL, berthd uninstall, and what is left");
    scene.node.del_pod(client)?;
    for (pod, answerer) in pods {
        drop(answerer);
        scene.node.del_pod(pod)?;
    }
    scene.end()
}

impl Scene {
    fn new() -> Result<Self> {
        let mut node = Node::routed()?;
        let outside = Netns::new("outside")?;
        node.netns.sh(&format!(
            "ip link add up0 type veth peer name eth0 netns {}; ip addr add {NODE}/24 dev up0; \
             ip link set up0 up; ip route add default via 192.0.2.1",
            outside.path().display()
        ))?;
        outside.sh(&format!(
            "ip addr add 192.0.2.1/24 dev eth0; ip link set eth0 up; ip route add default via {NODE}"
        ))?;
        let bpf = BpfFs::new()?;
        node.config_mut()["bpfDir"] = json!(bpf.path().join("berth"));
        node.renew_guard()?;
        Ok(Self {
            node,
            outside,
            cgroup: Cgroup::new("demo")?,
            bpf,
            manifests: tempfile::tempdir()?,
        })
    }

    fn start(&mut self) -> Result<()> {
        let services = format!("dir:{}", self.manifests.path().display());
        let bpf = self.bpf.path().join("berth").display().to_string();
        let cgroup = self.cgroup.path().display().to_string();
        #[rustfmt::skip]
        let arguments = [
            "--services", &services, "--bpf-dir", &bpf, "--cgroup", &cgroup, "--node-name", "n1",
        ];
        self.node.spawn_berthd(&arguments)?;
        wait::until_ok(LIMIT, "the first sync", || {
            let status: Value =
                serde_json::from_str(&berthctl(&self.node, &["-o", "json", "status"])?)?;
            ensure!(!status["services"]["syncedAtUs"].is_null(), "{status}");
            Ok(())
        })
    }

    /// A Service of type NodePort, and a slice of these pods.
    fn manifest(&self, pods: &[&Pod]) -> Result<()> {
        let endpoints: Vec<Value> = pods
            .iter()
            .map(|pod| json!({"addresses": [pod.v4().to_string()], "nodeName": "n1"}))
            .collect();
        let service = json!({
            "apiVersion": "v1", "kind": "Service", "metadata": {"name": "web", "namespace": "demo"},
            "spec": {
                "type": "NodePort", "clusterIP": CLUSTER_IP, "clusterIPs": [CLUSTER_IP],
                "ports": [{"port": 80, "protocol": "TCP", "nodePort": NODE_PORT}],
            },
        });
        let slice = json!({
            "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "addressType": "IPv4",
            "metadata": {
                "name": "web-1", "namespace": "demo", "labels": {"kubernetes.io/service-name": "web"},
            },
            "ports": [{"port": 8080, "protocol": "TCP"}], "endpoints": endpoints,
        });
        let fresh = self.manifests.path().join("web.new");
        std::fs::write(&fresh, format!("{service}\n---\n{slice}\n"))?;
        std::fs::rename(fresh, self.manifests.path().join("web.yaml"))?;
        Ok(())
    }

    /// Starts a client; `balanced` in the cgroup whose sockets are balanced.
    fn client(
        &self,
        from: &Netns,
        balanced: bool,
        to: &str,
        port: u16,
        times: usize,
    ) -> Result<Child> {
        let own = std::env::current_exe()?.display().to_string();
        let (port, times) = (port.to_string(), times.to_string());
        let words = [&*own, "talk", "tcp", to, &port, &times];
        let mut command = if balanced {
            let mut command = from.command("sh");
            command.args(self.cgroup.inside(&words));
            command
        } else {
            let mut command = from.command(Path::new(&own));
            command.args(&words[1..]);
            command
        };
        command.stdout(Stdio::piped()).spawn().context("a client")
    }

    fn load(&self, from: &Netns, balanced: bool, to: &str, port: u16) -> Result<Child> {
        self.client(from, balanced, to, port, QUESTIONS)
    }

    /// How often who answered.
    fn ask(
        &self,
        from: &Netns,
        balanced: bool,
        to: &str,
        port: u16,
        times: usize,
    ) -> Result<BTreeMap<String, usize>> {
        let child = self.client(from, balanced, to, port, times)?;
        Ok(count(&String::from_utf8(child.wait_with_output()?.stdout)?))
    }

    fn end(mut self) -> Result<()> {
        self.node.stop_berthd()?;
        let mut berthd = self.node.netns.command(tests::binaries::berthd()?);
        berthd
            .arg("uninstall")
            .arg("--state-dir")
            .arg(self.node.state_dir());
        let output = berthd
            .arg("--bpf-dir")
            .arg(self.bpf.path().join("berth"))
            .output()?;
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        ensure!(output.status.success(), "{said}");
        let pins = said.lines().filter(|line| line.contains(" pin ")).count();
        println!("berthd uninstall: {pins} pins removed");
        self.node.assert_clean()
    }
}

fn count(printed: &str) -> BTreeMap<String, usize> {
    let mut seen = BTreeMap::new();
    for line in printed.lines() {
        let who = match line.split_once(" saw ") {
            Some((who, _)) => who,
            None => "FAILED",
        };
        *seen.entry(who.to_owned()).or_default() += 1;
    }
    seen
}

/// Prints who answered how often; a question that failed is a failure of the demonstration.
fn print(what: &str, seen: &BTreeMap<String, usize>, all: Option<usize>) -> Result<()> {
    let text: Vec<String> = seen
        .iter()
        .map(|(who, times)| format!("{who} {times}"))
        .collect();
    let failed = seen.get("FAILED").copied().unwrap_or(0);
    println!("  {what:<38} {}, failed {failed}", text.join(", "));
    ensure!(failed == 0, "{what}: {failed} questions failed");
    let answers: usize = seen.values().sum();
    ensure!(
        all.is_none_or(|all| all == answers),
        "{what}: {answers} answers"
    );
    Ok(())
}
