//! GC: remove what belongs to this network and to no valid attachment.
//!
//! Without a list nothing is removed, with an empty one everything of the network.
//! What a record tells of goes first, then ports of the switch that have lost their
//! record, then leases.

use std::collections::BTreeMap;

use attachment::{Host, Key, Store, names};

use crate::config::{Cleanup, Valid, valid_attachments};
use crate::error::Error;
use crate::ipam_source;
use crate::request::Request;
use crate::teardown::Teardown;

/// Serves GC.
pub async fn run(request: &Request) -> Result<(), Error> {
    let cleanup = Cleanup::parse(request)?;
    let Some(valid) = valid_attachments(request)? else {
        tracing::debug!("no list of valid attachments: nothing is removed");
        return Ok(());
    };
    let host = Host::current()?;
    let store = Store::open(&cleanup.places.state_dir)?;
    let mut errors = Vec::new();
    let listing = store.list()?;
    for error in &listing.broken {
        tracing::warn!(%error, "record cannot be read, and stays");
    }
    let mut stale: Vec<Key> = listing
        .attachments
        .iter()
        .filter(|record| record.network == request.network)
        .map(attachment::Attachment::key)
        .collect();
    if cleanup.on_switch {
        match ports_of(request, &cleanup).await {
            Ok(ports) => stale.extend(ports),
            Err(error) => errors.push(error),
        }
    }
    stale.retain(|key| !is_valid(key, &valid));
    stale.sort();
    stale.dedup();
    for key in &stale {
        remove(&host, &store, &cleanup, key, &mut errors).await;
    }
    if let Some(source) = &cleanup.ipam
        && let Err(error) = ipam_source::gc(request, source, &valid)
    {
        errors.push(error);
    }
    Error::from_several(errors).map_or(Ok(()), Err)
}

fn is_valid(key: &Key, valid: &Valid) -> bool {
    valid
        .iter()
        .any(|(id, ifname)| *id == key.container_id && *ifname == key.ifname)
}

/// The attachments that have a port of this network and this state directory.
async fn ports_of(request: &Request, cleanup: &Cleanup) -> Result<Vec<Key>, Error> {
    let switch = ovs::Switch::connect(&cleanup.places.socket_file).await?;
    let rows = switch
        .ports_with_external_id(names::NETWORK_KEY, &request.network)
        .await?;
    let state_dir = cleanup.places.state_dir.display().to_string();
    let key = |ids: &BTreeMap<String, String>| {
        let is = |key: &str, value: &str| ids.get(key).is_some_and(|found| found == value);
        if !is(names::OWNER_KEY, names::OWNER) || !is(names::STATE_DIR_KEY, &state_dir) {
            return None;
        }
        let (id, ifname) = (ids.get(names::CONTAINER_KEY)?, ids.get(names::IFNAME_KEY)?);
        Some(Key::new(id, ifname))
    };
    Ok(rows
        .iter()
        .filter_map(|row| key(row.external_ids()))
        .collect())
}

/// Takes one attachment down, unless somebody is working on it this moment.
async fn remove(host: &Host, store: &Store, cleanup: &Cleanup, key: &Key, errors: &mut Vec<Error>) {
    let lock = match store.try_lock(key) {
        Ok(Some(lock)) => lock,
        Ok(None) => {
            tracing::info!(%key, "another process works on this attachment, which stays");
            return;
        }
        Err(error) => return errors.push(error.into()),
    };
    tracing::info!(%key, "removing stale attachment");
    let teardown = Teardown {
        host,
        store,
        cleanup,
        key,
        sandbox: None,
    };
    let mut own = Vec::new();
    if teardown.run(&mut own).await && own.is_empty() {
        match store.remove(key) {
            Ok(_) => lock.retire(),
            Err(error) => own.push(error.into()),
        }
    }
    errors.append(&mut own);
}
