//! How a program ended: each exit is one of these, and is counted.

/// Index into [`crate::names::VERDICTS`].
#[repr(u32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verdict {
    /// connect: not a Service.
    ConnectOther = 0,
    /// connect: sent to a backend.
    ConnectBackend = 1,
    /// connect: refused, no backend.
    ConnectRejected = 2,
    /// connect: left to the packet path, which drops it.
    ConnectDropped = 3,
    /// sendmsg: not a Service.
    SendOther = 4,
    /// sendmsg: sent to a backend.
    SendBackend = 5,
    /// sendmsg: refused, no backend.
    SendRejected = 6,
    /// sendmsg: left to the packet path, which drops it.
    SendDropped = 7,
    /// recvmsg: not from a backend.
    ReceiveOther = 8,
    /// recvmsg: the sender shown as the Service.
    ReceiveService = 9,
    /// getpeername: not a backend.
    PeerOther = 10,
    /// getpeername: the peer shown as the Service.
    PeerService = 11,
    /// The entry of a backend is missing: never, if userspace keeps its order.
    BackendMissing = 12,
    /// packet: none of a Service's.
    PacketOther = 13,
    /// packet: straight to a pod of this node.
    PacketLocal = 14,
    /// packet: the first of a flow, to a backend.
    PacketOpened = 15,
    /// packet: a flow's, to its backend.
    PacketForward = 16,
    /// packet: a flow's, back to its client.
    PacketReply = 17,
    /// packet: an ICMP error about a flow.
    PacketError = 18,
    /// packet: to be refused, no backend.
    PacketRejected = 19,
    /// packet: dropped, no backend here.
    PacketDropped = 20,
    /// packet: dropped, its source may not use the load balancer.
    PacketNotAllowed = 21,
    /// packet: it is not what it says; left to the kernel, or dropped if it is a flow's.
    PacketMalformed = 22,
    /// packet: dropped, a fragment whose first one was not seen.
    PacketOrphan = 23,
    /// packet: dropped, no way to the backend or client.
    PacketNoRoute = 24,
    /// packet: too large for the way to the backend or client; its sender is told.
    PacketTooBig = 25,
    /// packet: dropped, it has passed too many nodes.
    PacketExpired = 26,
    /// packet: dropped, its protocol's port cannot be another.
    PacketUnsupported = 27,
    /// packet: dropped, the table of flows is full.
    FlowsFull = 28,
    /// packet: dropped, no port is free for the node's address.
    PortsExhausted = 29,
    /// XDP: left to the program after it.
    PacketToTc = 30,
}

impl Verdict {
    /// How many there are.
    pub const COUNT: u32 = 31;

    /// All, in the order of their indexes, with their names in metrics.
    pub const ALL: [(Verdict, &'static str); Self::COUNT as usize] = [
        (Self::ConnectOther, "connect_other"),
        (Self::ConnectBackend, "connect_backend"),
        (Self::ConnectRejected, "connect_rejected"),
        (Self::ConnectDropped, "connect_dropped"),
        (Self::SendOther, "send_other"),
        (Self::SendBackend, "send_backend"),
        (Self::SendRejected, "send_rejected"),
        (Self::SendDropped, "send_dropped"),
        (Self::ReceiveOther, "receive_other"),
        (Self::ReceiveService, "receive_service"),
        (Self::PeerOther, "peer_other"),
        (Self::PeerService, "peer_service"),
        (Self::BackendMissing, "backend_missing"),
        (Self::PacketOther, "packet_other"),
        (Self::PacketLocal, "packet_local"),
        (Self::PacketOpened, "packet_opened"),
        (Self::PacketForward, "packet_forward"),
        (Self::PacketReply, "packet_reply"),
        (Self::PacketError, "packet_error"),
        (Self::PacketRejected, "packet_rejected"),
        (Self::PacketDropped, "packet_dropped"),
        (Self::PacketNotAllowed, "packet_not_allowed"),
        (Self::PacketMalformed, "packet_malformed"),
        (Self::PacketOrphan, "packet_orphan"),
        (Self::PacketNoRoute, "packet_no_route"),
        (Self::PacketTooBig, "packet_too_big"),
        (Self::PacketExpired, "packet_expired"),
        (Self::PacketUnsupported, "packet_unsupported"),
        (Self::FlowsFull, "flows_full"),
        (Self::PortsExhausted, "ports_exhausted"),
        (Self::PacketToTc, "packet_to_tc"),
    ];
}
