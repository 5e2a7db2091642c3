//! Restarts on the userspace datapath: stand-ins that bridge them until the port itself is moved in, and macvlans
//! whose neighbours must be told that they are back.

use super::events::*;
use super::fixture::*;
use super::*;
use crate::memory::{ANNOUNCE_AGAIN, Unannounced};

pub(super) fn rows() -> Vec<Row> {
    const RENAMED: &[Case] = &[RENAME_U];
    vec![
        row(
            "two taps are dead, two fresh ones in root",
            RENAMED,
            |w| {
                w.more(1);
                w.taps_die();
                w.all_fresh_in_root();
            },
            |w| all(w, move_in),
        ),
        row(
            "three taps are dead, three fresh ones in root",
            RENAMED,
            |w| {
                w.more(2);
                w.taps_die();
                w.all_fresh_in_root();
            },
            |w| all(w, stand_in),
        ),
        row(
            "vswitchd is dead with three pods",
            RENAMED,
            |w| {
                w.more(2);
                w.taps_die();
                w.switch().vswitchd_alive = false;
            },
            |w| {
                let mut expected = all(w, stand_in);
                expected.extend(reports(w, Drift::VswitchdDead));
                expected
            },
        ),
        row(
            "vswitchd is dead with two pods",
            RENAMED,
            |w| {
                w.more(1);
                w.taps_die();
                w.switch().vswitchd_alive = false;
            },
            |w| reports(w, Drift::VswitchdDead),
        ),
        row(
            "OVSDB is away and three taps are dead",
            RENAMED,
            |w| {
                w.more(2);
                w.taps_die();
                away(w);
            },
            |w| {
                let mut expected = all(w, stand_in);
                expected.extend(reports(w, switch_away()));
                expected
            },
        ),
        row(
            "vswitchd is dead with three pods on a kernel datapath",
            &[RENAME_K, BOND_K, MACVLAN_K, VETH_K],
            |w| {
                w.more(2);
                w.switch().vswitchd_alive = false;
            },
            |w| reports(w, Drift::VswitchdDead),
        ),
        row(
            "a stand-in was cut short while vswitchd was dead",
            RENAMED,
            |w| {
                w.more(2);
                w.taps_die();
                w.switch().vswitchd_alive = false;
                let key = w.key();
                w.eth0().name = names::aside_name(&key.container_id, &key.ifname);
            },
            |w| {
                // Its key comes last, as it is told by what lies aside.
                let mut expected = all(w, stand_in);
                expected.push(Action::SweepAside {
                    keys: vec![w.key()],
                });
                expected.extend(reports(w, Drift::VswitchdDead));
                expected
            },
        ),
        row(
            "stand-ins serve: one is replaced, the others wait",
            RENAMED,
            |w| {
                w.more(2);
                w.all_served();
            },
            |w| {
                let mut expected = swaps(w, w.observed.now);
                expected[0] = move_in(w.key());
                expected
            },
        ),
        row(
            "stand-ins serve: one was replaced a moment ago",
            RENAMED,
            |w| {
                w.more(1);
                w.all_served();
                w.observed.memory.last_move = Some(w.observed.now);
            },
            |w| swaps(w, w.observed.now + SWAP_PAUSE),
        ),
        row(
            "stand-ins serve, and the neighbours were not told",
            RENAMED,
            |w| {
                w.all_served();
                unannounced(w);
            },
            |w| {
                vec![
                    Action::Announce { key: w.key() },
                    Action::MoveIn { key: w.key() },
                ]
            },
        ),
        row(
            "stand-ins serve, but another pod has no traffic",
            RENAMED,
            |w| {
                w.more(1);
                w.all_served();
                w.lose_pod_link("eth0");
            },
            |w| {
                let keys = keys(w);
                vec![
                    move_in(keys[0].clone()),
                    Action::LookAgain {
                        key: keys[1].clone(),
                        at: w.observed.now + SWAP_PAUSE,
                    },
                ]
            },
        ),
        row(
            "vswitchd is back but has not opened the tap below the stand-in",
            RENAMED,
            |w| {
                w.all_served();
                w.host_link().carrier = false;
            },
            |w| look_again(w, SECOND_LOOK),
        ),
        row(
            "vswitchd does not open the tap below the stand-in",
            RENAMED,
            |w| {
                w.all_served();
                w.host_link().carrier = false;
                let key = w.key();
                w.seen_before(Suspicion::PortLost(key));
            },
            |w| all(w, |key| Action::RecreatePort { key }),
        ),
        row(
            "vswitchd died again under stand-ins",
            RENAMED,
            |w| {
                w.more(2);
                w.all_served();
                w.switch().vswitchd_alive = false;
            },
            |w| reports(w, Drift::VswitchdDead),
        ),
        row(
            "a macvlan has its carrier back",
            MACVLANS,
            unannounced,
            |w| all(w, |key| Action::Announce { key }),
        ),
        row(
            "the lower has its carrier back, the macvlan not yet",
            MACVLANS,
            |w| {
                unannounced(w);
                w.eth0().carrier = false;
                w.host_link().carrier = true;
            },
            |w| look_again(w, SOON),
        ),
        row(
            "neither has its carrier back",
            MACVLANS,
            |w| {
                unannounced(w);
                w.eth0().carrier = false;
                w.host_link().carrier = false;
            },
            nothing,
        ),
        row(
            "a macvlan without carrier while vswitchd is dead",
            MACVLANS,
            |w| {
                unannounced(w);
                w.switch().vswitchd_alive = false;
                w.eth0().carrier = false;
            },
            |w| reported(w, Drift::VswitchdDead),
        ),
    ]
}

/// An earlier look found the pod without carrier.
fn unannounced(world: &mut World) {
    let key = world.key();
    let due = Unannounced { made: 0, at: NOW };
    world.observed.memory.unannounced.insert(key, due);
}

#[test]
fn a_macvlan_without_carrier_is_remembered_until_it_was_announced() {
    let mut world = World::healthy(MACVLAN_U);
    let mut memory = crate::Memory::default();
    memory.mark_silent(&world.records, &world.observed);
    assert!(memory.unannounced.is_empty(), "it has its carrier");
    world.eth0().carrier = false;
    memory.mark_silent(&world.records, &world.observed);
    world.eth0().carrier = true;
    memory.remember(&world.records, &world.observed);
    let key = world.key();
    let announce = Action::Announce { key: key.clone() };
    let mut at = NOW;
    for pause in ANNOUNCE_AGAIN {
        assert_eq!(memory.next_announcement(&key), Some(at));
        memory.acted(&announce, world.records.first(), true, at);
        at += pause;
        world.observed.memory = memory.clone();
        assert_eq!(plan(&world.records, &world.observed), [], "not yet");
    }
    memory.acted(&announce, world.records.first(), true, at);
    assert!(memory.unannounced.is_empty());
}

#[test]
fn a_macvlan_that_never_gets_its_carrier_is_looked_at_ever_less() {
    let mut world = World::healthy(MACVLAN_U);
    world.eth0().carrier = false;
    let mut memory = crate::Memory::default();
    memory.mark_silent(&world.records, &world.observed);
    let mut pauses = Vec::new();
    for seconds in [0, 4, 3600] {
        world.observed.now = NOW + Duration::from_secs(seconds);
        memory.mark_silent(&world.records, &world.observed);
        world.observed.memory = memory.clone();
        let actions = plan(&world.records, &world.observed);
        let [Action::LookAgain { at, .. }] = actions[..] else {
            panic!("{actions:?}");
        };
        pauses.push(at - world.observed.now);
    }
    assert_eq!(
        pauses,
        [SOON, Duration::from_secs(1), Duration::from_secs(10)]
    );
}

#[test]
fn a_suspicion_of_two_devices_is_remembered_while_both_are_there() {
    let mut world = World::healthy(RENAME_K);
    let mut memory = crate::Memory::default();
    memory.remember(&world.records, &world.observed);
    assert!(memory.suspicions.is_empty());
    world.fresh_in_root();
    memory.remember(&world.records, &world.observed);
    let twice = Suspicion::PortTwice(world.key());
    assert!(!memory.confirmed(&twice, world.observed.now));
    assert!(memory.confirmed(&twice, world.observed.now + SECOND_LOOK));
}

#[test]
fn a_port_moved_in_is_announced_again() {
    let world = World::healthy(RENAME_U);
    let mut memory = crate::Memory::default();
    let action = Action::MoveIn { key: world.key() };
    memory.acted(&action, world.records.first(), true, NOW);
    let next = memory.next_announcement(&world.key());
    assert_eq!(next, Some(NOW + ANNOUNCE_AGAIN[0]));
    let routed = World::healthy(ROUTED);
    let mut memory = crate::Memory::default();
    let action = Action::Rebuild { key: routed.key() };
    memory.acted(&action, routed.records.first(), true, NOW);
    assert_eq!(memory.next_announcement(&routed.key()), None, "nobody asks");
}
