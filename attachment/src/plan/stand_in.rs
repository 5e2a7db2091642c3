//! When many renamed ports are lost at once: stand-ins first, real moves in peace.
//!
//! A restart of a userspace vswitchd kills the tap of every pod. Moving a fresh one in
//! costs an RCU barrier (16 ms at best), one after the other, so the last of a hundred
//! pods waits for seconds. A macvlan over the tap costs 2 ms at best, and both can be
//! put in place while vswitchd is still away, as it opens a tap of the right name where
//! it finds one; all that is left to do after its return is to tell the neighbours.
//!
//! Measured on two cores that were busy otherwise, median of three interleaved runs,
//! from vswitchd's return to the last pod's: 20 pods 734 ms by moves, 443 ms by
//! stand-ins, 202 ms prepared; 100 pods 6.1 s, 5.4 s, 1.4 s. (vswitchd reconfigures at
//! every change to a device of its namespace, which is what stand-ins after its return
//! mostly wait for.) The price is that each pod is disturbed a second time, for about
//! the length of one move, when the tap itself takes its place; so that is done for one
//! pod at a time, and not at all for a few.

use std::time::Duration;

use crate::action::Action;
use crate::view::Observed;

use super::Draft;

/// From how many lost ports on stand-ins are worth the second disturbance.
pub const STAND_IN_FROM: usize = 3;

/// Pause between two pods whose stand-ins are replaced: the kernel's lock on all
/// devices is held during a move, and ADDs shall get their turns.
pub const SWAP_PAUSE: Duration = Duration::from_millis(500);

/// Completes a draft by what depends on how many attachments are in the same plight.
pub(super) fn decide(draft: Draft, observed: &Observed) -> Vec<Action> {
    let Draft {
        mut actions,
        aside,
        lost,
        dead,
        served,
    } = draft;
    let urgent = !lost.is_empty() || !dead.is_empty();
    if lost.len() + dead.len() >= STAND_IN_FROM {
        let all = lost.into_iter().chain(dead);
        actions.extend(all.map(|key| Action::StandIn { key }));
    } else {
        actions.extend(lost.into_iter().map(|key| Action::MoveIn { key }));
    }
    let ready = observed
        .memory
        .last_move
        .map_or(Duration::ZERO, |last| last + SWAP_PAUSE);
    let now = observed.now;
    // One after the other, each at a time of its own: a daemon that looks at single
    // attachments then looks at each of them once.
    let mut at = now.max(ready);
    if urgent {
        at = at.max(now + SWAP_PAUSE);
    }
    for key in served {
        let due = observed.memory.next_announcement(&key);
        if due.is_some_and(|at| at <= now) {
            actions.push(Action::Announce { key: key.clone() });
        }
        if at <= now {
            actions.push(Action::MoveIn { key });
        } else {
            actions.push(Action::LookAgain { key, at });
        }
        at += SWAP_PAUSE;
    }
    if !aside.is_empty() {
        actions.push(Action::SweepAside { keys: aside });
    }
    actions
}
