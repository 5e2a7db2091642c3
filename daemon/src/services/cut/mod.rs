//! Sockets that hold on to a backend which is gone are ended.
//!
//! A UDP socket that was given a backend when it connected stays with it, and its owner (a resolver, most often) would
//! wait for answers for ever. It gets ECONNABORTED instead (EDESTADDRREQ if it sends first), and finds a living backend
//! when it connects again.
//!
//! [`Cuts`] keeps what each UDP port has, and learns from a change which lost a backend; [`judge`] decides purely, from
//! the table of sockets, who is meant; [`act`] goes through the namespaces, whoever made them and whenever. It costs
//! nothing where no backend has gone, and enters no namespace where no socket had one that has.

mod act;
pub mod judge;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use abi::Backend;
use dataplane::store::Store;
use dataplane::sync::Tables;
use dataplane::tables::PortKey;
use tokio::sync::Notify;
use tokio::task::spawn_blocking;
use tokio::time::{Instant, sleep_until};

use self::act::{Outcome, act};
use self::judge::{Place, Port, Question, place};
use super::desired::{endpoints, port_key};
use super::index::Index;
use super::object::{Name, Protocol};
use super::program::Services;

/// After which time it is looked once more: a program that had read the old tables has made its entry by then, and the
/// socket is connected.
const SETTLED: Duration = Duration::from_secs(1);

/// What is wrong with a kernel that cannot end sockets.
const UNABLE: &str = "UDP sockets stay with a backend that is gone: the kernel cannot end them \
                      (CONFIG_INET_DIAG_DESTROY, CONFIG_INET_UDP_DIAG)";

/// The ports of a Service: the id and the backends of each.
type Ports = BTreeMap<PortKey, (u32, BTreeSet<Place>)>;

/// Ports that have lost something.
#[derive(Debug, Clone, Default)]
pub struct Scope {
    ports: BTreeMap<u32, PortKey>,
    all: bool,
}

/// What is known of sockets and their backends.
#[derive(Debug, Default)]
pub struct Cuts {
    known: BTreeMap<Name, Ports>,
    wanted: Scope,
    wake: Arc<Notify>,
    ended: u64,
    is_unable: bool,
}

impl Cuts {
    /// How many sockets were ended since the daemon started.
    pub fn ended(&self) -> u64 {
        self.ended
    }

    /// Why sockets cannot be ended, if one should have been.
    pub fn problem(&self) -> Option<&'static str> {
        self.is_unable.then_some(UNABLE)
    }

    /// Takes in what was written for some Services.
    pub fn written<S: Store>(&mut self, names: &BTreeSet<Name>, index: &Index, tables: &Tables<S>) {
        for name in names {
            let before = self.known.remove(name).unwrap_or_default();
            let now = ports(name, &before, index, tables);
            self.replace(name, before, now);
        }
    }

    /// Takes in what was written for ports that are no Service's, all those of one kind.
    pub fn written_beside<'a, S: Store>(
        &mut self,
        kind: &str,
        keys: impl Iterator<Item = &'a PortKey>,
        tables: &Tables<S>,
    ) {
        let before = self.known.remove(kind).unwrap_or_default();
        let udp = keys.filter(|key| key.ends_with(Protocol::Udp.as_str()));
        let now = udp
            .filter_map(|key| {
                let (id, backends) = tables.port(key)?;
                Some((key.clone(), (id, backends.iter().map(place).collect())))
            })
            .collect();
        self.replace(kind, before, now);
    }

    fn replace(&mut self, name: &str, before: Ports, now: Ports) {
        for (key, (id, places)) in before {
            let left = now.get(&key).filter(|(now, _)| *now == id);
            if !left.is_some_and(|(_, now)| places.is_subset(now)) {
                self.wanted.ports.insert(id, key);
            }
        }
        if !now.is_empty() {
            self.known.insert(name.to_owned(), now);
        }
        if !self.wanted.ports.is_empty() {
            self.wake.notify_one();
        }
    }

    /// Has all sockets looked at: to be called once every source has told all it knows, and all of it was written.
    pub fn all(&mut self) {
        self.wanted.all = true;
        self.wake.notify_one();
    }

    /// Where the backends of each UDP port are, by the port's id: those that serve.
    pub fn living(&self) -> BTreeMap<u32, BTreeSet<Place>> {
        let ports = self.known.values().flat_map(BTreeMap::values);
        ports.map(|(id, places)| (*id, places.clone())).collect()
    }

    /// What is to be asked about some ports, as they are now.
    fn question(&self, scope: &Scope) -> Question {
        let mut question = Question {
            are_all: scope.all,
            ..Question::default()
        };
        let mut ask = |id: u32, key: &PortKey, living: BTreeSet<Place>| {
            let key = key.clone();
            question.ports.insert(id, Port { key, living });
        };
        for (id, key) in &scope.ports {
            let known = self.known.values().find_map(|ports| ports.get(key));
            let known = known.filter(|(known, _)| known == id);
            let living = known.map(|(_, places)| places.clone());
            ask(*id, key, living.unwrap_or_default());
        }
        if scope.all {
            for (key, (id, places)) in self.known.values().flatten() {
                ask(*id, key, places.clone());
            }
        }
        question
    }

    /// Takes in what came of it.
    fn note(&mut self, question: &Question, outcome: Outcome) {
        for (id, count) in outcome.ended {
            let port = question.name(id);
            tracing::info!(port, count, "UDP sockets ended whose backend is gone");
            self.ended += count;
        }
        if outcome.is_unable && !self.is_unable {
            tracing::warn!("{UNABLE}");
        }
        self.is_unable |= outcome.is_unable;
    }
}

/// The UDP ports of a Service, with what they have in the tables, and what serves without being in them: a backend on
/// its way out, or one that others are nearer than, takes no new clients and keeps the ones it has.
fn ports<S: Store>(name: &Name, before: &Ports, index: &Index, tables: &Tables<S>) -> Ports {
    let mut serving: BTreeMap<PortKey, BTreeSet<Place>> = before
        .keys()
        .map(|key| (key.clone(), BTreeSet::new()))
        .collect();
    if let Some(service) = index.service(name) {
        let slices = index.slices_of(name);
        for port in service
            .ports
            .iter()
            .filter(|port| port.protocol == Protocol::Udp)
        {
            let all = endpoints(port, &slices).into_iter();
            let places = all.filter(|it| it.endpoint.serving).map(|it| {
                let address = it.endpoint.address.into();
                (address, it.port.to_be())
            });
            serving.insert(port_key(name, Some(port)), places.collect());
        }
    }
    let of_port = |(key, mut places): (PortKey, BTreeSet<Place>)| {
        let (id, backends): (u32, BTreeSet<Backend>) = tables.port(&key)?;
        places.extend(backends.iter().map(place));
        Some((key, (id, places)))
    };
    serving.into_iter().filter_map(of_port).collect()
}

/// Ends sockets whenever a backend has gone, for ever.
pub async fn follow(services: Arc<Services>) {
    let wake = services.inner().cuts.wake.clone();
    let mut again: VecDeque<(Instant, Scope)> = VecDeque::new();
    loop {
        let next = again.front().map(|(at, _)| *at);
        let settled = async {
            match next {
                Some(at) => sleep_until(at).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = wake.notified() => {
                let scope = std::mem::take(&mut services.inner().cuts.wanted);
                look(&services, scope.clone(), false).await;
                again.push_back((Instant::now() + SETTLED, scope));
            }
            () = settled => {
                if let Some((_, scope)) = again.pop_front() {
                    look(&services, scope, true).await;
                }
            }
        }
    }
}

/// Looks once, on a thread where it may take its time.
async fn look(services: &Arc<Services>, scope: Scope, is_settled: bool) {
    let services = services.clone();
    let looked = spawn_blocking(move || {
        let question = services.inner().cuts.question(&scope);
        let outcome = act(&services.setup().bpf_dir, &question, is_settled);
        services.inner().cuts.note(&question, outcome);
    });
    if let Err(error) = looked.await {
        tracing::error!(%error, "sockets were not looked at");
    }
}

#[cfg(test)]
mod tests;
