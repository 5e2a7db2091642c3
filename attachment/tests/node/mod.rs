//! A node in miniature: a root namespace with a private Open vSwitch, a state
//! directory, and pods.
#![allow(
    dead_code,
    reason = "each suite is a crate of its own and uses its part of this"
)]

use std::future::Future;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use attachment::record::{Address, Datapath, NetnsRef, Port, RoutedPort, SwitchPort};
use attachment::view::Observed;
use attachment::{
    Action, Actor, Attachment, DetachRequest, Host, Key, Look, Memory, Phase, Store, Strategy,
};
use netlink::MacAddr;
use tests::netns::Netns;
use tests::ovs::Ovs;
use tests::rig::Rig;
use tests::traffic::TcpSession;

/// The bridge of every node.
pub const BRIDGE: &str = "br0";

/// Root namespace, switch and state directory.
pub struct Node {
    pub root: Netns,
    pub ovs: Ovs,
    pub datapath: Datapath,
    pub state: tempfile::TempDir,
}

/// One pod with its record.
pub struct Pod {
    pub netns: Netns,
    pub record: Attachment,
}

/// Strategies on the switch that exist in this rig on this datapath.
pub fn strategies(datapath: tests::ovs::Datapath) -> Vec<Strategy> {
    Rig::current()
        .strategies(datapath)
        .iter()
        .map(|strategy| {
            let name = strategy.name();
            name.parse().expect("the rig names strategies that exist")
        })
        .collect()
}

impl Node {
    pub fn new(datapath: tests::ovs::Datapath) -> Result<Self> {
        let root = Netns::new("root")?;
        let ovs = Ovs::start(&root, datapath)?;
        ovs.add_bridge(BRIDGE)?;
        Ok(Self {
            root,
            ovs,
            datapath: match datapath {
                tests::ovs::Datapath::Userspace => Datapath::Userspace,
                tests::ovs::Datapath::Kernel => Datapath::Kernel,
            },
            state: tempfile::tempdir()?,
        })
    }

    /// Runs a future on a runtime of its own, in the root namespace.
    pub fn run<T: Send, F: Future<Output = Result<T>>>(
        &self,
        work: impl FnOnce(Host, Store) -> F + Send,
    ) -> Result<T> {
        let state = self.state.path().to_owned();
        self.root.run(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()?;
            runtime.block_on(async {
                let host = Host::current()?;
                let store = Store::open(&state)?;
                work(host, store).await
            })
        })
    }

    /// The record of the `number`th pod, not yet attached.
    pub fn pod(&self, number: u8, strategy: Strategy) -> Result<Pod> {
        let netns = Netns::new(&format!("pod{number}"))?;
        let record = self.record(&netns, number, strategy)?;
        Ok(Pod { netns, record })
    }

    pub fn record(&self, netns: &Netns, number: u8, strategy: Strategy) -> Result<Attachment> {
        let mac = MacAddr([0x0a, 0x58, 10, 1, 0, number]);
        let opened = netlink::Netns::open(netns.path())?.id();
        let port = match strategy {
            Strategy::Routed => Port::Routed(RoutedPort { host_mac: mac }),
            _ => Port::on_switch(
                strategy,
                SwitchPort::new(self.ovs.socket(), BRIDGE, self.datapath),
            )
            .context("a strategy on the switch")?,
        };
        let netns = NetnsRef {
            path: netns.path().to_owned(),
            dev: opened.dev,
            inode: opened.inode,
        };
        let container = format!("c{}.{number}", std::process::id());
        let mut record = Attachment::new(&container, "eth0", "net", netns, port, mac);
        record.addresses = vec![
            Address {
                address: format!("10.1.0.{number}/24").parse()?,
                gateway: None,
            },
            Address {
                address: format!("fd00:1::{number:x}/64").parse()?,
                gateway: None,
            },
        ];
        Ok(record)
    }

    /// Attaches a pod as the plugin does.
    pub fn attach(&self, pod: &mut Pod) -> Result<()> {
        pod.record = self.run(|host, store| {
            let mut record = pod.record.clone();
            async move {
                let _lock = store.lock(&record.key(), Duration::from_secs(5)).await?;
                attachment::attach(&host, &store, &mut record).await?;
                record.phase = Phase::Ready;
                store.write(&record)?;
                Ok(record)
            }
        })?;
        Ok(())
    }

    /// Attaches a new pod.
    pub fn attached(&self, number: u8, strategy: Strategy) -> Result<Pod> {
        let mut pod = self.pod(number, strategy)?;
        self.attach(&mut pod)
            .with_context(|| format!("attach pod {number} by {strategy}"))?;
        Ok(pod)
    }

    /// Detaches as the plugin does; errors of DEL are errors here.
    pub fn detach(&self, pod: &Pod) -> Result<()> {
        self.detach_key(&pod.record.key(), Some(&pod.record), Some(pod.netns.path()))
    }

    pub fn detach_key(
        &self,
        key: &Key,
        record: Option<&Attachment>,
        netns: Option<&Path>,
    ) -> Result<()> {
        let socket: PathBuf = self.ovs.socket().to_owned();
        self.run(|host, store| async move {
            let request = DetachRequest {
                key,
                record,
                netns,
                socket: Some(&socket),
            };
            let done = attachment::detach(&host, &store, &request).await;
            ensure!(done.errors.is_empty(), "detach: {:?}", done.errors);
            store.remove(key)?;
            Ok(())
        })
    }

    /// What CHECK says, as text.
    pub fn check(&self, pod: &Pod) -> Result<Vec<String>> {
        self.run(|host, _| async move {
            let drift = attachment::check(&host, &pod.record).await?;
            Ok(drift.iter().map(ToString::to_string).collect())
        })
    }

    /// Whether vswitchd forgets the port at any link event and any change of the database:
    /// a renamed one on the kernel datapath.
    pub fn forgets(&self, pod: &Pod) -> bool {
        pod.record.strategy() == Strategy::Rename && self.datapath == Datapath::Kernel
    }

    /// Asserts that CHECK finds nothing. A port that vswitchd forgets is brought back
    /// first, as often as it takes: that is what is documented of it.
    pub fn healthy(&self, pod: &Pod) -> Result<()> {
        let agrees = || {
            let drift = self.check(pod)?;
            ensure!(drift.is_empty(), "{drift:?}");
            Ok(())
        };
        if !self.forgets(pod) {
            return agrees();
        }
        tests::wait::until_ok(
            Duration::from_secs(60),
            "a forgotten port to be back",
            || {
                self.settle()?;
                agrees()
            },
        )
    }

    /// Asserts that the first pod reaches the second, while ports that vswitchd forgets
    /// are brought back.
    pub fn reaches(&self, from: &Pod, to: &Pod, address: &str) -> Result<()> {
        if !self.forgets(from) {
            return from.reaches(to, address);
        }
        tests::wait::until_ok(Duration::from_secs(60), "forgotten ports to serve", || {
            self.settle()?;
            from.reaches(to, address)
        })
    }

    /// One look and everything it plans, as the daemon does. `memory` as it carries it.
    pub fn repair(&self, memory: &mut Memory, now: Duration) -> Result<Vec<Action>> {
        let socket: PathBuf = self.ovs.socket().to_owned();
        self.run(|host, store| async move {
            let records = store.list()?.attachments;
            let observed = look(&host, &store, &socket, &records, memory, now).await?;
            let actions = attachment::plan(&records, &observed);
            memory.remember(&records, &observed);
            let actor = Actor::new(&host, &store);
            for action in &actions {
                let done = actor.act(action).await;
                let record = records.iter().find(|r| Some(&r.key()) == action.key());
                memory.acted(action, record, done.is_ok(), now);
                done.with_context(|| format!("{action:?}"))?;
            }
            Ok(actions)
        })
    }

    /// As [`Node::repair`], with all rows of the switch looked at, as the daemon's session
    /// does: so that orphans are seen.
    pub fn repair_all(&self, memory: &mut Memory, now: Duration) -> Result<Vec<Action>> {
        let socket: PathBuf = self.ovs.socket().to_owned();
        self.run(|host, store| async move {
            let session = ovs::Session::start(&socket);
            let mut changes = session.subscribe();
            let snapshot = changes
                .wait_for(|snapshot| snapshot.is_live())
                .await?
                .clone();
            let records = store.list()?.attachments;
            let look = Look {
                now,
                state_dir: store.state_dir().to_owned(),
                complete: true,
                flood_bits: true,
                switches: [(socket, attachment::switch_of_snapshot(&snapshot, true))].into(),
                memory: memory.clone(),
            };
            let observed = attachment::observe(&host, &records, look).await?;
            let actions = attachment::plan(&records, &observed);
            memory.remember(&records, &observed);
            let actor = Actor::new(&host, &store);
            for action in &actions {
                actor
                    .act(action)
                    .await
                    .with_context(|| format!("{action:?}"))?;
            }
            Ok(actions)
        })
    }

    /// Repairs until a look plans nothing that changes anything, twice in a row.
    pub fn settle(&self) -> Result<Vec<Action>> {
        let mut memory = Memory::default();
        let start = std::time::Instant::now();
        let mut done = Vec::new();
        let mut quiet = 0;
        tests::wait::until_ok(Duration::from_secs(60), "the attachments to settle", || {
            let actions = self.repair(&mut memory, start.elapsed())?;
            let calm = actions
                .iter()
                .all(|action| matches!(action, Action::Report { .. }));
            quiet = if calm { quiet + 1 } else { 0 };
            done.extend(actions.into_iter().filter(Action::changes));
            ensure!(quiet >= 2, "not calm yet: {done:?}");
            Ok(())
        })?;
        Ok(done)
    }

    /// Asserts that nothing of berth is left in the root namespace and on the switch.
    pub fn clean(&self) -> Result<()> {
        let links = self.root.output("ip", ["-o", "link"])?;
        ensure!(!links.contains("brt"), "left in root: {links}");
        let ports = self.ovs.vsctl(&["list-ports", BRIDGE])?;
        ensure!(!ports.contains("brt"), "left on the bridge: {ports}");
        let routes = self.root.output("ip", ["route"])?;
        ensure!(!routes.contains("brt"), "left in root: {routes}");
        let records: Vec<_> = std::fs::read_dir(self.state.path().join("attachments"))?.collect();
        ensure!(records.is_empty(), "left on disk: {records:?}");
        Ok(())
    }
}

/// One look over a connection of its own.
pub async fn look(
    host: &Host,
    store: &Store,
    socket: &Path,
    records: &[Attachment],
    memory: &Memory,
    now: Duration,
) -> Result<Observed> {
    let view = attachment::look_at_switch(socket, records).await;
    let look = Look {
        now,
        state_dir: store.state_dir().to_owned(),
        complete: true,
        flood_bits: true,
        switches: [(socket.to_owned(), view)].into(),
        memory: memory.clone(),
    };
    Ok(attachment::observe(host, records, look).await?)
}

impl Pod {
    /// Opens a TCP session to an address of another pod and sees bytes come back.
    pub fn reaches(&self, other: &Pod, address: &str) -> Result<()> {
        reaches(&self.netns, &other.netns, address)
    }

    /// Asserts that nothing but `lo` is left in the pod.
    pub fn clean(&self) -> Result<()> {
        let links = self.netns.output("ip", ["-o", "link"])?;
        ensure!(links.lines().count() == 1, "left in the pod: {links}");
        Ok(())
    }
}

/// Opens a TCP session from one namespace to an address of another.
pub fn reaches(from: &Netns, to: &Netns, address: &str) -> Result<()> {
    let session = TcpSession::start(from, to, address.parse()?)
        .with_context(|| format!("{} does not reach {address}", from.name()))?;
    session.finish()?.intact()
}
