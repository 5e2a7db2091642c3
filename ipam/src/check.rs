//! CHECK: does an interface still hold its leases.

use std::net::IpAddr;

use crate::error::Error;
use crate::lease::Holder;
use crate::session::Session;
use crate::store::Store;

/// The addresses that an interface holds, at least one. Also finds a lease of the
/// container alone, as old versions of host-local wrote it.
///
/// # Errors
/// [`Error::NotAllocated`] when there is none, [`Error::Io`] when the store cannot be read.
pub fn check(store: &Store, container_id: &str, ifname: &str) -> Result<Vec<IpAddr>, Error> {
    let holder = Holder::interface(container_id, ifname)?;
    let mut held = Vec::new();
    if let Some(mut session) = Session::open(store)? {
        held = session.find(&holder)?;
        if held.is_empty() {
            held = session.find(&Holder::container(container_id))?;
        }
        session.finish();
    }
    if held.is_empty() {
        let path = store.directory().to_owned();
        return Err(Error::NotAllocated {
            container_id: container_id.to_owned(),
            ifname: ifname.to_owned(),
            path,
        });
    }
    Ok(held)
}
