//! Names of maps and programs, and how much maps hold.

/// [`crate::Frontend`] → [`crate::Service`].
pub const SERVICES: &str = "SERVICES";
/// [`crate::SlotKey`] → [`crate::Backend`].
pub const SLOTS: &str = "SLOTS";
/// [`crate::MemberKey`] → u32, always 1.
pub const MEMBERS: &str = "MEMBERS";
/// [`crate::AffinityKey`] → [`crate::AffinityValue`].
pub const AFFINITY: &str = "AFFINITY";
/// [`crate::SocketKey`] → [`crate::SocketOrigin`].
pub const SOCKETS: &str = "SOCKETS";
/// [`crate::Verdict`] → u64, on each CPU.
pub const VERDICTS: &str = "VERDICTS";

/// All maps, in the order in which they are pinned.
pub const MAPS: [&str; 6] = [SERVICES, SLOTS, MEMBERS, AFFINITY, SOCKETS, VERDICTS];

/// Frontends: 10,000 Services with two ports in two families, and as much again for their
/// other addresses.
pub const SERVICES_MAX: u32 = 1 << 17;
/// Backends over all sets, old and new while they change.
pub const SLOTS_MAX: u32 = 1 << 20;
/// Backends over all sets with affinity.
pub const MEMBERS_MAX: u32 = 1 << 18;
/// Clients with affinity; the least recently used one is forgotten first.
pub const AFFINITY_MAX: u32 = 1 << 17;
/// Sockets that were given a backend; the least recently used one is forgotten first.
pub const SOCKETS_MAX: u32 = 1 << 17;

/// Programs of the socket load balancer: each is named after its hook.
pub const SOCKET_PROGRAMS: [&str; 8] = [
    "connect4",
    "connect6",
    "sendmsg4",
    "sendmsg6",
    "recvmsg4",
    "recvmsg6",
    "getpeername4",
    "getpeername6",
];
