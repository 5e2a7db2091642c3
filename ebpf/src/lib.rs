//! The kernel's side of the dataplane.
//!
//! This library is pure logic without maps or helpers, tested on the host; `main.rs` and
//! what it includes are the programs around it, built for the BPF target alone.
#![no_std]

pub mod choice;
