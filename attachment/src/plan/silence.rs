//! Telling neighbours that a pod is back.

use std::time::Duration;

use crate::action::Action;
use crate::record::Attachment;
use crate::view::{LinkView, Observed, PodState};

use super::SOON;

/// How often at least a macvlan is looked at that has no carrier although its lower has.
const LATE_CARRIER: Duration = Duration::from_secs(10);

/// Tells the neighbours of a pod that it is back, as often as that is due. A macvlan has its
/// carrier a moment after its lower.
pub fn end(record: &Attachment, state: &PodState, observed: &Observed, actions: &mut Vec<Action>) {
    let key = record.key();
    let due = match observed.memory.next_announcement(&key) {
        Some(at) if at <= observed.now => at,
        // Whoever announces sees to the next time.
        _ => return,
    };
    let carrier = |link: Option<&LinkView>| link.is_some_and(|link| link.carrier);
    if carrier(state.link(&record.ifname)) {
        actions.push(Action::Announce { key });
    } else if carrier(observed.root.links.get(&record.port_name)) {
        // One that is very late may never have it.
        let late = (observed.now - due) / 4;
        let at = observed.now + late.clamp(SOON, LATE_CARRIER);
        actions.push(Action::LookAgain { key, at });
    }
}
