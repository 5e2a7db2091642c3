//! What a socket asked for, where it was given something else.

use crate::Address;

/// Key of [`crate::names::SOCKETS`]: a socket, and the backend it was given.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SocketKey {
    /// The kernel's cookie of the socket: never used again while the machine runs.
    pub cookie: u64,
    /// Address of the backend.
    pub address: Address,
    /// Port of the backend.
    pub port_be: u16,
    /// IP protocol number.
    pub protocol: u8,
    /// Zero.
    pub pad: [u8; 5],
}

/// Value of [`crate::names::SOCKETS`]: what the socket asked for.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SocketOrigin {
    /// The address.
    pub address: Address,
    /// [`crate::Service::port_id`] of the Service port.
    pub port_id: u32,
    /// The port.
    pub port_be: u16,
    /// Zero.
    pub pad: u16,
}
