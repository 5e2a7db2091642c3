//! DEL: take down whatever there is, as often as asked, with as little as is known.
//!
//! A missing namespace, record, `prevResult` or `ipam` is no error. Addresses are
//! given back after the devices that carry them are gone.

use attachment::{Host, Key, Store, StoreError};

use super::LOCK_LIMIT;
use crate::config::Cleanup;
use crate::error::Error;
use crate::ipam_source;
use crate::request::Request;
use crate::sandbox;
use crate::teardown::Teardown;

/// Serves DEL.
pub async fn run(request: &Request) -> Result<(), Error> {
    let cleanup = Cleanup::parse(request)?;
    let sandbox = sandbox::open_if_there(request)?;
    let host = Host::current()?;
    let key = Key::new(&request.container_id, &request.ifname);
    let mut errors = Vec::new();
    let store = Store::at(&cleanup.places.state_dir);
    let lock = match Store::open(&cleanup.places.state_dir) {
        Ok(store) => Some(store.lock(&key, LOCK_LIMIT).await?),
        Err(error) => {
            errors.push(error.into());
            None
        }
    };
    let teardown = Teardown {
        host: &host,
        store: &store,
        cleanup: &cleanup,
        key: &key,
        sandbox: sandbox.as_ref(),
    };
    let is_clean = teardown.run(&mut errors).await;
    if let Some(source) = &cleanup.ipam
        && let Err(error) = ipam_source::del(request, source)
    {
        errors.push(error);
    }
    if is_clean && errors.is_empty() {
        match store.remove(&key) {
            // The file name is shared with another attachment, whose record it is.
            Ok(_) | Err(StoreError::Foreign { .. }) => {}
            Err(error) => errors.push(error.into()),
        }
        if let Some(lock) = lock {
            lock.retire();
        }
    }
    Error::from_several(errors).map_or(Ok(()), Err)
}
