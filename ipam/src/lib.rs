//! Addresses for pods: host-local's configuration, arguments and store on disk, kept
//! byte for byte, so that a node can change over to berth in place, and back.
//!
//! Nothing here knows netlink or async. [`Config::parse`] and everything it returns is
//! pure; the verbs ([`allocate`], [`release`], [`check`], [`garbage_collect`], [`list`],
//! [`status`]) each take the store's lock, act, and give it back. Upstream's host-local
//! may work in the same directory at any time: both obey the same lock and the same files,
//! and the index that keeps ADD fast (see `index`) notices what the other one did.

#![forbid(unsafe_code)]

mod address;
mod allocate;
mod args;
mod check;
mod config;
mod config_error;
mod cursor;
mod disk;
mod dns;
mod error;
mod gc;
mod index;
mod json;
mod lease;
mod list;
mod lock;
mod range;
mod range_set;
mod release;
mod route;
mod session;
mod status;
mod store;

pub use allocate::{Allocation, Lease, allocate};
pub use check::check;
pub use config::{Config, DEFAULT_DATA_DIR};
pub use config_error::ConfigError;
pub use dns::Dns;
pub use error::Error;
pub use gc::garbage_collect;
pub use lease::{Holder, StoredLease};
pub use list::list;
pub use range::{Range, RangeError};
pub use range_set::RangeSet;
pub use release::release;
pub use route::Route;
pub use status::status;
pub use store::Store;

#[cfg(test)]
mod tests;
