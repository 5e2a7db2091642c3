//! GC: leases of attachments that are no more are given back.

use std::collections::HashSet;

use crate::error::Error;
use crate::lease::{Holder, StoredLease};
use crate::session::Session;
use crate::store::Store;

/// Releases every lease whose holder is not among `valid`, pairs of container id and
/// interface name, and every corrupt lease file; says which. A lease of a container alone
/// stays while any interface of that container is valid.
///
/// # Errors
/// [`Error::Io`] when the store cannot be read or a lease cannot be removed; all others
/// are removed still.
pub fn garbage_collect(
    store: &Store,
    valid: &[(String, String)],
) -> Result<Vec<StoredLease>, Error> {
    let Some(mut session) = Session::open(store)? else {
        return Ok(Vec::new());
    };
    let collected = collect(&mut session, valid);
    session.finish();
    collected
}

fn collect(
    session: &mut Session<'_>,
    valid: &[(String, String)],
) -> Result<Vec<StoredLease>, Error> {
    let interfaces: HashSet<(&str, &str)> = valid
        .iter()
        .map(|(id, ifname)| (id.trim(), ifname.as_str()))
        .collect();
    let containers: HashSet<&str> = valid.iter().map(|(id, _)| id.trim()).collect();
    let mut stale = session.store().scan()?;
    stale.retain(|lease| match &lease.holder {
        Holder::Interface {
            container_id,
            ifname,
        } => !interfaces.contains(&(container_id.as_str(), ifname.as_str())),
        Holder::Container { container_id } => !containers.contains(container_id.as_str()),
        Holder::Corrupt { .. } => true,
    });
    let removed = session.remove_all(stale.iter().map(|lease| (lease.address, &lease.holder)))?;
    let removed: HashSet<_> = removed.into_iter().collect();
    stale.retain(|lease| removed.contains(&lease.address));
    Ok(stale)
}
