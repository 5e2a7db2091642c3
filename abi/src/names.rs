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

/// [`crate::FlowKey`] → [`crate::Flow`].
pub const FLOWS: &str = "FLOWS";
/// [`crate::FragmentKey`] → [`crate::FragmentPorts`].
pub const FRAGMENTS: &str = "FRAGMENTS";
/// [`crate::MaglevKey`] → [`crate::MaglevPart`].
pub const MAGLEV: &str = "MAGLEV";
/// 0 → [`crate::Node`].
pub const NODE: &str = "NODE";
/// Index of a device → [`crate::DeviceAddresses`].
pub const DEVICES: &str = "DEVICES";
/// [`crate::Address`] → [`crate::Pod`].
pub const PODS: &str = "PODS";
/// [`crate::Network`] → u32, always 1.
pub const CLUSTER: &str = "CLUSTER";
/// [`crate::SourceRange`] → u32, always 1.
pub const SOURCES: &str = "SOURCES";

/// All maps, in the order in which they are pinned.
pub const MAPS: [&str; 14] = [
    SERVICES, SLOTS, MEMBERS, AFFINITY, SOCKETS, VERDICTS, FLOWS, FRAGMENTS, MAGLEV, NODE, DEVICES,
    PODS, CLUSTER, SOURCES,
];

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

/// Entries of flows, two for each: what is not there any more is removed by the daemon, and never
/// one for the sake of another.
pub const FLOWS_MAX: u32 = 1 << 19;
/// Packets in fragments; the least recently used one is forgotten first.
pub const FRAGMENTS_MAX: u32 = 1 << 14;
/// Parts of Maglev tables.
pub const MAGLEV_MAX: u32 = 1 << 17;
/// Devices.
pub const DEVICES_MAX: u32 = 1 << 12;
/// Pods of this node, by address.
pub const PODS_MAX: u32 = 1 << 12;
/// Networks of pods.
pub const CLUSTER_MAX: u32 = 256;
/// Networks that may use load balancer addresses, over all Service ports.
pub const SOURCES_MAX: u32 = 1 << 16;

/// Programs for packets on a device: each is named after where they come from or go to.
pub const PACKET_PROGRAMS: [&str; 3] = ["from_pod", "from_outside", "to_device"];
/// The program for packets from outside before the kernel makes buffers of them.
pub const XDP_PROGRAM: &str = "xdp_outside";

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
