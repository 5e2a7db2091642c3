//! A node for the daemon: a root namespace with a private Open vSwitch, pods attached through the library, and the
//! real programs.
#![allow(
    dead_code,
    reason = "each suite is a crate of its own and uses its part of this"
)]

use std::fs::File;
use std::future::Future;
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use attachment::record::{Address, Datapath, NetnsRef, Port, RoutedPort, SwitchPort};
use attachment::{Attachment, Host, Phase, Store, Strategy};
use netlink::MacAddr;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;
use tests::netns::Netns;
use tests::ovs::Ovs;
use tests::wait;

/// The bridge of every node.
pub const BRIDGE: &str = "br0";

/// When a test gives up waiting.
pub const LIMIT: Duration = Duration::from_secs(60);

/// A node; dropped, it ends its daemon first.
pub struct Node {
    daemon: Option<Child>,
    pub ovs: Option<Ovs>,
    pub root: Netns,
    pub directory: tempfile::TempDir,
}

/// A pod with its record.
pub struct Pod {
    pub netns: Netns,
    pub record: Attachment,
}

impl Drop for Node {
    fn drop(&mut self) {
        if let Some(mut daemon) = self.daemon.take() {
            daemon.kill().ok();
            daemon.wait().ok();
        }
        if std::thread::panicking() {
            eprintln!("berthd said:\n{}", self.log());
        }
    }
}

impl Node {
    /// A node whose switch runs and has a bridge.
    pub fn switched() -> Result<Self> {
        let mut node = Self::bare()?;
        let ovs = Ovs::start(&node.root, tests::ovs::Datapath::Userspace)?;
        ovs.add_bridge(BRIDGE)?;
        node.ovs = Some(ovs);
        Ok(node)
    }

    /// A node without a switch.
    pub fn bare() -> Result<Self> {
        Ok(Self {
            daemon: None,
            ovs: None,
            root: Netns::new("root")?,
            directory: tempfile::Builder::new().prefix("berthd-").tempdir()?,
        })
    }

    pub fn ovs(&mut self) -> &mut Ovs {
        self.ovs.as_mut().expect("a node with a switch")
    }

    pub fn state(&self) -> PathBuf {
        self.directory.path().join("state")
    }

    pub fn ipam(&self) -> PathBuf {
        self.directory.path().join("ipam")
    }

    pub fn cni(&self) -> PathBuf {
        self.directory.path().join("net.d")
    }

    pub fn socket(&self) -> PathBuf {
        self.state().join("berthd.sock")
    }

    pub fn log(&self) -> String {
        std::fs::read_to_string(self.directory.path().join("log")).unwrap_or_default()
    }

    /// The command line of a daemon of this node.
    pub fn berthd(&self, more: &[&str]) -> Command {
        let mut command = self.root.command(env!("CARGO_BIN_EXE_berthd"));
        command.arg("--node-name").arg("n1");
        command.arg("--state-dir").arg(self.state());
        command.arg("--ipam-dir").arg(self.ipam());
        command.arg("--cni-conf-dir").arg(self.cni());
        // Never the machine's own.
        command
            .arg("--bpf-dir")
            .arg(self.directory.path().join("bpf"));
        let ovsdb = match &self.ovs {
            Some(ovs) => ovs.socket().to_owned(),
            None => self.directory.path().join("no-ovs/db.sock"),
        };
        command.arg("--ovsdb").arg(ovsdb);
        command.args(["--log", "debug"]).args(more);
        command.stdin(Stdio::null());
        command
    }

    /// Starts the daemon and waits until it answers.
    pub fn start(&mut self) -> Result<()> {
        self.start_with(&["--healthz", "none", "--metrics", "none"])
    }

    /// The same with more arguments.
    pub fn start_with(&mut self, more: &[&str]) -> Result<()> {
        let log = File::options()
            .create(true)
            .append(true)
            .open(self.directory.path().join("log"))?;
        let mut command = self.berthd(more);
        command.stdout(log.try_clone()?).stderr(log);
        self.daemon = Some(command.spawn().context("start berthd")?);
        wait::until_ok(LIMIT, "berthd to answer", || self.status().map(drop))
    }

    /// Ends the daemon by a signal and tells how it ended.
    pub fn end(&mut self, signal: Signal) -> Result<ExitStatus> {
        let mut daemon = self.daemon.take().context("berthd runs")?;
        let pid = Pid::from_raw(i32::try_from(daemon.id())?);
        kill(pid, signal)?;
        let ended = wait::until_some(LIMIT, "the end of berthd", || {
            daemon.try_wait().ok().flatten()
        });
        if ended.is_err() {
            daemon.kill()?;
            daemon.wait()?;
        }
        ended
    }

    /// Runs `berthctl`.
    pub fn berthctl(&self, arguments: &[&str]) -> Result<Output> {
        let mut command = self.root.command(env!("CARGO_BIN_EXE_berthctl"));
        command.arg("--socket").arg(self.socket()).args(arguments);
        command.stdin(Stdio::null());
        Ok(command.output()?)
    }

    /// The JSON document of a verb, whatever its exit status.
    pub fn json(&self, verb: &str) -> Result<Value> {
        let output = self.berthctl(&["-o", "json", verb])?;
        serde_json::from_slice(&output.stdout)
            .with_context(|| String::from_utf8_lossy(&output.stderr).into_owned())
    }

    pub fn status(&self) -> Result<Value> {
        self.json("status")
    }

    /// Waits until the status is healthy.
    pub fn await_healthy(&self) -> Result<()> {
        wait::until_ok(LIMIT, "a healthy node", || {
            let status = self.status()?;
            ensure!(status["healthy"] == true, "{:#}", status["problems"]);
            Ok(())
        })
    }

    /// Waits until the timeline has an event of this kind, and returns the latest.
    pub fn await_event(&self, kind: &str) -> Result<Value> {
        wait::until_some(LIMIT, kind, || {
            let events = self.json("events").ok()?;
            let events = events.as_array()?;
            events.iter().rev().find(|e| e["kind"] == kind).cloned()
        })
    }

    /// The port of `berthctl ports` that belongs to a pod.
    pub fn port(&self, pod: &Pod) -> Result<Value> {
        let ports = self.json("ports")?;
        let ports = ports["ports"].as_array().context("ports")?;
        let found = ports
            .iter()
            .find(|port| port["port"] == pod.record.port_name);
        found.cloned().context("the pod's port")
    }

    /// Waits until a pod's port has been repaired and is ready.
    pub fn await_repair(&self, pod: &Pod) -> Result<Value> {
        wait::until_ok(LIMIT, "the repair of a port", || {
            let port = self.port(pod)?;
            let repaired = port["state"] == "ready" && port["repairs"].as_u64() > Some(0);
            ensure!(repaired, "{port:#}");
            Ok(port)
        })
    }

    /// Runs a future in the root namespace.
    pub fn run<T: Send, F: Future<Output = Result<T>>>(
        &self,
        work: impl FnOnce(Host, Store) -> F + Send,
    ) -> Result<T> {
        let state = self.state();
        self.root.run(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()?;
            runtime.block_on(async { work(Host::current()?, Store::open(&state)?).await })
        })
    }

    /// A pod's record, not attached and not written.
    pub fn record(&self, netns: &Netns, number: u8, strategy: Strategy) -> Result<Attachment> {
        let mac = MacAddr([0x0a, 0x58, 10, 1, 0, number]);
        let port = match &self.ovs {
            Some(ovs) if strategy != Strategy::Routed => {
                let switch = SwitchPort::new(ovs.socket(), BRIDGE, Datapath::Userspace);
                Port::on_switch(strategy, switch).context("a strategy on the switch")?
            }
            _ => Port::Routed(RoutedPort { host_mac: mac }),
        };
        let id = netlink::Netns::open(netns.path())?.id();
        let netns = NetnsRef {
            path: netns.path().to_owned(),
            dev: id.dev,
            inode: id.inode,
        };
        let container = format!("c{}.{number}", std::process::id());
        let mut record = Attachment::new(&container, "eth0", "net", netns, port, mac);
        record.addresses = vec![Address {
            address: format!("10.1.0.{number}/24").parse()?,
            gateway: None,
        }];
        Ok(record)
    }

    /// Attaches a new pod as the plugin does.
    pub fn attach(&self, number: u8, strategy: Strategy) -> Result<Pod> {
        let netns = Netns::new(&format!("pod{number}"))?;
        let mut record = self.record(&netns, number, strategy)?;
        let record = self.run(|host, store| async move {
            let _lock = store.lock(&record.key(), LIMIT).await?;
            attachment::attach(&host, &store, &mut record).await?;
            record.phase = Phase::Ready;
            store.write(&record)?;
            Ok(record)
        })?;
        Ok(Pod { netns, record })
    }
}

impl Pod {
    /// The pod's address without its prefix length.
    pub fn address(&self) -> std::net::IpAddr {
        self.record.addresses[0].address.ip()
    }
}

/// The exit code, or the signal as a negative number.
pub fn code(status: ExitStatus) -> i32 {
    status
        .code()
        .unwrap_or_else(|| -status.signal().unwrap_or(0))
}

/// What a program said on stderr.
pub fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// What a program said on stdout.
pub fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}
