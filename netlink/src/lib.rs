//! Links, addresses, routes, neighbours and namespaces, one file per kernel object.
//!
//! A [`Netns`] is an open handle of a network namespace; [`Netns::connect`] opens a [`Netlink`] connection whose
//! socket lives in that namespace for good, whatever thread uses it later. Every method is one request and its
//! answer, and devices are born in the namespace where they belong, because moving one costs the kernel an RCU
//! barrier (13–35 ms) and creating one costs less than a millisecond.
//!
//! A rtnetlink request is executed by the kernel inside `sendmsg`: a slow one (a deletion, a move) holds the calling
//! thread for as long as it takes, async or not.

mod addr;
mod announce;
mod bond;
mod connection;
mod error;
mod link;
mod link_change;
mod link_delete;
mod mac;
mod macvlan;
mod monitor;
mod name;
mod neigh;
mod netns;
mod netns_list;
mod offload;
mod qdisc;
mod route;
mod sock_diag;
mod sysctl;
mod tap;
mod veth;

pub use addr::{Address, AddressOptions};
pub use bond::{BondSpec, FailOverMac};
pub use connection::Netlink;
pub use error::{Error, Result};
pub use link::Link;
pub use link_change::LinkChange;
pub use mac::{MacAddr, ParseMacError};
pub use macvlan::{MacvlanMode, MacvlanSpec};
pub use monitor::{LinkEvent, LinkMonitor};
pub use name::check_name;
pub use neigh::Neighbour;
pub use netns::{Netns, NetnsId};
pub use netns_list::all_netns;
pub use route::{MAIN_TABLE, Route, SCOPE_HOST, SCOPE_LINK, SCOPE_UNIVERSE};
pub use sock_diag::{InetSocket, SockDiag};
pub use veth::{VethPair, VethPeer, VethSpec};
