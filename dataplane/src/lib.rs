//! Loads, pins and attaches the eBPF programs, and writes the tables they read.
//!
//! Everything is pinned below one directory, `<bpfDir>/v<ABI_VERSION>`: programs go on
//! when their daemon ends, and the next one takes over what it finds. What should be in
//! the tables comes as plain data ([`tables::Desired`]); [`sync`] decides what to write.

pub mod devices;
mod error;
pub mod flows;
pub mod loader;
pub mod maglev;
pub mod maps;
pub mod migrate;
pub mod node;
pub mod pinned;
pub mod pins;
pub mod sockets;
pub mod store;
pub mod sync;
mod sys;
pub mod tables;

pub use error::{Error, Result};
