//! All leases of a store, for the doctor and for people.

use crate::error::Error;
use crate::lease::StoredLease;
use crate::lock::Lock;
use crate::store::Store;

/// Every lease, read from the files themselves, sorted by address. A store that does not
/// exist has none.
///
/// # Errors
/// [`Error::Io`] when the store cannot be read.
pub fn list(store: &Store) -> Result<Vec<StoredLease>, Error> {
    let Some(_lock) = Lock::acquire(store.directory())? else {
        return Ok(Vec::new());
    };
    let mut leases = store.scan()?;
    leases.sort_by_key(|lease| lease.address);
    Ok(leases)
}
