//! What an earlier run has left.

use std::collections::{BTreeMap, BTreeSet};

use abi::{Backend, MaglevKey, MemberKey};

use super::{Content, Programmed, Set, Tables, sides};
use crate::error::Result;
use crate::maglev;
use crate::store::{Snapshot, Store};

impl<S: Store> Tables<S> {
    /// Takes in what an earlier run has left; what of it makes no sense is removed.
    pub(super) fn take_over(&mut self, found: Snapshot) -> Result<()> {
        let mut backends: BTreeMap<u32, BTreeMap<u32, Backend>> = BTreeMap::new();
        for (key, backend) in &found.slots {
            let set = backends.entry(key.set).or_default();
            set.insert(key.slot, *backend);
        }
        for (frontend, service) in found.services {
            self.next_port = self.next_port.max(service.port_id.saturating_add(1));
            let programmed = Programmed {
                service,
                owner: None,
            };
            self.frontends.insert(frontend, programmed);
            for (set, count) in sides(&service) {
                self.sets
                    .entry(set)
                    .or_insert_with(|| Set {
                        content: whole(set, count, &backends, &found.members, &found.maglev),
                        users: 0,
                    })
                    .users += 1;
            }
        }
        for (id, set) in &self.sets {
            self.by_content.insert(set.content.clone(), *id);
        }
        let ids: BTreeSet<u32> = self.sets.keys().copied().collect();
        let known = |set: &u32| ids.contains(set);
        let slots: Vec<_> = found.slots.keys().filter(|key| !known(&key.set)).collect();
        let members: Vec<_> = found
            .members
            .iter()
            .filter(|key| !known(&key.set))
            .collect();
        for key in slots {
            self.store.delete_slot(*key)?;
        }
        for key in members {
            self.store.delete_member(*key)?;
        }
        for key in found.maglev.iter().filter(|key| !known(&key.set)) {
            self.store.delete_maglev(*key)?;
        }
        self.found_sources = found.sources;
        Ok(())
    }
}

/// A set as an earlier run has left it.
fn whole(
    set: u32,
    count: u32,
    backends: &BTreeMap<u32, BTreeMap<u32, Backend>>,
    members: &BTreeSet<MemberKey>,
    parts: &BTreeSet<MaglevKey>,
) -> Content {
    let there = backends.get(&set);
    let of_set: Vec<Backend> = (0..count)
        .filter_map(|slot| there?.get(&slot).copied())
        .collect();
    let has_members = of_set.iter().any(|backend| {
        members.contains(&MemberKey {
            set,
            backend: *backend,
        })
    });
    let has_table = parts.contains(&MaglevKey { set, part: 0 });
    Content {
        maglev: if has_table {
            maglev::size(of_set.len())
        } else {
            0
        },
        backends: of_set,
        members: has_members,
    }
}
