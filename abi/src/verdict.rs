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
}

impl Verdict {
    /// How many there are.
    pub const COUNT: u32 = 13;

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
    ];
}
