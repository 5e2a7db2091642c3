//! All objects, and who may have what: pure.
//!
//! A change costs in proportion to the Services it touches: an address that two claim is the older one's, whatever
//! the order in which they came, and when it is free the other one's.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;

use abi::Frontend;
use dataplane::tables::{PortKey, PortTable};

use super::changes::Changes;
use super::desired::{self, Claims, Origin};
use super::health_port;
use super::node::Here;
use super::object::{Id, Name, Node, Object, Service, Slice};
use super::source::State;

/// Who comes first: the older one, then the first by name. What has no time came last.
type Rank = (bool, String, Name);

fn rank(service: &Service) -> Rank {
    let created = service.created.clone();
    (created.is_empty(), created, service.name.clone())
}

/// All objects of a source, and what follows from them for this node.
#[derive(Debug, Default)]
pub struct Index {
    objects: BTreeMap<Id, Arc<Object>>,
    slices: BTreeMap<Name, BTreeSet<Name>>,
    claims: BTreeMap<Name, Claims>,
    claimants: BTreeMap<Frontend, BTreeSet<Rank>>,
    cluster_ips: BTreeMap<IpAddr, BTreeSet<Name>>,
    /// Who would have an address outside: looked at again when it becomes a ClusterIP, or is none any more.
    outside: BTreeMap<IpAddr, BTreeSet<Name>>,
    here: Here,
    /// Services that load balancers ask this node about.
    health_checked: BTreeSet<Name>,
    changes: Changes,
}

impl Index {
    /// Takes in what a source tells. The Services whose tables may be others than before.
    pub fn take(&mut self, state: &State) -> BTreeSet<Name> {
        match &state.gone {
            Some(gone) => self.change(&state.objects, gone),
            None => self.update(&state.objects),
        }
    }

    /// Takes in all objects there are now. The Services whose tables may be others than before.
    pub fn update(&mut self, objects: &BTreeMap<Id, Arc<Object>>) -> BTreeSet<Name> {
        let known = self.objects.keys();
        let gone = known.filter(|id| !objects.contains_key(id)).cloned();
        let gone: BTreeSet<Id> = gone.collect();
        self.change(objects, &gone)
    }

    /// Takes in objects, and that others are gone. The Services whose tables may be others than before.
    fn change(
        &mut self,
        objects: &BTreeMap<Id, Arc<Object>>,
        gone: &BTreeSet<Id>,
    ) -> BTreeSet<Name> {
        let mut touched = BTreeSet::new();
        for (id, object) in objects {
            let before = self.objects.get(id);
            if before.is_some_and(|old| Arc::ptr_eq(old, object) || old == object) {
                continue;
            }
            self.changes.note(before.map(Arc::as_ref), Some(object));
            self.put(id.clone(), Some(object.clone()), &mut touched);
        }
        for id in gone {
            if let Some(before) = self.objects.get(id) {
                self.changes.note(Some(before), None);
                self.put(id.clone(), None, &mut touched);
            }
        }
        touched
    }

    /// Takes in what is known of this node. The Services whose tables may be others than before.
    pub fn set_here(&mut self, here: Here) -> BTreeSet<Name> {
        if self.here == here {
            return BTreeSet::new();
        }
        self.here = here;
        let mut touched: BTreeSet<Name> = self
            .services()
            .map(|service| service.name.clone())
            .collect();
        for name in touched.clone() {
            self.claim(&name, &mut touched);
        }
        touched
    }

    /// What has changed since this was last asked.
    pub fn take_changes(&mut self) -> Changes {
        std::mem::take(&mut self.changes)
    }

    /// The Services that load balancers ask this node about; the one that comes first where two want the same is
    /// first.
    pub fn health_checked(&self) -> Vec<&Service> {
        let named = self.health_checked.iter();
        let mut found: Vec<_> = named.filter_map(|name| self.service(name)).collect();
        found.sort_by_cached_key(|service| rank(service));
        found
    }

    /// This node's object, if the source has it.
    pub fn node(&self, name: &str) -> Option<&Node> {
        match self.objects.get(&Id::Node(name.to_owned()))?.as_ref() {
            Object::Node(node) => Some(node),
            _ => None,
        }
    }

    /// A Service by its name.
    pub fn service(&self, name: &str) -> Option<&Service> {
        match self.objects.get(&Id::Service(name.to_owned()))?.as_ref() {
            Object::Service(service) => Some(service),
            _ => None,
        }
    }

    /// All Services, by name.
    pub fn services(&self) -> impl Iterator<Item = &Service> {
        self.objects
            .values()
            .filter_map(|object| match object.as_ref() {
                Object::Service(service) => Some(service.as_ref()),
                _ => None,
            })
    }

    /// The slices of a Service.
    pub fn slices_of(&self, name: &str) -> Vec<&Slice> {
        let names = self.slices.get(name).into_iter().flatten();
        let objects = names.filter_map(|slice| self.objects.get(&Id::Slice(slice.clone())));
        objects
            .filter_map(|object| match object.as_ref() {
                Object::Slice(slice) => Some(slice.as_ref()),
                _ => None,
            })
            .collect()
    }

    /// What a Service was granted of its claims.
    pub fn granted(&self, name: &str) -> BTreeMap<Frontend, (Origin, Option<usize>)> {
        let claims = self
            .claims
            .get(name)
            .into_iter()
            .flat_map(|claims| &claims.frontends);
        let granted = claims.filter(|(frontend, _)| self.holder(frontend) == Some(name));
        granted
            .map(|(frontend, claim)| (*frontend, *claim))
            .collect()
    }

    /// What of a Service is refused, one line each.
    pub fn refused(&self, name: &str) -> Vec<String> {
        let mut lines = Vec::new();
        let Some(claims) = self.claims.get(name) else {
            return lines;
        };
        lines.extend(claims.refused.iter().cloned());
        for (frontend, (origin, _)) in &claims.frontends {
            if *origin == Origin::OtherPort {
                continue;
            }
            if let Some(holder) = self.holder(frontend).filter(|holder| *holder != name) {
                lines.push(format!(
                    "{} {} port {} is Service {holder}'s already",
                    origin.as_str(),
                    frontend.address,
                    u16::from_be(frontend.port_be),
                ));
            }
        }
        for slice in self.slices_of(name) {
            lines.extend(slice.refused.iter().cloned());
        }
        lines
    }

    /// The tables of a Service, by port; none of one that is gone.
    pub fn tables(&self, name: &str) -> BTreeMap<PortKey, PortTable> {
        match self.service(name) {
            Some(service) => {
                let slices = self.slices_of(name);
                desired::tables(service, &slices, &self.here, &self.granted(name))
            }
            None => BTreeMap::new(),
        }
    }

    /// What is known of this node.
    pub fn here(&self) -> &Here {
        &self.here
    }

    fn put(&mut self, id: Id, object: Option<Arc<Object>>, touched: &mut BTreeSet<Name>) {
        let old = self.objects.get(&id).cloned();
        if let Some(Object::Slice(slice)) = old.as_deref()
            && let Some(service) = &slice.service
        {
            if let Some(slices) = self.slices.get_mut(service) {
                slices.remove(&slice.name);
                if slices.is_empty() {
                    self.slices.remove(service);
                }
            }
            touched.insert(service.clone());
        }
        if let Some(Object::Slice(slice)) = object.as_deref()
            && let Some(service) = &slice.service
        {
            let slices = self.slices.entry(service.clone()).or_default();
            slices.insert(slice.name.clone());
            touched.insert(service.clone());
        }
        let name = match &id {
            Id::Service(name) => Some(name.clone()),
            _ => None,
        };
        let service = |object: &Option<Arc<Object>>| match object.as_deref() {
            Some(Object::Service(service)) => Some(service.as_ref().clone()),
            _ => None,
        };
        let (before, after) = (service(&old), service(&object));
        match object {
            Some(object) => self.objects.insert(id, object),
            None => self.objects.remove(&id),
        };
        if let Some(name) = name {
            touched.insert(name.clone());
            if after.as_ref().and_then(health_port::port).is_some() {
                self.health_checked.insert(name.clone());
            } else {
                self.health_checked.remove(&name);
            }
            self.note_addresses(before.as_ref(), after.as_ref(), touched);
            self.unclaim(&name, before.as_ref(), touched);
            self.claim(&name, touched);
        }
    }

    /// Keeps the lists of addresses, and has those looked at again whose claims depend on them.
    fn note_addresses(
        &mut self,
        before: Option<&Service>,
        after: Option<&Service>,
        touched: &mut BTreeSet<Name>,
    ) {
        let inside = |service: Option<&Service>| -> BTreeSet<IpAddr> {
            let of = service.filter(|service| service.kind.is_some());
            of.into_iter()
                .flat_map(|service| service.cluster_ips.clone())
                .collect()
        };
        let outside = |service: Option<&Service>| -> BTreeSet<IpAddr> {
            let ingress = |service: &Service| -> Vec<IpAddr> {
                service
                    .ingress
                    .iter()
                    .map(|ingress| ingress.address)
                    .collect()
            };
            service
                .into_iter()
                .flat_map(|service| [service.external_ips.clone(), ingress(service)].concat())
                .collect()
        };
        let Some(name) = before.or(after).map(|service| service.name.clone()) else {
            return;
        };
        swap(&mut self.outside, &name, &outside(before), &outside(after));
        let (old, new) = (inside(before), inside(after));
        swap(&mut self.cluster_ips, &name, &old, &new);
        let others: BTreeSet<Name> = old
            .symmetric_difference(&new)
            .filter_map(|ip| self.outside.get(ip))
            .flatten()
            .filter(|other| **other != name)
            .cloned()
            .collect();
        for other in others {
            touched.insert(other.clone());
            self.claim(&other, touched);
        }
    }

    /// Takes a Service's claims back.
    fn unclaim(&mut self, name: &Name, before: Option<&Service>, touched: &mut BTreeSet<Name>) {
        let (Some(claims), Some(before)) = (self.claims.remove(name), before) else {
            return;
        };
        let rank = rank(before);
        for frontend in claims.frontends.keys() {
            self.release(frontend, &rank, touched);
        }
    }

    fn release(&mut self, frontend: &Frontend, rank: &Rank, touched: &mut BTreeSet<Name>) {
        if let Some(claimants) = self.claimants.get_mut(frontend) {
            claimants.remove(rank);
            touched.extend(claimants.iter().map(|(_, _, name)| name.clone()));
            if claimants.is_empty() {
                self.claimants.remove(frontend);
            }
        }
    }

    /// Enters what a Service claims now, in place of what it claimed before.
    fn claim(&mut self, name: &Name, touched: &mut BTreeSet<Name>) {
        let Some(service) = self.service(name).cloned() else {
            return;
        };
        let inside = &self.cluster_ips;
        let claims = desired::claims(&service, &self.here, |ip| inside.contains_key(&ip));
        let before = self
            .claims
            .insert(name.clone(), claims.clone())
            .unwrap_or_default();
        let rank = rank(&service);
        for frontend in before.frontends.keys() {
            if !claims.frontends.contains_key(frontend) {
                self.release(frontend, &rank, touched);
            }
        }
        for frontend in claims.frontends.keys() {
            let claimants = self.claimants.entry(*frontend).or_default();
            if claimants.insert(rank.clone()) {
                touched.extend(claimants.iter().map(|(_, _, name)| name.clone()));
            }
        }
    }

    /// Who has a frontend.
    pub fn holder(&self, frontend: &Frontend) -> Option<&str> {
        let (_, _, name) = self.claimants.get(frontend)?.first()?;
        Some(name)
    }
}

/// Moves a name from some addresses to others.
fn swap(
    by_address: &mut BTreeMap<IpAddr, BTreeSet<Name>>,
    name: &Name,
    before: &BTreeSet<IpAddr>,
    after: &BTreeSet<IpAddr>,
) {
    for ip in before.difference(after) {
        if let Some(names) = by_address.get_mut(ip) {
            names.remove(name);
            if names.is_empty() {
                by_address.remove(ip);
            }
        }
    }
    for ip in after.difference(before) {
        by_address.entry(*ip).or_default().insert(name.clone());
    }
}

#[cfg(test)]
mod tests;
