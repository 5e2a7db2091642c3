//! Which backend a client was given last (`sessionAffinity: ClientIP`).

use crate::{Address, Backend};

/// Key of [`crate::names::AFFINITY`].
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AffinityKey {
    /// The client: its address, or for a socket that has none yet its network namespace, as
    /// made by [`AffinityKey::of_namespace`].
    pub client: Address,
    /// [`crate::Service::port_id`].
    pub port_id: u32,
    /// Zero.
    pub pad: u32,
}

impl AffinityKey {
    /// A client that is known by the cookie of its namespace, as all sockets in a pod have
    /// the same address. The words are an address that nobody has (`ffff::`).
    #[inline(always)]
    pub const fn of_namespace(cookie: u64, port_id: u32) -> Self {
        Self {
            client: Address([u32::MAX, 0, (cookie >> 32) as u32, cookie as u32]),
            port_id,
            pad: 0,
        }
    }
}

/// Value of [`crate::names::AFFINITY`].
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AffinityValue {
    /// When the client last made a connection, in nanoseconds since boot.
    pub last_ns: u64,
    /// Its backend.
    pub backend: Backend,
    /// Zero.
    pub pad: u32,
}
