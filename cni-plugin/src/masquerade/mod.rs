//! `ipMasq`: traffic that leaves the pod network takes the node's address.
//!
//! One nftables table, `inet berth`, has a verdict map from pod address to the
//! chain of the pod's subnet, so that a packet costs one look-up however many
//! pods there are. Each element carries the name of its attachment's port as
//! comment: DEL finds it without a record. The rules are written by `nft`, one
//! transaction a request.

mod nft;
mod script;

use std::path::Path;

use attachment::record::Masquerade;

use crate::error::Error;
use nft::Nft;

/// Checks, before anything is changed, that rules could be written.
pub fn ensure_available() -> Result<(), Error> {
    Nft::find().map(|_| ())
}

/// Adds what masquerades `elements`, owned by the attachment of `port_name`.
pub fn add(state_dir: &Path, port_name: &str, elements: &[Masquerade]) -> Result<(), Error> {
    if elements.is_empty() {
        return Ok(());
    }
    let nft = Nft::find()?;
    let _lock = nft::lock(state_dir)?;
    let script = script::add(port_name, elements);
    let Err(first) = nft.apply(&script) else {
        return Ok(());
    };
    // A former owner of the address may have left it in another subnet's chain,
    // which `add` cannot replace.
    let Some(table) = nft.list(script::TABLE)? else {
        return Err(first);
    };
    let stale = script::remove(&table, |comment, address| {
        comment == port_name
            || elements
                .iter()
                .any(|one| one.address.to_string() == address)
    });
    match stale {
        Some(stale) => nft.apply(&format!("{stale}{script}")),
        None => Err(first),
    }
}

/// Removes all that the attachment of `port_name` has, and what only it used.
pub fn remove(state_dir: &Path, port_name: &str) -> Result<(), Error> {
    let nft = Nft::find()?;
    let _lock = nft::lock(state_dir)?;
    let Some(table) = nft.list(script::TABLE)? else {
        return Ok(());
    };
    match script::remove(&table, |comment, _| comment == port_name) {
        Some(script) => nft.apply(&script),
        None => Ok(()),
    }
}

/// Whether all of `elements` are there, owned by the attachment of `port_name`.
pub fn is_present(port_name: &str, elements: &[Masquerade]) -> Result<bool, Error> {
    let Some(table) = Nft::find()?.list(script::TABLE)? else {
        return Ok(elements.is_empty());
    };
    let found = script::elements(&table);
    Ok(elements.iter().all(|wanted| {
        found.iter().any(|one| {
            one.comment == port_name
                && one.address == wanted.address.to_string()
                && one.chain == script::chain_of(wanted)
        })
    }))
}
