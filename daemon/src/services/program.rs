//! From objects to the kernel: reads the source, and writes what has changed.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use abi::names;
use dataplane::flows::{Flows, Swept};
use dataplane::loader::Dataplane;
use dataplane::maps::Maps;
use dataplane::sync::Tables;
use dataplane::tables::{PortKey, PortTable};
use netlink::{Netlink, Netns};
use tokio::sync::Notify;
use tokio::task::spawn_blocking;
use tokio::time::{MissedTickBehavior, interval, sleep};

use super::cut::Cuts;
use super::index::Index;
use super::node::{Addresses, Here, Network, NodePortAddresses};
use super::object::Name;
use super::packet::{Packets, Wanted};
use super::pulse::Pulse;
use super::source::{Problem, Source, SourceError, State};
use crate::board::milliseconds;
use crate::clock;

/// How often the node's addresses are looked at, a failed write is tried again, and the programs' places are checked.
const LOOK_AGAIN: Duration = Duration::from_secs(2);

/// How long a burst of events about devices lasts.
const BURST: Duration = Duration::from_millis(20);

/// How often the table of flows is swept.
const SWEEP_AGAIN: Duration = Duration::from_secs(5);

/// UDP's number.
const UDP: u8 = 17;

mod flows;
mod places;

use places::{devices_changed, monitor};

/// What Services are programmed by.
#[derive(Debug, Clone)]
pub struct Setup {
    /// This node's name.
    pub node_name: String,
    /// Where the source is, in words.
    pub source: String,
    /// Directory of pins.
    pub bpf_dir: PathBuf,
    /// The cgroup of the socket programs; none is off.
    pub cgroup: Option<PathBuf>,
    /// Which addresses take NodePorts.
    pub node_port_addresses: NodePortAddresses,
    /// What was asked for packets.
    pub packets: Wanted,
}

/// A failure to start.
#[derive(Debug, thiserror::Error)]
pub enum ProgramError {
    /// the programs cannot be loaded or attached
    #[error("Services: {0}")]
    Dataplane(#[from] dataplane::Error),
    /// the kernel does not tell the node's addresses
    #[error("Services: addresses of the node: {0}")]
    Addresses(#[from] netlink::Error),
}

/// Everything about Services, behind a lock that is never held across an await.
#[derive(Debug)]
pub struct Services {
    setup: Setup,
    pulse: Arc<Pulse>,
    state: Mutex<Inner>,
    /// The table of flows, which a sweep holds for long.
    flows: Mutex<Flows>,
    /// Told when backends may have gone.
    changed: Notify,
}

/// What the lock guards.
#[derive(Debug)]
pub struct Inner {
    /// All objects.
    pub index: Index,
    /// The kernel's tables.
    pub tables: Tables<Maps>,
    dataplane: Dataplane,
    programmed: BTreeMap<Name, BTreeSet<PortKey>>,
    /// Why a port could not be programmed.
    pub failed: BTreeMap<PortKey, String>,
    /// Documents that cannot be used.
    pub problems: Vec<Problem>,
    /// Why the source cannot be read.
    pub unread: Option<String>,
    /// Why the programs do not do their work.
    pub ineffective: Option<String>,
    network: Network,
    /// Sockets whose backend is gone.
    pub cuts: Cuts,
    addresses: Addresses,
    host_ports: BTreeMap<PortKey, PortTable>,
    /// Ports of pods at the node that somebody else has.
    pub refused_host_ports: Vec<String>,
    /// Whether the programs are in their places.
    attached: bool,
    /// What is in force for packets.
    pub packets: Packets,
    /// Flows at the last sweep.
    pub swept: Swept,
    /// Whether what an earlier run had left was removed.
    pruned: bool,
    /// When the source was last read.
    pub synced_at_us: Option<u64>,
    /// How long the last change took.
    pub took_ms: Option<f64>,
    /// What health and metrics are told.
    pub pulse: Arc<Pulse>,
}

impl Services {
    /// Loads the programs over what an earlier run has pinned, and puts them in their place. Nothing is removed from
    /// the tables yet.
    ///
    /// # Errors
    /// When the kernel refuses, or the place for pins is none.
    pub async fn start(setup: Setup) -> Result<Self, ProgramError> {
        let (mut dataplane, maps) = Dataplane::load(&setup.bpf_dir, setup.cgroup.as_deref())?;
        let found = maps.snapshot()?;
        let tables = Tables::new(maps, found)?;
        let packets = Packets::start(&mut dataplane)?;
        let flows = dataplane.flows()?;
        let network = Network::read(&root()?).await?;
        let addresses = Addresses::of(&network);
        let mut index = Index::default();
        index.set_here(Here::of(
            &setup.node_name,
            &addresses,
            None,
            &setup.node_port_addresses,
        ));
        let pulse = Arc::new(Pulse::default());
        let mut inner = Inner {
            attached: false,
            host_ports: BTreeMap::new(),
            refused_host_ports: Vec::new(),
            pulse: pulse.clone(),
            index,
            tables,
            dataplane,
            programmed: BTreeMap::new(),
            failed: BTreeMap::new(),
            problems: Vec::new(),
            unread: None,
            ineffective: None,
            network,
            cuts: Cuts::default(),
            addresses,
            packets,
            swept: Swept::default(),
            pruned: false,
            synced_at_us: None,
            took_ms: None,
        };
        if inner.dataplane.earlier.is_there() {
            let begin_empty = &inner.dataplane.earlier.changed;
            tracing::info!(?begin_empty, "tables of an earlier version are taken over");
        }
        // Programs on tables that begin empty would serve nobody: the earlier version's go on till these are written.
        if inner
            .dataplane
            .earlier
            .changed
            .iter()
            .all(|name| *name == names::VERDICTS)
        {
            inner.attach(&setup)?;
        }
        Ok(Self {
            setup,
            pulse,
            state: Mutex::new(inner),
            flows: Mutex::new(flows),
            changed: Notify::new(),
        })
    }

    /// What is known now.
    pub fn inner(&self) -> MutexGuard<'_, Inner> {
        // A panic while it was held leaves the tables in one of the states between two writes, all of which are good.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What it was started with.
    pub fn setup(&self) -> &Setup {
        &self.setup
    }

    /// How Services do, which can be asked while tables are written.
    pub fn pulse(&self) -> &Arc<Pulse> {
        &self.pulse
    }

    /// Follows the source for ever.
    pub async fn follow(self: Arc<Self>, mut source: impl Source) {
        let mut next = Box::pin(source.next());
        let mut look = interval(LOOK_AGAIN);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut devices = monitor();
        tokio::spawn(self.clone().tend_flows());
        loop {
            tokio::select! {
                told = &mut next => {
                    let failed = told.is_err();
                    let this = self.clone();
                    // Thousands of writes: the loop that repairs ports goes on meanwhile.
                    if let Err(error) = spawn_blocking(move || this.told(told)).await {
                        tracing::error!(%error, "Services were not written");
                    }
                    self.changed.notify_one();
                    if failed {
                        sleep(LOOK_AGAIN).await;
                    }
                    drop(next);
                    next = Box::pin(source.next());
                }
                seen = devices_changed(&mut devices) => {
                    if !seen {
                        devices = monitor();
                    }
                    self.look().await;
                }
                _ = look.tick() => self.look().await,
            }
        }
    }

    fn told(&self, told: Result<State, SourceError>) {
        let begin = Instant::now();
        let mut inner = self.inner();
        match told {
            Ok(state) => {
                // A document that cannot be used may be what an earlier run took its tables from: till it can, they
                // stay.
                let complete = state.problems.is_empty();
                for problem in &state.problems {
                    if !inner.problems.contains(problem) {
                        tracing::warn!(
                            place = problem.place,
                            document = problem.document,
                            error = problem.error,
                            "manifest not used"
                        );
                    }
                }
                inner.unread = None;
                let touched = inner.index.take(&state);
                inner.problems = state.problems;
                self.pulse.queued(inner.index.take_changes());
                let changed = !touched.is_empty();
                inner.write(touched);
                // The node's object may be among them.
                inner.place(&self.setup);
                if !inner.attached
                    && let Err(error) = inner.attach(&self.setup)
                {
                    tracing::warn!(%error, "Service programs cannot be put in their places");
                }
                if complete && !inner.pruned {
                    inner.prune();
                    inner.pruned = true;
                    // What went while no daemon ran, too.
                    inner.cuts.all();
                }
                inner.pulse.settled(&inner.index, &inner.failed);
                inner.synced_at_us = Some(clock::now_us());
                if changed || inner.took_ms.is_none() {
                    inner.took_ms = Some(milliseconds(begin.elapsed()));
                    let (frontends, backends) = inner.tables.sizes();
                    tracing::debug!(
                        frontends,
                        backends,
                        took_ms = inner.took_ms,
                        "Services written"
                    );
                }
            }
            Err(error) => {
                let error = error.to_string();
                if inner.unread.as_ref() != Some(&error) {
                    tracing::warn!(error, "Services cannot be read");
                }
                inner.unread = Some(error);
            }
        }
    }

    /// Looks at what tells nothing by itself.
    async fn look(&self) {
        let network = match root() {
            Ok(netlink) => Network::read(&netlink).await,
            Err(error) => Err(error),
        };
        let mut inner = self.inner();
        match network {
            Ok(network) => inner.network = network,
            Err(error) => tracing::warn!(%error, "the node's network cannot be read"),
        }
        let addresses = Addresses::of(&inner.network);
        if addresses != inner.addresses {
            inner.addresses = addresses;
            inner.place(&self.setup);
        }
        inner.settle_packets(&self.setup);
        let again: BTreeSet<Name> = inner
            .failed
            .keys()
            .filter_map(|key| Some(key.split_once(':')?.0.to_owned()))
            .collect();
        inner.write(again);
        inner.pulse.settled(&inner.index, &inner.failed);
        inner.verify(self.setup.cgroup.as_deref());
    }
}

impl Inner {
    /// Takes in where the node is by now.
    fn place(&mut self, setup: &Setup) {
        let node = self.index.node(&setup.node_name).cloned();
        let here = Here::of(
            &setup.node_name,
            &self.addresses,
            node.as_ref(),
            &setup.node_port_addresses,
        );
        let touched = self.index.set_here(here);
        self.write(touched);
    }

    /// Writes the tables of some Services, all in one change: an address that goes from one to another is never
    /// nobody's.
    fn write(&mut self, names: BTreeSet<Name>) {
        if names.is_empty() {
            return;
        }
        let begin = Instant::now();
        let mut ports: Vec<(PortKey, Option<PortTable>)> = Vec::new();
        for name in &names {
            let tables = self.index.tables(name);
            let before = self.programmed.remove(name).unwrap_or_default();
            let keys: BTreeSet<PortKey> = tables.keys().cloned().collect();
            let gone = before.difference(&keys).map(|key| (key.clone(), None));
            ports.extend(gone);
            ports.extend(tables.into_iter().map(|(key, table)| (key, Some(table))));
            if !keys.is_empty() {
                self.programmed.insert(name.clone(), keys);
            }
        }
        let outcomes = self.tables.change(&ports);
        for ((key, table), outcome) in ports.iter().zip(outcomes) {
            self.note(key, table.is_none(), outcome);
        }
        self.pulse.wrote(begin.elapsed());
        self.cuts.written(&names, &self.index, &self.tables);
    }

    /// Keeps what came of a port: one that failed is tried again.
    fn note(&mut self, key: &PortKey, is_gone: bool, outcome: dataplane::Result<()>) {
        let Err(error) = outcome else {
            self.failed.remove(key);
            return;
        };
        let text = error.to_string();
        if self.failed.get(key) != Some(&text) {
            tracing::warn!(port = key, %error, "Service port cannot be programmed");
        }
        self.failed.insert(key.clone(), text);
        if is_gone && let Some((name, _)) = key.split_once(':') {
            // Still there, and to be removed at the next try.
            let keys = self.programmed.entry(name.to_owned()).or_default();
            keys.insert(key.clone());
        }
    }

    /// Removes what an earlier run has left and nothing claims: only once the source has told all it knows.
    fn prune(&mut self) {
        match self.tables.prune() {
            Ok(0) => {}
            Ok(count) => tracing::info!(count, "addresses of Services that are gone removed"),
            Err(error) => tracing::warn!(%error, "addresses of Services that are gone stay"),
        }
    }
}

fn root() -> netlink::Result<Netlink> {
    Netns::current()?.connect()
}
