//! The table of plans: for every strategy on every datapath, what each event of a
//! switch's life leads to.
//!
//! A row starts from a healthy attachment, changes what is there, and names the
//! actions. A row that stands for several strategies is run for each.

mod by_hand;
mod events;
mod fixture;
mod flood;
mod judgement;
mod restarts;
mod stand_ins;

use super::*;
use crate::record::Datapath;
use fixture::{Case, observed_of, record_of};

/// One row: what happened, to whom, and what follows.
struct Row {
    name: &'static str,
    cases: &'static [Case],
    change: fn(&mut World),
    expect: fn(&World) -> Vec<Action>,
}

/// What a row changes: the records and what is there.
struct World {
    records: Vec<Attachment>,
    observed: Observed,
}

impl World {
    fn healthy(case: Case) -> Self {
        let records = vec![record_of(case, 1)];
        let observed = observed_of(&records);
        Self { records, observed }
    }

    fn key(&self) -> Key {
        self.records[0].key()
    }
}

fn run(rows: &[Row]) {
    let mut names = BTreeSet::new();
    for row in rows {
        assert!(names.insert(row.name), "two rows are called {:?}", row.name);
        assert!(!row.cases.is_empty(), "{:?} runs for nobody", row.name);
        for case in row.cases {
            let mut world = World::healthy(*case);
            (row.change)(&mut world);
            let found = plan(&world.records, &world.observed);
            let expected = (row.expect)(&world);
            assert_eq!(found, expected, "{}: {case:?}", row.name);
        }
    }
}

#[test]
fn events_of_a_switchs_life() {
    let rows = events::rows();
    run(&rows);
}

#[test]
fn stand_ins_until_a_port_is_moved_in() {
    let rows = stand_ins::rows();
    run(&rows);
}

#[test]
fn flood_bits_set_and_lost_and_cleared() {
    let rows = flood::rows();
    run(&rows);
}

#[test]
fn judgement_of_what_is_whose() {
    let rows = judgement::rows();
    run(&rows);
}

#[test]
fn the_table_is_as_long_as_it_should_be() {
    let rows = [
        events::rows(),
        stand_ins::rows(),
        flood::rows(),
        judgement::rows(),
    ];
    let rows = rows.iter().map(Vec::len).sum::<usize>();
    assert!(rows >= 60, "{rows} rows");
    for strategy in Strategy::ALL {
        for datapath in [Datapath::Kernel, Datapath::Userspace] {
            let covered = events::rows().iter().any(|row| {
                row.cases.iter().any(|case| {
                    case.strategy == strategy
                        && (case.datapath == datapath || strategy == Strategy::Routed)
                })
            });
            assert!(covered, "no row for {strategy} on {datapath:?}");
        }
    }
}

#[test]
fn check_says_what_a_plan_would_repair() {
    type Change = fn(&mut World);
    let rows: [(&str, Case, Change, &[&str]); 9] = [
        ("healthy", fixture::BOND_K, |_| {}, &[]),
        (
            "gone",
            fixture::RENAME_U,
            |w| {
                let key = w.key();
                w.observed.pods.insert(key, PodView::Gone);
            },
            &["the pod's namespace is gone"],
        ),
        (
            "replaced",
            fixture::VETH_K,
            |w| {
                let key = w.key();
                w.observed.pods.insert(key, PodView::Replaced);
            },
            &["the namespace path names another namespace than at ADD"],
        ),
        (
            "a fresh port in root",
            fixture::RENAME_U,
            |w| {
                w.taps_die();
                w.fresh_in_root();
            },
            &["port NAME is in the root namespace instead of the pod"],
        ),
        (
            "a stand-in serves",
            fixture::RENAME_U,
            World::all_served,
            &[],
        ),
        (
            "dead, nothing fresh",
            fixture::RENAME_U,
            World::taps_die,
            &["eth0 in the pod is dead (no carrier)"],
        ),
        (
            "no row, no address",
            fixture::VETH_K,
            |w| {
                w.switch().ports.clear();
                w.pod().addresses.clear();
            },
            &[
                "port NAME is missing in OVSDB",
                "address 10.1.0.1/24 is missing in the pod",
            ],
        ),
        (
            "forgotten by vswitchd",
            fixture::RENAME_K,
            |w| w.row().forgotten = true,
            &["port NAME is in the pod, but ovs-vswitchd has forgotten it"],
        ),
        (
            "an empty column",
            fixture::MACVLAN_K,
            |w| w.row().mtu_request = None,
            &["port NAME has no mtu_request in OVSDB, expected 1400"],
        ),
    ];
    for (name, case, change, expected) in rows {
        let mut world = World::healthy(case);
        change(&mut world);
        let port = world.port_name();
        let found: Vec<String> = crate::drift(world.record(), &world.observed)
            .iter()
            .map(|drift| drift.to_string().replace(&port, "NAME"))
            .collect();
        assert_eq!(found, expected, "{name}");
    }
}

#[test]
fn back_off_doubles_up_to_its_limit() {
    use crate::memory::{Attempts, FIRST_DELAY, LONGEST_DELAY};
    let after = |count| {
        let attempts = Attempts {
            count,
            last: Duration::from_secs(10),
        };
        attempts.not_before() - Duration::from_secs(10)
    };
    assert_eq!(after(1), FIRST_DELAY);
    assert_eq!(after(2), FIRST_DELAY * 2);
    assert_eq!(after(5), FIRST_DELAY * 16);
    assert_eq!(after(40), LONGEST_DELAY);
    assert_eq!(Attempts::default().not_before(), Duration::ZERO);
}

#[test]
fn a_suspicion_that_is_not_confirmed_is_dropped() {
    let mut world = World::healthy(fixture::RENAME_U);
    let key = world.key();
    world.observed.pods.insert(key.clone(), PodView::Gone);
    let suspicion = Suspicion::PodGone(key.clone());
    let mut memory = crate::Memory::default();
    memory.remember(&world.records, &world.observed);
    assert_eq!(memory.suspicions.len(), 1);
    let later = world.observed.now + SECOND_LOOK;
    assert!(memory.confirmed(&suspicion, later));
    assert!(!memory.confirmed(&suspicion, later - Duration::from_millis(1)));

    // The first sight counts, not the latest.
    world.observed.now += SECOND_LOOK;
    memory.remember(&world.records, &world.observed);
    assert!(memory.confirmed(&suspicion, world.observed.now));

    let healthy = World::healthy(fixture::RENAME_U);
    memory.remember(&healthy.records, &healthy.observed);
    assert!(memory.suspicions.is_empty());
}

#[test]
fn only_provoking_and_failed_repairs_count() {
    let mut memory = crate::Memory::default();
    let now = Duration::from_secs(5);
    let kernel = record_of(fixture::RENAME_K, 1);
    let userspace = record_of(fixture::RENAME_U, 1);
    let action = Action::MoveIn { key: kernel.key() };
    memory.acted(&action, Some(&userspace), true, now);
    assert_eq!(memory.not_before(&kernel.key()), Duration::ZERO);
    memory.acted(&action, Some(&userspace), false, now);
    assert!(memory.not_before(&kernel.key()) > now);

    let mut memory = crate::Memory::default();
    memory.acted(&action, Some(&kernel), true, now);
    assert!(memory.not_before(&kernel.key()) > now);
}
