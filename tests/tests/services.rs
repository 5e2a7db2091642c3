//! Services by manifests: the programs drive, sockets in pods answer.
//!
//! Natively and in the VM; each test has a BPF file system and a cgroup of its own.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use tempfile::TempDir;
use tests::bpffs::{BpfFs, Cgroup};
use tests::netns::Netns;
use tests::node::{Node, Pod};
use tests::traffic::Answerer;
use tests::wait;

const LIMIT: Duration = Duration::from_secs(30);

/// Where backends listen.
const BACKEND: u16 = 8080;
/// An address of the node that others would reach it by.
const NODE_V4: &str = "192.0.2.10";
const NODE_V6: &str = "2001:db8::10";

/// A node with routed pods, a directory of manifests, and a daemon that programs them.
struct Rig {
    node: Node,
    manifests: TempDir,
    cgroup: Cgroup,
    bpf: BpfFs,
    backends: Vec<(Pod, Answerer, Answerer)>,
}

impl Rig {
    /// With `count` backends called `b0` and so on, and the daemon running.
    fn new(count: usize) -> Result<Self> {
        let mut rig = Self::without_daemon(count)?;
        rig.start()?;
        Ok(rig)
    }

    fn without_daemon(count: usize) -> Result<Self> {
        let mut node = Node::routed()?;
        node.netns.sh(&format!(
            "ip addr add {NODE_V4}/32 dev lo; ip addr add {NODE_V6}/128 dev lo nodad"
        ))?;
        node.renew_guard()?;
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
            bpf: BpfFs::new()?,
            backends,
        })
    }

    fn bpf_dir(&self) -> PathBuf {
        self.bpf.path().join("berth")
    }

    fn start(&mut self) -> Result<()> {
        let services = format!("dir:{}", self.manifests.path().display());
        let (bpf, cgroup) = (self.bpf_dir(), self.cgroup.path().to_owned());
        let (bpf, cgroup) = (bpf.display().to_string(), cgroup.display().to_string());
        #[rustfmt::skip]
        let arguments = [
            "--services", &services, "--bpf-dir", &bpf, "--cgroup", &cgroup,
            "--node-name", "n1", "--nodeport-addresses", "192.0.2.0/24,2001:db8::/32",
        ];
        self.node.spawn_berthd(&arguments)?;
        wait::until_ok(LIMIT, "the first sync", || {
            let status = self.ask("status")?;
            ensure!(!status["services"]["syncedAtUs"].is_null(), "{status}");
            Ok(())
        })
    }

    /// The answer of `berthctl -o json`.
    fn ask(&self, verb: &str) -> Result<Value> {
        let output = self.node.berthctl(&["-o", "json", verb])?;
        serde_json::from_slice(&output.stdout)
            .with_context(|| String::from_utf8_lossy(&output.stderr).into_owned())
    }

    /// Writes a manifest as an editor would, by renaming.
    fn write(&self, name: &str, documents: &[Value]) -> Result<()> {
        let path = self.manifests.path().join(name);
        let fresh = path.with_extension("new");
        let text: Vec<String> = documents.iter().map(Value::to_string).collect();
        fs::write(&fresh, text.join("\n---\n"))?;
        Ok(fs::rename(&fresh, &path)?)
    }

    /// A slice of `service` for a family, with the backends of those numbers.
    fn slice(&self, service: &str, v4: bool, backends: &[usize]) -> Value {
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

    /// Asks from a namespace, `times` times; one line for each answer.
    fn talk(
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
    fn await_answers(
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

    fn finish(mut self) -> Result<()> {
        self.node.stop_berthd()?;
        for (pod, v4, v6) in self.backends {
            drop((v4, v6));
            self.node.del_pod(pod)?;
        }
        self.node.assert_clean()
    }
}

/// A Service with one TCP and one UDP port, 80, in both families; `more` goes into its spec.
fn service(name: &str, number: u8, more: &Value) -> Value {
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

const FAMILIES: [(bool, &str, &str); 2] =
    [(true, "10.96.0.1", NODE_V4), (false, "fd00:96::1", NODE_V6)];

/// Rows 1, 4 and 5 of kube-proxy's: each way of asking, in each family, from a pod and from the node; every backend is
/// asked, the peer is shown as the Service, and other ports are refused.
#[test]
fn every_backend_is_reached_in_each_way_from_pods_and_from_the_node() -> Result<()> {
    let rig = Rig::new(3)?;
    let client = rig.node.add_pod("client")?;
    let web = service("web", 1, &json!({"type": "NodePort"}));
    let (v4, v6) = (
        rig.slice("web", true, &[0, 1, 2]),
        rig.slice("web", false, &[0, 1, 2]),
    );
    rig.write("web.yaml", &[web, v4, v6])?;
    for from in [&client.netns, &rig.node.netns] {
        for (_, cluster_ip, node) in FAMILIES {
            for (to, port) in [(cluster_ip, 80), (node, 30001)] {
                let place = SocketAddr::new(to.parse()?, port);
                for how in ["tcp", "udp", "udp-send"] {
                    let good = |line: &str| {
                        line.starts_with('b') && line.ends_with(&format!("from {place}"))
                    };
                    rig.await_answers(from, (how, to, port), good)?;
                    let answers = rig.talk(from, how, to, port, 60)?;
                    for backend in ["b0", "b1", "b2"] {
                        let some = answers.iter().any(|line| line.starts_with(backend));
                        ensure!(
                            some,
                            "{how} to {place}: {backend} was never asked: {answers:?}"
                        );
                    }
                }
            }
            for how in ["tcp", "udp", "udp-send"] {
                let refused = |line: &str| line == "error ConnectionRefused";
                rig.await_answers(from, (how, cluster_ip, 81), refused)?;
            }
        }
    }
    // Sockets of IPv6 that speak IPv4.
    for how in ["tcp", "udp", "udp-send"] {
        let good =
            |line: &str| line.starts_with('b') && line.ends_with("from [::ffff:10.96.0.1]:80");
        rig.await_answers(&client.netns, (how, "::ffff:10.96.0.1", 80), good)?;
    }
    let shown = rig.ask("services")?;
    let ports = shown["services"][0]["ports"].as_array().context("ports")?;
    ensure!(ports.len() == 2, "{shown}");
    for port in ports {
        ensure!(
            port["backends"].as_array().context("backends")?.len() == 6,
            "{port}"
        );
        for frontend in port["frontends"].as_array().context("frontends")? {
            ensure!(frontend["inside"] == 3, "{frontend}");
        }
    }
    rig.node.del_pod(client)?;
    rig.finish()
}

/// Rows 2 and 3: who is leaving serves if nobody else does; nobody at all is refused; back again is served again.
#[test]
fn endpoints_come_and_go() -> Result<()> {
    let rig = Rig::new(2)?;
    let from = &rig.node.netns;
    rig.write("service.yaml", &[service("web", 1, &json!({}))])?;
    let set = |backends: &[usize]| rig.write("slice.yaml", &[rig.slice("web", true, backends)]);
    for how in ["tcp", "udp", "udp-send"] {
        let at = (how, "10.96.0.1", 80);
        let refused = |line: &str| line == "error ConnectionRefused";
        rig.write("slice.yaml", &[rig.slice("web", true, &[])])?;
        rig.await_answers(from, at, refused)?;
        set(&[0])?;
        rig.await_answers(from, at, |line| line.starts_with("b0"))?;
        set(&[1])?;
        rig.await_answers(from, at, |line| line.starts_with("b1"))?;
        let mut leaving = rig.slice("web", true, &[0, 1]);
        leaving["endpoints"][0]["conditions"] =
            json!({"ready": false, "serving": true, "terminating": true});
        rig.write("slice.yaml", &[leaving.clone()])?;
        rig.await_answers(from, at, |line| line.starts_with("b1"))?;
        leaving["endpoints"][1]["conditions"] = json!({"ready": false, "serving": false});
        rig.write("slice.yaml", &[leaving])?;
        rig.await_answers(from, at, |line| line.starts_with("b0"))?;
        fs::remove_file(rig.manifests.path().join("slice.yaml"))?;
        rig.await_answers(from, at, refused)?;
    }
    rig.finish()
}

/// Row 11: a client stays with its backend on every address of the port, until that backend is gone.
#[test]
fn a_client_with_affinity_stays_with_its_backend() -> Result<()> {
    let rig = Rig::new(3)?;
    let clients = [rig.node.add_pod("c0")?, rig.node.add_pod("c1")?];
    let spec = json!({"type": "NodePort", "sessionAffinity": "ClientIP"});
    rig.write(
        "web.yaml",
        &[service("web", 1, &spec), rig.slice("web", true, &[0, 1, 2])],
    )?;
    for client in &clients {
        let from = &client.netns;
        rig.await_answers(from, ("tcp", "10.96.0.1", 80), |line| line.starts_with('b'))?;
        let first = rig.talk(from, "tcp", "10.96.0.1", 80, 1)?[0][..2].to_owned();
        for (to, port) in [("10.96.0.1", 80), (NODE_V4, 30001)] {
            let answers = rig.talk(from, "tcp", to, port, 40)?;
            ensure!(
                answers.iter().all(|line| line.starts_with(&first)),
                "{first}: {answers:?}"
            );
        }
    }
    let first = rig.talk(&clients[0].netns, "tcp", "10.96.0.1", 80, 1)?[0][..2].to_owned();
    let gone: usize = first[1..].parse()?;
    let left: Vec<usize> = (0..3).filter(|n| *n != gone).collect();
    rig.write(
        "web.yaml",
        &[service("web", 1, &spec), rig.slice("web", true, &left)],
    )?;
    let other = |line: &str| line.starts_with('b') && !line.starts_with(&first);
    rig.await_answers(&clients[0].netns, ("tcp", "10.96.0.1", 80), other)?;
    for client in clients {
        rig.node.del_pod(client)?;
    }
    rig.finish()
}

/// The daemon is killed under load and started again: not one request fails, and what changed meanwhile is in force.
#[test]
fn a_killed_daemon_costs_no_connection() -> Result<()> {
    let mut rig = Rig::new(2)?;
    rig.write(
        "web.yaml",
        &[
            service("web", 1, &json!({})),
            rig.slice("web", true, &[0, 1]),
        ],
    )?;
    rig.write(
        "old.yaml",
        &[service("old", 2, &json!({})), rig.slice("old", true, &[0])],
    )?;
    let good = |line: &str| line.starts_with('b');
    rig.await_answers(&rig.node.netns, ("tcp", "10.96.0.1", 80), good)?;
    rig.await_answers(&rig.node.netns, ("tcp", "10.96.0.2", 80), good)?;
    let words = [
        env!("CARGO_BIN_EXE_talk"),
        "tcp",
        "10.96.0.1",
        "80",
        "20000",
    ];
    let mut load = rig.node.netns.command("sh");
    load.args(rig.cgroup.inside(&words)).stdout(Stdio::piped());
    let load = load.spawn()?;
    for _ in 0..3 {
        rig.node.kill_berthd()?;
        fs::remove_file(rig.manifests.path().join("old.yaml")).ok();
        let answers = rig.talk(&rig.node.netns, "tcp", "10.96.0.1", 80, 20)?;
        ensure!(
            answers.iter().all(|line| good(line)),
            "without a daemon: {answers:?}"
        );
        rig.start()?;
    }
    let printed = String::from_utf8(load.wait_with_output()?.stdout)?;
    let bad: Vec<&str> = printed.lines().filter(|line| !good(line)).collect();
    ensure!(
        printed.lines().count() == 20_000 && bad.is_empty(),
        "{bad:?}"
    );
    ensure!(
        rig.ask("services")?["services"]
            .as_array()
            .context("list")?
            .len()
            == 1
    );
    // Not a Service's any more: nobody is there.
    rig.await_answers(&rig.node.netns, ("tcp", "10.96.0.2", 80), |line| {
        line.starts_with("error")
    })?;
    rig.finish()
}

/// Bad documents are told with file, document and field; the file's last good state stays, others go on.
#[test]
fn a_bad_document_is_reported_and_changes_nothing() -> Result<()> {
    let mut rig = Rig::new(1)?;
    let from = &rig.node.netns;
    let good = |line: &str| line.starts_with("b0");
    rig.write(
        "web.yaml",
        &[service("web", 1, &json!({})), rig.slice("web", true, &[0])],
    )?;
    rig.await_answers(from, ("tcp", "10.96.0.1", 80), good)?;
    let mut bad = service("web", 1, &json!({}));
    bad["spec"]["ports"][0]["port"] = json!(70_000);
    rig.write("web.yaml", &[rig.slice("web", true, &[]), bad])?;
    rig.write(
        "other.yaml",
        &[
            service("other", 2, &json!({})),
            rig.slice("other", true, &[0]),
        ],
    )?;
    rig.write(
        "twin.yaml",
        &[service("twin", 2, &json!({"externalIPs": [NODE_V4]}))],
    )?;
    rig.await_answers(from, ("tcp", "10.96.0.2", 80), good)?;
    rig.await_answers(from, ("tcp", "10.96.0.1", 80), good)?;
    // A daemon that never saw the good state keeps what the one before has made of it.
    rig.node.kill_berthd()?;
    rig.start()?;
    let from = &rig.node.netns;
    rig.await_answers(from, ("tcp", "10.96.0.2", 80), good)?;
    rig.await_answers(from, ("tcp", "10.96.0.1", 80), good)?;
    let status = rig.ask("status")?;
    let problems = status["problems"].to_string();
    for part in [
        "web.yaml, document 2: spec.ports[0].port: 70000 is not from 1 to 65535",
        "ClusterIP 10.96.0.2 port 80 is Service default/other's already",
        "spec.externalIPs: 192.0.2.10 is an address of this node",
    ] {
        ensure!(problems.contains(part), "no {part:?} in {problems}");
    }
    ensure!(status["healthy"] == false);
    rig.finish()
}

/// A place for pins that is none, and a cgroup that is not there: a clear error, and nothing made.
#[test]
fn a_daemon_that_cannot_program_says_why_and_leaves_nothing() -> Result<()> {
    let (rig, plain) = (Rig::without_daemon(0)?, tempfile::tempdir()?);
    let services = format!("dir:{}", rig.manifests.path().display());
    let good = rig.bpf_dir().display().to_string();
    let bad = plain.path().join("berth").display().to_string();
    let cgroup = rig.cgroup.path().display().to_string();
    for (bpf, cgroup, expected) in [
        (&bad, cgroup.as_str(), "is not on a BPF file system"),
        (
            &good,
            "/sys/fs/cgroup/none",
            "/sys/fs/cgroup/none: No such file or directory",
        ),
    ] {
        let mut command = rig.node.netns.command(tests::binaries::berthd()?);
        command.arg("--state-dir").arg(rig.node.state_dir());
        command.args([
            "--healthz",
            "none",
            "--metrics",
            "none",
            "--services",
            &services,
        ]);
        let output = command
            .args(["--bpf-dir", bpf, "--cgroup", cgroup])
            .output()?;
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        ensure!(
            !output.status.success() && said.contains(expected),
            "{said}"
        );
    }
    ensure!(
        fs::read_dir(plain.path())?.next().is_none(),
        "a directory is left"
    );
    Ok(())
}

/// `berthd uninstall` takes programs and pins away: the Service's address is nobody's again.
#[test]
fn uninstall_leaves_nothing_pinned_and_nothing_attached() -> Result<()> {
    let mut rig = Rig::new(1)?;
    rig.write(
        "web.yaml",
        &[service("web", 1, &json!({})), rig.slice("web", true, &[0])],
    )?;
    let at = ("tcp", "10.96.0.1", 80);
    rig.await_answers(&rig.node.netns, at, |line| line.starts_with("b0"))?;
    rig.node.stop_berthd()?;
    rig.await_answers(&rig.node.netns, at, |line| line.starts_with("b0"))?;
    let removed = uninstall(&rig.node, &rig.bpf_dir())?;
    ensure!(removed.contains("links/connect4"), "{removed}");
    ensure!(removed.contains("maps/SERVICES"), "{removed}");
    ensure!(!rig.bpf_dir().exists(), "pins are left");
    rig.await_answers(&rig.node.netns, at, |line| line.starts_with("error"))?;
    Ok(())
}

fn uninstall(node: &Node, bpf_dir: &Path) -> Result<String> {
    let mut command = node.netns.command(tests::binaries::berthd()?);
    command
        .arg("uninstall")
        .arg("--state-dir")
        .arg(node.state_dir());
    command.arg("--bpf-dir").arg(bpf_dir);
    let output = command.output()?;
    ensure!(output.status.success(), "{output:?}");
    Ok(String::from_utf8(output.stdout)?)
}
