use std::net::IpAddr;

use abi::{Address, MaglevKey, MemberKey, SlotKey};
use proptest::prelude::*;

use super::*;
use crate::error::Error;
use crate::tables::Target;

/// The tables in memory. Every write checks what must always hold.
#[derive(Debug, Default, Clone, PartialEq)]
struct Memory {
    now: Snapshot,
    slots_max: usize,
    services_max: usize,
    writes: usize,
    /// A frontend that must be there after every write.
    kept: Option<Frontend>,
}

impl Memory {
    fn roomy() -> Self {
        Self {
            slots_max: usize::MAX,
            services_max: usize::MAX,
            ..Self::default()
        }
    }

    /// No frontend points at a backend that is not there.
    fn check(&mut self) {
        self.writes += 1;
        if let Some(kept) = &self.kept {
            assert!(self.now.services.contains_key(kept), "{kept:?} is nobody's");
        }
        for (frontend, service) in &self.now.services {
            for (set, count) in sides(service) {
                for slot in 0..count {
                    assert!(
                        self.now.slots.contains_key(&SlotKey { set, slot }),
                        "{frontend:?} points at slot {slot} of set {set}, after {} writes",
                        self.writes
                    );
                }
            }
            for part in 0..service.outside_maglev.div_ceil(abi::MAGLEV_PART) {
                let set = service.outside_set;
                assert!(
                    self.now.maglev.contains(&MaglevKey { set, part }),
                    "{frontend:?} lacks part {part} of its table"
                );
            }
            if service.flags & Service::CHECK_SOURCE != 0 {
                let mut ranges = self.now.sources.iter();
                assert!(
                    ranges.any(|(range, _)| range.port_id == service.port_id),
                    "{frontend:?} lets nobody in"
                );
            }
        }
    }

    fn full(name: &'static str) -> Error {
        Error::Map {
            name,
            source: aya::maps::MapError::OutOfBounds {
                index: 0,
                max_entries: 0,
            },
        }
    }

    /// Frontends with the addresses behind them: what a client can tell.
    fn meaning(&self) -> BTreeMap<Frontend, (Vec<Backend>, Vec<Backend>, u32, u32)> {
        let of = |set: u32, count: u32| {
            let slots = (0..count).map(|slot| self.now.slots[&SlotKey { set, slot }]);
            let mut backends: Vec<Backend> = slots.collect();
            backends.sort_unstable();
            backends
        };
        self.now
            .services
            .iter()
            .map(|(frontend, service)| {
                let meaning = (
                    of(service.inside_set, service.inside_count),
                    of(service.outside_set, service.outside_count),
                    service.affinity_seconds,
                    service.flags,
                );
                (*frontend, meaning)
            })
            .collect()
    }
}

impl Store for Memory {
    fn put_slot(&mut self, key: SlotKey, backend: Backend) -> Result<()> {
        if self.now.slots.len() >= self.slots_max {
            return Err(Self::full("SLOTS"));
        }
        self.now.slots.insert(key, backend);
        self.check();
        Ok(())
    }

    fn delete_slot(&mut self, key: SlotKey) -> Result<()> {
        self.now.slots.remove(&key);
        self.check();
        Ok(())
    }

    fn put_member(&mut self, key: MemberKey) -> Result<()> {
        self.now.members.insert(key);
        self.check();
        Ok(())
    }

    fn delete_member(&mut self, key: MemberKey) -> Result<()> {
        self.now.members.remove(&key);
        self.check();
        Ok(())
    }

    fn put_maglev(&mut self, key: MaglevKey, _: &abi::MaglevPart) -> Result<()> {
        self.now.maglev.insert(key);
        self.check();
        Ok(())
    }

    fn delete_maglev(&mut self, key: MaglevKey) -> Result<()> {
        self.now.maglev.remove(&key);
        self.check();
        Ok(())
    }

    fn put_source(&mut self, range: SourceRange, bits: u32) -> Result<()> {
        self.now.sources.insert((range, bits));
        self.check();
        Ok(())
    }

    fn delete_source(&mut self, range: SourceRange, bits: u32) -> Result<()> {
        self.now.sources.remove(&(range, bits));
        self.check();
        Ok(())
    }

    fn put_service(&mut self, key: Frontend, service: Service) -> Result<()> {
        let full = self.now.services.len() >= self.services_max;
        if full && !self.now.services.contains_key(&key) {
            return Err(Self::full("SERVICES"));
        }
        self.now.services.insert(key, service);
        self.check();
        Ok(())
    }

    fn delete_service(&mut self, key: Frontend) -> Result<()> {
        self.now.services.remove(&key);
        self.check();
        Ok(())
    }
}

fn address(text: &str) -> Address {
    Address::from(text.parse::<IpAddr>().unwrap())
}

fn backend(n: u8) -> Backend {
    Backend {
        address: address(&format!("10.1.0.{n}")),
        port_be: 8080_u16.to_be(),
        pad: 0,
    }
}

fn frontend(n: u8, port: u16) -> Frontend {
    Frontend {
        address: address(&format!("10.96.0.{n}")),
        port_be: port.to_be(),
        protocol: 6,
        pad: 0,
    }
}

fn port(frontends: &[Frontend], backends: &[u8], affinity_seconds: u32) -> PortTable {
    let inside: Vec<Backend> = backends.iter().copied().map(backend).collect();
    let consistent = affinity_seconds == 0;
    let mut target = Target {
        inside: 0,
        outside: 0,
        flags: Service::INSIDE_REJECT,
    };
    if consistent {
        target.flags |= Service::CHECK_SOURCE;
    }
    let ranges = [
        address("192.0.2.0"),
        address(&format!("198.51.100.{}", backends.len())),
    ];
    PortTable {
        frontends: frontends.iter().map(|f| (*f, target)).collect(),
        sets: vec![inside],
        affinity_seconds,
        consistent,
        sources: if consistent {
            ranges.map(|range| (range, 120)).into()
        } else {
            Vec::new()
        },
    }
}

/// Changes one port.
fn change(tables: &mut Tables<Memory>, key: &str, table: Option<&PortTable>) -> Result<()> {
    let mut outcomes = tables.change(&[(key.to_owned(), table.cloned())]);
    outcomes.pop().unwrap()
}

fn empty() -> Tables<Memory> {
    Tables::new(Memory::roomy(), Snapshot::default()).unwrap()
}

#[test]
fn a_port_is_written_changed_and_removed_without_a_rest() {
    let mut tables = empty();
    let key = "default/web:http/TCP".to_owned();
    let both = [frontend(1, 80), frontend(2, 80)];
    change(&mut tables, &key, Some(&port(&both, &[1, 2, 3], 0))).unwrap();
    let service = *tables.service(&both[0]).unwrap();
    assert_eq!((service.inside_count, service.outside_count), (3, 3));
    assert_eq!(
        service.inside_set, service.outside_set,
        "one set for the same backends"
    );
    assert_eq!(tables.store.now.slots.len(), 3);

    change(&mut tables, &key, Some(&port(&both[..1], &[2], 0))).unwrap();
    let changed = tables.service(&both[0]).unwrap();
    assert_eq!(changed.port_id, service.port_id);
    assert_ne!(
        changed.inside_set, service.inside_set,
        "a set is never changed"
    );
    assert_eq!(tables.service(&both[1]), None);
    assert_eq!(tables.sizes(), (1, 1));

    change(&mut tables, &key, None).unwrap();
    assert_eq!(tables.store.now, Snapshot::default());
    assert!(tables.ports.is_empty());
}

#[test]
fn what_does_not_change_is_not_written() {
    let mut tables = empty();
    let key = "default/web:http/TCP".to_owned();
    let table = port(&[frontend(1, 80)], &[1, 2], 60);
    change(&mut tables, &key, Some(&table)).unwrap();
    let writes = tables.store.writes;
    change(&mut tables, &key, Some(&table)).unwrap();
    assert_eq!(tables.store.writes, writes);
}

#[test]
fn a_change_costs_what_it_changes_and_not_what_there_is() {
    let cost = |others: u8| {
        let mut tables = empty();
        for n in 0..others {
            let other = port(&[frontend(n, 443)], &[n], 0);
            change(
                &mut tables,
                &format!("default/other{n}:x/TCP"),
                Some(&other),
            )
            .unwrap();
        }
        let key = "default/web:http/TCP".to_owned();
        let table = |backends: &[u8]| port(&[frontend(1, 80)], backends, 0);
        change(&mut tables, &key, Some(&table(&[201, 202]))).unwrap();
        let before = tables.store.writes;
        change(&mut tables, &key, Some(&table(&[201, 202, 203]))).unwrap();
        tables.store.writes - before
    };
    assert_eq!(cost(0), cost(200));
}

#[test]
fn each_family_is_given_backends_of_its_own() {
    let mut tables = empty();
    let v6 = Frontend {
        address: address("fd00::1"),
        ..frontend(1, 80)
    };
    let mut table = port(&[frontend(1, 80), v6], &[1, 2], 0);
    table.sets[0].push(Backend {
        address: address("fd00:1::1"),
        ..backend(1)
    });
    change(&mut tables, "a", Some(&table)).unwrap();
    assert_eq!(tables.service(&frontend(1, 80)).unwrap().inside_count, 2);
    assert_eq!(tables.service(&v6).unwrap().inside_count, 1);
    table.frontends.get_mut(&v6).unwrap().outside = 7;
    change(&mut tables, "a", Some(&table)).unwrap();
    assert_eq!(
        tables.service(&v6).unwrap().outside_count,
        0,
        "no such set, nobody in it"
    );
}

#[test]
fn a_frontend_that_goes_from_one_port_to_another_stays() {
    let mut tables = empty();
    let shared = frontend(1, 80);
    change(&mut tables, "a", Some(&port(&[shared], &[1], 0))).unwrap();
    change(&mut tables, "b", Some(&port(&[shared], &[2], 0))).unwrap();
    change(&mut tables, "a", None).unwrap();
    assert_eq!(tables.store.meaning()[&shared].0, [backend(2)]);
    change(&mut tables, "b", None).unwrap();
    assert_eq!(tables.store.now, Snapshot::default());
}

/// In one change, whichever of the two comes first: [`Memory::kept`] is there after every write.
#[test]
fn a_frontend_that_is_handed_over_is_never_nobodys() {
    let (shared, own) = (frontend(1, 80), frontend(2, 80));
    for order in [["from", "to"], ["to", "from"]] {
        let mut tables = empty();
        change(&mut tables, "from", Some(&port(&[shared, own], &[1], 0))).unwrap();
        tables.store.kept = Some(shared);
        let after = |name: &str| match name {
            "from" => port(&[own], &[1], 0),
            _ => port(&[shared], &[2], 0),
        };
        let ports = order.map(|name| (name.to_owned(), Some(after(name))));
        for outcome in tables.change(&ports) {
            outcome.unwrap();
        }
        assert_eq!(tables.store.meaning()[&shared].0, [backend(2)]);
        assert_eq!(tables.store.now.services.len(), 2);
    }
}

#[test]
fn a_new_run_takes_over_keeps_ids_and_prunes_only_when_told() {
    let mut first = empty();
    let (kept, dropped) = (frontend(1, 80), frontend(2, 80));
    change(&mut first, "kept", Some(&port(&[kept], &[1, 2], 60))).unwrap();
    change(&mut first, "dropped", Some(&port(&[dropped], &[3], 0))).unwrap();
    let before = *first.service(&kept).unwrap();
    // A write that was cut short.
    first
        .store
        .now
        .slots
        .insert(SlotKey { set: 99, slot: 0 }, backend(9));

    let found = first.store.now.clone();
    let mut second = Tables::new(first.store, found).unwrap();
    assert!(!second.store.now.slots.keys().any(|key| key.set == 99));
    let writes = second.store.writes;
    change(&mut second, "kept", Some(&port(&[kept], &[1, 2], 60))).unwrap();
    assert_eq!(second.store.writes, writes, "nothing to write");
    assert_eq!(*second.service(&kept).unwrap(), before);
    assert!(
        second.service(&dropped).is_some(),
        "nobody has told of all yet"
    );
    assert_eq!(second.prune().unwrap(), 1);
    assert_eq!(second.service(&dropped), None);
    change(&mut second, "kept", None).unwrap();
    assert_eq!(second.store.now, Snapshot::default());
}

#[test]
fn a_full_table_leaves_the_port_as_it_was_and_others_work() {
    let mut tables = empty();
    let (small, big) = ("small".to_owned(), "big".to_owned());
    change(
        &mut tables,
        &big,
        Some(&port(&[frontend(1, 80)], &[1, 2], 0)),
    )
    .unwrap();
    tables.store.slots_max = 4;
    let before = tables.store.meaning();
    let many: Vec<u8> = (1..100).collect();
    let error = change(&mut tables, &big, Some(&port(&[frontend(1, 80)], &many, 0))).unwrap_err();
    assert!(error.to_string().contains("SLOTS"), "{error}");
    assert_eq!(tables.store.meaning(), before);
    assert_eq!(tables.store.now.slots.len(), 2, "what was begun is gone");
    change(
        &mut tables,
        &small,
        Some(&port(&[frontend(2, 80)], &[7], 0)),
    )
    .unwrap();
    tables.store.services_max = 2;
    change(
        &mut tables,
        &small,
        Some(&port(&[frontend(2, 80), frontend(3, 80)], &[7], 0)),
    )
    .unwrap_err();
    assert_eq!(tables.store.meaning()[&frontend(2, 80)].0, [backend(7)]);
}

/// A change: which port, with which frontends, backends and affinity; none: removed.
type Change = (u8, Option<(BTreeSet<u8>, BTreeSet<u8>, bool)>);

fn changes() -> impl Strategy<Value = Vec<Change>> {
    let table = (
        proptest::collection::btree_set(0..4_u8, 1..3),
        proptest::collection::btree_set(0..6_u8, 0..5),
        any::<bool>(),
    );
    let change = (0..5_u8, proptest::option::weighted(0.8, table));
    proptest::collection::vec(change, 0..40)
}

fn apply(tables: &mut Tables<Memory>, (name, table): &Change) {
    let table = table.as_ref().map(|(frontends, backends, affinity)| {
        // Frontends are the port's own: a conflict is refused before it comes here.
        let own: Vec<Frontend> = frontends
            .iter()
            .map(|n| frontend(name * 10 + n, 80))
            .collect();
        let backends: Vec<u8> = backends.iter().copied().collect();
        port(&own, &backends, if *affinity { 60 } else { 0 })
    });
    change(tables, &format!("port{name}"), table.as_ref()).unwrap();
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    /// Each write of each change is checked by [`Memory::check`]; and any sequence of
    /// changes means what its end state means when written at once.
    #[test]
    fn any_sequence_of_changes_means_what_its_end_means(changes in changes(), restart in 0..40_usize) {
        let mut tables = empty();
        for (n, change) in changes.iter().enumerate() {
            if n == restart {
                let found = tables.store.now.clone();
                tables = Tables::new(tables.store, found).unwrap();
                // The new run is told the state it finds again, then all is pruned.
                for change in end_of(&changes[..n]) {
                    apply(&mut tables, &change);
                }
                tables.prune().unwrap();
            }
            apply(&mut tables, change);
        }
        let mut at_once = empty();
        for change in end_of(&changes) {
            apply(&mut at_once, &change);
        }
        prop_assert_eq!(tables.store.meaning(), at_once.store.meaning());
        prop_assert_eq!(tables.store.now.slots.len(), at_once.store.now.slots.len());
        prop_assert_eq!(tables.store.now.members.len(), at_once.store.now.members.len());
        prop_assert_eq!(tables.store.now.maglev.len(), at_once.store.now.maglev.len());
        prop_assert_eq!(tables.store.now.sources.len(), at_once.store.now.sources.len());
    }
}

/// The last change of each port.
fn end_of(changes: &[Change]) -> Vec<Change> {
    let last: BTreeMap<u8, &Change> = changes.iter().map(|change| (change.0, change)).collect();
    last.into_values().cloned().collect()
}
