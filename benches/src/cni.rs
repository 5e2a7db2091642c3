//! The measurements of `bench-cni`, one a file.

pub mod burst;
pub mod footprint;
pub mod leases;
pub mod serial;
