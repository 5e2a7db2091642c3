//! STATUS: could the store take a lease.

use crate::error::Error;
use crate::session::Session;
use crate::store::Store;

/// Makes the store if needed, takes its lock and writes a file that is gone again.
///
/// # Errors
/// [`Error::Io`] with the path when the next ADD would fail: a full or read-only disk,
/// missing rights, a file in the place of a directory. Exhausted ranges are no error here,
/// since the node's other pods are none the worse for it.
pub fn status(store: &Store) -> Result<(), Error> {
    let mut session = Session::open_or_create(store)?;
    let probed = session.probe();
    session.finish();
    probed
}
