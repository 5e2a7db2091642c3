//! CHECK: everything in which what is there differs from one record.

use crate::drift::Drift;
use crate::error::Result;
use crate::host::Host;
use crate::observe::{Look, look_at_switch, observe};
use crate::plan;
use crate::record::{Attachment, Phase};
use crate::view::Observed;

/// Looks at one attachment and tells what is wrong with it; empty if nothing is.
///
/// # Errors
/// If the root namespace cannot be looked at.
pub async fn check(host: &Host, record: &Attachment) -> Result<Vec<Drift>> {
    let records = std::slice::from_ref(record);
    let mut look = Look::default();
    if let Some(port) = record.port.switch() {
        let view = look_at_switch(&port.socket, records).await;
        look.switches.insert(port.socket.clone(), view);
    }
    let observed = observe(host, records, look).await?;
    Ok(drift(record, &observed))
}

/// The same for a look that was already taken: pure. A record whose ADD or DEL is under
/// way has no drift.
pub fn drift(record: &Attachment, observed: &Observed) -> Vec<Drift> {
    if record.phase != Phase::Ready {
        return Vec::new();
    }
    plan::drift_of(record, observed)
}
