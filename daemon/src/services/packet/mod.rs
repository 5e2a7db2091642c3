//! Services for packets: which devices have programs, what those know of the node, and the table
//! of flows.

mod apply;
pub mod host_port;
mod ports;
mod records;
mod refuse;
mod scene;

pub use apply::{Families, Packets, Wanted};
pub use scene::Uplinks;
