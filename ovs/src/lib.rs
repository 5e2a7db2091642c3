//! Open vSwitch, as far as berth needs it: an OVSDB client after RFC 7047, the bridges and ports of
//! the local switch, OpenFlow port flags, and a watch on the life of ovs-vswitchd.
//!
//! Layers, lowest first, each in its own module:
//! - [`frame`] cuts the byte stream into JSON texts, [`value`], [`row`] and [`ops`] speak OVSDB's
//!   notation, [`Client`] is one JSON-RPC connection.
//! - [`Switch`] is what the CNI plugin uses: add, find and remove a port in few round trips.
//! - [`Session`] is what the daemon uses: a replica of the switch's tables that survives restarts.
//! - [`openflow`], [`process`] and [`control`] reach ovs-vswitchd itself, past the database.
//!
//! Nothing here ever requests the `ovs_vswitchd` lock: a vswitchd that loses it destroys its bridges.
#![deny(unsafe_code)]

mod add_port;
mod answer;
pub mod bridge;
pub mod client;
mod connection;
pub mod control;
mod del_port;
mod error;
pub mod frame;
pub mod interface;
pub mod mac;
pub mod monitor;
pub mod openflow;
pub mod ops;
pub mod port;
pub mod process;
mod repair;
pub mod row;
pub mod session;
pub mod snapshot;
pub mod switch;
pub mod system;
mod tables;
pub mod value;

pub use bridge::{Bridge, Datapath, FailMode};
pub use client::Client;
pub use error::{Error, Result};
pub use interface::{Interface, InterfaceChange, InterfaceType};
pub use mac::Mac;
pub use ops::{Op, OpResult};
pub use port::{Change, ExternalIds, Port, PortChange, PortRow, PortSpec, VlanMode};
pub use process::{Vswitchd, VswitchdWatch};
pub use session::Session;
pub use snapshot::{Connection, Snapshot};
pub use switch::Switch;
pub use system::System;
pub use value::{Atom, Uuid, Value};

/// The database every Open vSwitch serves.
pub const DATABASE: &str = "Open_vSwitch";
