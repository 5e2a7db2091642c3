//! vswitchd goes and comes, and loses ports or makes them anew.

use super::events::*;
use super::fixture::*;
use super::*;

pub(super) fn rows() -> Vec<Row> {
    vec![
        row(
            "vswitchd restarted: the port kept its place",
            &[VETH_K, VETH_U, BOND_K, MACVLAN_K, MACVLAN_U],
            |w| w.row().ofport = Some(6),
            nothing,
        ),
        row(
            "vswitchd restarted: the tap in the pod is dead, a fresh one is in root",
            &[RENAME_U, BOND_U],
            |w| {
                w.taps_die();
                w.fresh_in_root();
            },
            |w| all(w, move_in),
        ),
        row(
            "vswitchd restarted or reconfigured: the renamed port was replaced",
            &[RENAME_K],
            |w| {
                w.lose_pod_link("eth0");
                w.fresh_in_root();
            },
            |w| all(w, move_in),
        ),
        row(
            "three renamed ports were replaced",
            &[RENAME_K],
            |w| {
                w.more(2);
                for view in w.observed.pods.values_mut() {
                    *view = PodView::Alive(PodState::default());
                }
                w.all_fresh_in_root();
            },
            |w| all(w, move_in),
        ),
        row(
            "three slaves are dead",
            &[BOND_U],
            |w| {
                w.more(2);
                w.taps_die();
                w.all_fresh_in_root();
            },
            |w| all(w, move_in),
        ),
        row(
            "kmod reload: the slave is gone, a fresh port is in root",
            BONDS,
            |w| {
                let name = w.port_name();
                w.lose_pod_link(&name);
                w.fresh_in_root();
            },
            |w| all(w, move_in),
        ),
        row(
            "kmod reload: the macvlan went with its lower, a fresh one is in root",
            MACVLANS,
            |w| {
                w.lose_pod_link("eth0");
                w.fresh_in_root();
            },
            |w| all(w, rebuild),
        ),
        row(
            "kmod reload: no lower yet",
            MACVLANS,
            |w| {
                w.lose_pod_link("eth0");
                w.observed.root.links.clear();
            },
            |w| look_again(w, SECOND_LOOK),
        ),
        row(
            "the macvlan lies over a lower that is no more",
            MACVLANS,
            |w| w.fresh_in_root(),
            |w| all(w, rebuild),
        ),
        row(
            "a restart in the middle of a move: moved but not renamed",
            &[RENAME_K, RENAME_U],
            |w| {
                let name = w.port_name();
                w.eth0().name = name;
            },
            |w| all(w, move_in),
        ),
        row(
            "a restart in the middle of a move: put aside, not yet moved",
            &[RENAME_U],
            |w| {
                let key = w.key();
                w.eth0().name = names::aside_name(&key.container_id, &key.ifname);
                w.fresh_in_root();
            },
            |w| {
                let mut expected = all(w, move_in);
                expected.push(Action::SweepAside { keys: keys(w) });
                expected
            },
        ),
        row(
            "vswitchd is between two devices",
            &[RENAME_K, RENAME_U, BOND_K, BOND_U],
            |w| w.fresh_in_root(),
            |w| look_again(w, SOON),
        ),
        row(
            "vswitchd stays between two devices",
            &[RENAME_K, RENAME_U, BOND_K, BOND_U],
            |w| {
                w.fresh_in_root();
                let key = w.key();
                w.seen_before(Suspicion::PortTwice(key));
            },
            |w| all(w, move_in),
        ),
        row(
            "vswitchd has forgotten a port whose device lives: first look",
            &[RENAME_K],
            |w| w.row().forgotten = true,
            |w| look_again(w, SECOND_LOOK),
        ),
        row(
            "vswitchd has forgotten a port whose device lives: second look",
            &[RENAME_K],
            |w| {
                w.row().forgotten = true;
                let key = w.key();
                w.seen_before(Suspicion::PortForgotten(key));
            },
            |w| all(w, move_in),
        ),
        row(
            "vswitchd says that it holds the fresh one",
            &[RENAME_K, RENAME_U, BOND_K, BOND_U],
            |w| {
                w.fresh_in_root();
                w.row().ifindex = Some(i64::from(FRESH_INDEX));
            },
            |w| all(w, move_in),
        ),
        row(
            "dead, and vswitchd has not made a fresh one yet",
            &[RENAME_U, BOND_U],
            |w| w.taps_die(),
            |w| look_again(w, SECOND_LOOK),
        ),
        row(
            "dead, and vswitchd makes no fresh one",
            &[RENAME_U, BOND_U],
            |w| {
                w.taps_die();
                let key = w.key();
                w.seen_before(Suspicion::PortLost(key));
            },
            |w| all(w, |key| Action::RecreatePort { key }),
        ),
        row(
            "a dead tap that the pod has set down tells nothing",
            &[RENAME_U],
            |w| {
                w.taps_die();
                w.eth0().up = false;
            },
            |w| {
                vec![Action::RestorePod {
                    key: w.key(),
                    drift: vec![Drift::PodLinkDown("eth0".to_owned())],
                }]
            },
        ),
        row(
            "put back a moment ago and lost again",
            &[RENAME_K],
            |w| {
                w.lose_pod_link("eth0");
                w.fresh_in_root();
                let attempts = crate::memory::Attempts {
                    count: 4,
                    last: w.observed.now,
                };
                let key = w.key();
                w.observed.memory.attempts.insert(key, attempts);
            },
            |w| look_again(w, Duration::from_millis(800)),
        ),
        row(
            "lost again, and the back-off is over",
            &[RENAME_K],
            |w| {
                w.lose_pod_link("eth0");
                w.fresh_in_root();
                let attempts = crate::memory::Attempts {
                    count: 4,
                    last: w.observed.now - Duration::from_millis(800),
                };
                let key = w.key();
                w.observed.memory.attempts.insert(key, attempts);
            },
            |w| all(w, move_in),
        ),
        row(
            "a repair failed a moment ago",
            &[RENAME_U, BOND_U],
            |w| {
                w.taps_die();
                w.fresh_in_root();
                let attempts = crate::memory::Attempts {
                    count: 1,
                    last: w.observed.now,
                };
                let key = w.key();
                w.observed.memory.attempts.insert(key, attempts);
            },
            |w| look_again(w, crate::memory::FIRST_DELAY),
        ),
        row(
            "lost while flow-restore-wait is set",
            &[RENAME_U],
            |w| {
                w.switch().flow_restore_wait = true;
                w.taps_die();
                w.fresh_in_root();
            },
            |w| {
                let mut expected = all(w, move_in);
                expected.extend(reported(w, Drift::FlowRestoreWait));
                expected
            },
        ),
    ]
}
