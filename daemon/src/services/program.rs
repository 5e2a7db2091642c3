//! From objects to the kernel: reads the source, and writes what has changed.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use dataplane::loader::Dataplane;
use dataplane::maps::Maps;
use dataplane::sync::Tables;
use dataplane::tables::{PortKey, PortTable};
use netlink::{Netlink, Netns};
use tokio::task::spawn_blocking;
use tokio::time::sleep;

use super::index::Index;
use super::node::{Addresses, Here, NodePortAddresses};
use super::object::Name;
use super::pulse::Pulse;
use super::source::{Problem, Source, SourceError, State};
use crate::board::milliseconds;
use crate::clock;

/// How often the node's addresses are looked at, a failed write is tried again, and the programs' places are checked.
const LOOK_AGAIN: Duration = Duration::from_secs(2);

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
    addresses: Addresses,
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
        match &setup.cgroup {
            Some(cgroup) => dataplane.attach_sockets(cgroup)?,
            None => dataplane.detach_sockets()?,
        }
        let addresses = Addresses::read(&root()?).await?;
        let mut index = Index::default();
        index.set_here(Here::of(
            &setup.node_name,
            &addresses,
            None,
            &setup.node_port_addresses,
        ));
        let pulse = Arc::new(Pulse::default());
        let inner = Inner {
            pulse: pulse.clone(),
            index,
            tables,
            dataplane,
            programmed: BTreeMap::new(),
            failed: BTreeMap::new(),
            problems: Vec::new(),
            unread: None,
            ineffective: None,
            addresses,
            pruned: false,
            synced_at_us: None,
            took_ms: None,
        };
        Ok(Self {
            setup,
            pulse,
            state: Mutex::new(inner),
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
        loop {
            tokio::select! {
                told = &mut next => {
                    let failed = told.is_err();
                    let this = self.clone();
                    // Thousands of writes: the loop that repairs ports goes on meanwhile.
                    if let Err(error) = spawn_blocking(move || this.told(told)).await {
                        tracing::error!(%error, "Services were not written");
                    }
                    if failed {
                        sleep(LOOK_AGAIN).await;
                    }
                    drop(next);
                    next = Box::pin(source.next());
                }
                () = sleep(LOOK_AGAIN) => self.look().await,
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
                inner.problems = state.problems;
                let touched = inner.index.update(&state.objects);
                self.pulse.queued(inner.index.take_changes());
                let changed = !touched.is_empty();
                inner.write(touched);
                // The node's object may be among them.
                inner.place(&self.setup);
                if complete && !inner.pruned {
                    inner.prune();
                    inner.pruned = true;
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
        let addresses = match root() {
            Ok(netlink) => Addresses::read(&netlink).await,
            Err(error) => Err(error),
        };
        let mut inner = self.inner();
        match addresses {
            Ok(addresses) if addresses != inner.addresses => {
                inner.addresses = addresses;
                inner.place(&self.setup);
            }
            Ok(_) => {}
            Err(error) => tracing::warn!(%error, "the node's addresses cannot be read"),
        }
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

    /// Checks that the programs really run where they should.
    fn verify(&mut self, cgroup: Option<&Path>) {
        let Some(cgroup) = cgroup else { return };
        let found = match self.dataplane.ineffective_sockets(cgroup) {
            Ok(missing) if missing.is_empty() => None,
            Ok(missing) => Some(format!(
                "socket programs that are not in force for {}: {}",
                cgroup.display(),
                missing.join(", ")
            )),
            Err(error) => Some(error.to_string()),
        };
        if found.is_some() && found != self.ineffective {
            tracing::warn!(problem = found, "socket programs are not in force");
            // Whoever removed them, they belong there.
            if let Err(error) = self.dataplane.attach_sockets(cgroup) {
                tracing::warn!(%error, "socket programs cannot be attached again");
            }
        }
        self.ineffective = found;
    }
}

fn root() -> netlink::Result<Netlink> {
    Netns::current()?.connect()
}
