//! DEL: an interface's leases are given back.

use std::net::IpAddr;

use crate::error::Error;
use crate::lease::Holder;
use crate::session::Session;
use crate::store::Store;

/// Releases all leases of an interface and says which. None at all is no error, nor is a
/// store that does not exist (and that is not made).
///
/// A lease of the container alone, as host-local before 0.7 wrote it, is released when
/// there is none of the interface.
///
/// # Errors
/// [`Error::Io`] when a lease cannot be removed; all others are removed still.
pub fn release(store: &Store, container_id: &str, ifname: &str) -> Result<Vec<IpAddr>, Error> {
    let holder = Holder::interface(container_id, ifname)?;
    let Some(mut session) = Session::open(store)? else {
        return Ok(Vec::new());
    };
    let released = release_one_of(&mut session, &[holder, Holder::container(container_id)]);
    session.finish();
    released
}

fn release_one_of(session: &mut Session<'_>, holders: &[Holder]) -> Result<Vec<IpAddr>, Error> {
    for holder in holders {
        let held = session.find(holder)?;
        if !held.is_empty() {
            return session.remove_all(held.into_iter().map(|address| (address, holder)));
        }
    }
    Ok(Vec::new())
}
