//! From what should be to what is written, and in which order.
//!
//! Each change of a port writes in an order after whose every step a client finds a backend
//! that is there: new sets, then frontends, then what is gone, then the sets nobody needs.
//! It costs in proportion to the port, not to how many there are.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use abi::{Address, Backend, Frontend, Service, SourceRange};

use crate::error::Result;
use crate::maglev;
use crate::store::{Snapshot, Store};
use crate::tables::{PortKey, PortTable};

/// What a set is made of.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Content {
    backends: Vec<Backend>,
    /// Whether they are members too.
    members: bool,
    /// The size of its Maglev table; 0: none.
    maglev: u32,
}

impl Content {
    fn new(backends: Vec<Backend>, wanted: &PortTable) -> Self {
        let size = maglev::size(backends.len());
        Self {
            members: wanted.affinity_seconds != 0,
            maglev: if wanted.consistent { size } else { 0 },
            backends,
        }
    }

    fn parts(&self) -> u32 {
        self.maglev.div_ceil(abi::MAGLEV_PART)
    }
}

/// A set in the tables.
#[derive(Debug, Clone, Copy, Default)]
struct Written {
    id: u32,
    count: u32,
    maglev: u32,
}

#[derive(Debug)]
struct Set {
    content: Content,
    /// How many sides of frontends point at it.
    users: usize,
}

#[derive(Debug)]
struct Programmed {
    service: Service,
    /// Who claims it; none until somebody has, after a start.
    owner: Option<PortKey>,
}

/// A port that is in the tables.
#[derive(Debug, Default)]
struct Port {
    id: u32,
    frontends: BTreeSet<Frontend>,
    /// Networks that may use it, with their lengths.
    sources: BTreeSet<(Address, u32)>,
}

/// The tables, and what is known of them.
#[derive(Debug)]
pub struct Tables<S> {
    store: S,
    frontends: BTreeMap<Frontend, Programmed>,
    sets: HashMap<u32, Set>,
    by_content: HashMap<Content, u32>,
    ports: HashMap<PortKey, Port>,
    /// Networks an earlier run has written.
    found_sources: BTreeSet<(SourceRange, u32)>,
    /// Sets that have lost their last user, or never had one.
    unused: BTreeSet<u32>,
    next_set: u32,
    next_port: u32,
}

impl<S: Store> Tables<S> {
    /// Tables that hold what `found` says: nothing, or what an earlier run has left. What
    /// of it makes no sense, as a write was cut short, is removed.
    ///
    /// # Errors
    /// When that removal fails.
    pub fn new(store: S, found: Snapshot) -> Result<Self> {
        let mut tables = Self {
            store,
            frontends: BTreeMap::new(),
            sets: HashMap::new(),
            by_content: HashMap::new(),
            ports: HashMap::new(),
            found_sources: BTreeSet::new(),
            unused: BTreeSet::new(),
            next_set: 1,
            next_port: 1,
        };
        tables.take_over(found)?;
        Ok(tables)
    }

    /// Makes ports what they should be; `None`: makes one gone. All that should be there is
    /// written before anything is removed: a frontend that goes from one port to another is
    /// never nobody's. What came of each port, in their order; one that failed is as it was
    /// before, or in part as it should be, and no client is sent to a backend that is none.
    pub fn change(&mut self, ports: &[(PortKey, Option<PortTable>)]) -> Vec<Result<()>> {
        let nothing = PortTable::default();
        let mut outcomes: Vec<Result<()>> = Vec::with_capacity(ports.len());
        for (key, table) in ports {
            let table = table.as_ref().unwrap_or(&nothing);
            let port_id = self.port_id(key, table);
            let outcome = self.put_sources(key, table);
            outcomes.push(outcome.and_then(|()| self.put_frontends(key, port_id, table)));
        }
        for ((key, table), outcome) in ports.iter().zip(&mut outcomes) {
            if outcome.is_ok() {
                *outcome = self.delete_others(key, table.as_ref().unwrap_or(&nothing));
            }
            // Also after a failure: a set that was begun is no one's.
            let swept = self.sweep();
            if outcome.is_ok() {
                *outcome = swept;
            }
        }
        outcomes
    }

    /// Removes the frontends of a port that it should not have any more, and the port itself
    /// with its last.
    fn delete_others(&mut self, key: &PortKey, wanted: &PortTable) -> Result<()> {
        let has = self.ports.get(key).map(|port| &port.frontends);
        let gone: Vec<Frontend> = has
            .into_iter()
            .flatten()
            .filter(|frontend| !wanted.frontends.contains_key(frontend))
            .copied()
            .collect();
        for frontend in gone {
            self.delete_frontend(&frontend)?;
        }
        self.delete_sources(key, wanted)?;
        if wanted.frontends.is_empty() {
            self.ports.remove(key);
        }
        Ok(())
    }

    /// Removes what nobody has claimed since the start: to be called once every source has
    /// told all it knows.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub fn prune(&mut self) -> Result<usize> {
        let unclaimed: Vec<Frontend> = self
            .frontends
            .iter()
            .filter(|(_, programmed)| programmed.owner.is_none())
            .map(|(frontend, _)| *frontend)
            .collect();
        for frontend in &unclaimed {
            self.delete_frontend(frontend)?;
        }
        let used: BTreeSet<u32> = self.ports.values().map(|port| port.id).collect();
        for (range, bits) in std::mem::take(&mut self.found_sources) {
            if !used.contains(&range.port_id) {
                self.store.delete_source(range, bits)?;
            }
        }
        self.sweep()?;
        Ok(unclaimed.len())
    }

    /// What is programmed for a frontend.
    pub fn service(&self, frontend: &Frontend) -> Option<&Service> {
        Some(&self.frontends.get(frontend)?.service)
    }

    /// How many frontends and backends the tables hold.
    pub fn sizes(&self) -> (usize, usize) {
        let sets = self.sets.values();
        let backends = sets.map(|set| set.content.backends.len()).sum();
        (self.frontends.len(), backends)
    }

    /// The store, to read counters and sockets.
    pub fn store(&self) -> &S {
        &self.store
    }

    /// Its id, the same as in an earlier run if any of its frontends is from there.
    fn port_id(&mut self, key: &PortKey, wanted: &PortTable) -> u32 {
        if let Some(port) = self.ports.get(key) {
            return port.id;
        }
        let before = wanted
            .frontends
            .keys()
            .filter_map(|frontend| self.frontends.get(frontend))
            .find(|programmed| programmed.owner.is_none())
            .map(|programmed| programmed.service.port_id);
        let id = before.unwrap_or_else(|| {
            let id = self.next_port;
            self.next_port = self.next_port.checked_add(1).unwrap_or(1);
            id
        });
        let sources = self
            .found_sources
            .iter()
            .filter(|(range, _)| range.port_id == id)
            .map(|(range, bits)| (range.address, *bits))
            .collect();
        let port = Port {
            id,
            frontends: BTreeSet::new(),
            sources,
        };
        self.ports.insert(key.clone(), port);
        id
    }

    fn put_frontends(&mut self, key: &PortKey, port_id: u32, wanted: &PortTable) -> Result<()> {
        let mut written: BTreeMap<(bool, usize), Written> = BTreeMap::new();
        for (frontend, target) in &wanted.frontends {
            let v4 = frontend.address.v4_be().is_some();
            let mut side = |set: usize| -> Result<Written> {
                if let Some(known) = written.get(&(v4, set)) {
                    return Ok(*known);
                }
                let set_written = self.set(Content::new(wanted.backends(frontend, set), wanted))?;
                written.insert((v4, set), set_written);
                Ok(set_written)
            };
            let (inside, outside) = (side(target.inside)?, side(target.outside)?);
            let service = Service {
                port_id,
                inside_set: inside.id,
                inside_count: inside.count,
                outside_set: outside.id,
                outside_count: outside.count,
                affinity_seconds: wanted.affinity_seconds,
                flags: target.flags,
                outside_maglev: outside.maglev,
            };
            self.put_frontend(*frontend, service, key)?;
        }
        Ok(())
    }

    fn put_frontend(&mut self, at: Frontend, service: Service, owner: &PortKey) -> Result<()> {
        let before = self.frontends.get(&at);
        let before = before.map(|programmed| (programmed.service, programmed.owner.clone()));
        let (old, old_owner) =
            before.map_or((None, None), |(service, owner)| (Some(service), owner));
        if old != Some(service) {
            self.store.put_service(at, service)?;
            for (set, _) in sides(&service) {
                if let Some(set) = self.sets.get_mut(&set) {
                    set.users += 1;
                }
            }
            self.forget(old.as_ref());
        }
        if old_owner.as_ref() != Some(owner) {
            if let Some(port) = old_owner.and_then(|owner| self.ports.get_mut(&owner)) {
                port.frontends.remove(&at);
            }
            self.ports
                .entry(owner.clone())
                .or_default()
                .frontends
                .insert(at);
        }
        let programmed = Programmed {
            service,
            owner: Some(owner.clone()),
        };
        self.frontends.insert(at, programmed);
        Ok(())
    }

    fn delete_frontend(&mut self, frontend: &Frontend) -> Result<()> {
        self.store.delete_service(*frontend)?;
        let Some(gone) = self.frontends.remove(frontend) else {
            return Ok(());
        };
        if let Some(port) = gone.owner.and_then(|owner| self.ports.get_mut(&owner)) {
            port.frontends.remove(frontend);
        }
        self.forget(Some(&gone.service));
        Ok(())
    }

    fn forget(&mut self, service: Option<&Service>) {
        for (id, _) in service.into_iter().flat_map(sides) {
            if let Some(set) = self.sets.get_mut(&id) {
                set.users = set.users.saturating_sub(1);
                if set.users == 0 {
                    self.unused.insert(id);
                }
            }
        }
    }
}

/// The sets a frontend points at, with the sizes it believes them to have.
fn sides(service: &Service) -> impl Iterator<Item = (u32, u32)> + use<> {
    [
        (service.inside_set, service.inside_count),
        (service.outside_set, service.outside_count),
    ]
    .into_iter()
    .filter(|(_, count)| *count != 0)
}

mod now;
mod sets;
mod sources;
mod take_over;
#[cfg(test)]
mod tests;
