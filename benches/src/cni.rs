//! The measurements of `bench-cni`, one a file.

mod bare_port;
pub mod burst;
pub mod daemon_memory;
pub mod footprint;
pub mod leases;
pub mod outage;
pub mod serial;
