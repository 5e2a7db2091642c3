//! NO_FLOOD: what vswitchd forgets is set again, what a hand did is learnt.

use std::path::Path;

use super::events::{all, nothing, row};
use super::fixture::*;
use super::*;
use crate::flood::{Flood, Life};

/// The bit as the record has it, as the port has it now, in this run of vswitchd.
fn bits(world: &mut World, record: bool, off: bool, run: u64) {
    world.records[0].port.switch_mut().unwrap().no_flood = record;
    let life = life(run);
    world.row().no_flood = Some(Flood { off, life });
}

/// An earlier look saw the bit set, in this run of vswitchd.
fn seen_set(world: &mut World, run: u64) {
    let key = world.key();
    world.observed.memory.no_flood.insert(key, life(run));
}

fn life(run: u64) -> Life {
    Life {
        socket: (run, 0, 0),
        row: None,
    }
}

fn set_again(world: &World) -> Vec<Action> {
    let switch = world.observed.switches[Path::new(SOCKET)].state().unwrap();
    let flood = switch.ports[&world.port_name()].no_flood.as_ref().unwrap();
    vec![Action::SetNoFlood {
        key: world.key(),
        life: flood.life.clone(),
    }]
}

fn learn_set(world: &World) -> Vec<Action> {
    all(world, |key| Action::LearnNoFlood { key, off: true })
}

fn learn_cleared(world: &World) -> Vec<Action> {
    all(world, |key| Action::LearnNoFlood { key, off: false })
}

pub(super) fn rows() -> Vec<Row> {
    vec![
        row(
            "NO_FLOOD was lost with vswitchd",
            SWITCHED,
            |w| {
                bits(w, true, false, 2);
                seen_set(w, 1);
            },
            set_again,
        ),
        row(
            "NO_FLOOD was lost with a port that vswitchd has made anew",
            &[RENAME_K],
            |w| {
                bits(w, true, false, 1);
                seen_set(w, 1);
                w.pod().links.clear();
                w.fresh_in_root();
            },
            |w| all(w, |key| Action::MoveIn { key }),
        ),
        row(
            "NO_FLOOD is not set and was never seen",
            SWITCHED,
            |w| bits(w, true, false, 1),
            set_again,
        ),
        row(
            "NO_FLOOD was lost with the row",
            SWITCHED,
            |w| {
                bits(w, true, false, 1);
                seen_set(w, 1);
                w.row().no_flood.as_mut().unwrap().life.row = Some(ovs::Uuid(7));
            },
            set_again,
        ),
        row(
            "NO_FLOOD was cleared by hand",
            SWITCHED,
            |w| {
                bits(w, true, false, 1);
                seen_set(w, 1);
            },
            learn_cleared,
        ),
        row(
            "NO_FLOOD was set by hand",
            SWITCHED,
            |w| bits(w, false, true, 1),
            learn_set,
        ),
        row(
            "NO_FLOOD is set as recorded",
            SWITCHED,
            |w| {
                bits(w, true, true, 1);
                seen_set(w, 1);
            },
            nothing,
        ),
        row(
            "NO_FLOOD is set neither here nor there",
            SWITCHED,
            |w| bits(w, false, false, 1),
            nothing,
        ),
        row(
            "NO_FLOOD could not be asked for",
            SWITCHED,
            |w| w.records[0].port.switch_mut().unwrap().no_flood = true,
            nothing,
        ),
    ]
}

#[test]
fn a_bit_we_set_ourselves_can_be_cleared_before_the_next_look() {
    let mut world = World::healthy(VETH_U);
    bits(&mut world, true, false, 1);
    let actions = plan(&world.records, &world.observed);
    let mut memory = crate::Memory::default();
    memory.acted(&actions[0], world.records.first(), true, NOW);
    world.observed.memory = memory;
    assert_eq!(plan(&world.records, &world.observed), learn_cleared(&world));
}

#[test]
fn a_bit_that_went_with_a_forgotten_port_was_not_cleared() {
    let mut world = World::healthy(RENAME_K);
    let mut memory = crate::Memory::default();
    bits(&mut world, true, true, 1);
    memory.remember(&world.records, &world.observed);
    assert_eq!(memory.no_flood.len(), 1);
    world.row().no_flood = None;
    memory.remember(&world.records, &world.observed);
    assert_eq!(memory.no_flood.len(), 1, "not asked for");
    world.row().forgotten = true;
    memory.remember(&world.records, &world.observed);
    assert!(memory.no_flood.is_empty());
}
