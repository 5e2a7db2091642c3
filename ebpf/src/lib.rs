//! The kernel's side of the dataplane.
//!
//! This library is pure logic without maps or helpers, tested on the host; `main.rs` and
//! what it includes are the programs around it, built for the BPF target alone.
#![no_std]

#[cfg(test)]
extern crate std;

#[cfg(test)]
mod arbitrary;
pub mod checksum;
pub mod choice;
pub mod frame;
pub mod hash;
pub mod headers;
pub mod icmp;
pub mod ports;
pub mod rewrite;
