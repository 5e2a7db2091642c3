//! UDP sockets of a namespace, and their end.
//!
//! The one part of this crate that speaks `NETLINK_SOCK_DIAG`, and synchronously: its user goes from namespace to
//! namespace on a thread of its own.

use std::net::{IpAddr, SocketAddr};

use netlink_packet_core::{
    NLM_F_ACK, NLM_F_DUMP, NLM_F_REQUEST, NetlinkDeserializable, NetlinkHeader, NetlinkMessage,
    NetlinkPayload, NetlinkSerializable,
};
use netlink_packet_sock_diag::inet::{
    ExtensionFlags, InetRequest, InetResponseHeader, SocketId, StateFlags,
};
use netlink_packet_sock_diag::{
    AF_INET, AF_INET6, IPPROTO_UDP, SockDiagDestroy, SockDiagMessage, TCP_ESTABLISHED,
};
use netlink_sys::Socket;
use netlink_sys::protocols::NETLINK_SOCK_DIAG;
use nix::errno::Errno;

use crate::netns::errno_of;
use crate::{Error, Netns, Result};

/// A UDP socket as the kernel shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InetSocket {
    id: SocketId,
    family: u8,
    connected: bool,
}

impl InetSocket {
    fn of(header: &InetResponseHeader) -> Self {
        Self {
            id: header.socket_id.clone(),
            family: header.family,
            connected: header.state == TCP_ESTABLISHED,
        }
    }

    /// The kernel's cookie of the socket, the same that eBPF programs see: never used again while the machine runs.
    pub fn cookie(&self) -> u64 {
        let [a, b, c, d, e, f, g, h] = self.id.cookie;
        let low = u32::from_ne_bytes([a, b, c, d]);
        let high = u32::from_ne_bytes([e, f, g, h]);
        u64::from(high) << 32 | u64::from(low)
    }

    /// Whom it is connected to, an IPv4 address as such also where the socket is one of IPv6; none for a socket that
    /// is not connected.
    pub fn peer(&self) -> Option<SocketAddr> {
        let ip = self.id.destination_address.to_canonical();
        let peer = SocketAddr::new(ip, self.id.destination_port);
        self.connected.then_some(peer)
    }
}

/// An open socket for questions about the sockets of one namespace, where it stays.
#[derive(Debug)]
pub struct SockDiag {
    socket: Socket,
    place: String,
}

impl Netns {
    /// Opens a socket for questions about this namespace's sockets.
    ///
    /// # Errors
    /// [`Error::Enter`] or [`Error::Socket`].
    pub fn sock_diag(&self) -> Result<SockDiag> {
        let open = || {
            let mut socket = Socket::new(NETLINK_SOCK_DIAG)?;
            socket.bind_auto()?;
            socket.connect(&netlink_sys::SocketAddr::new(0, 0))?;
            Ok(socket)
        };
        let socket = self.enter(open)?.map_err(|error| Error::Socket {
            path: self.path().to_owned(),
            errno: errno_of(&error),
        })?;
        let place = self.path().display().to_string();
        Ok(SockDiag { socket, place })
    }
}

impl SockDiag {
    /// All UDP sockets of the namespace that are bound, of both families.
    ///
    /// # Errors
    /// What the kernel says: ENOENT where it does not tell of UDP sockets at all.
    pub fn udp_sockets(&self) -> Result<Vec<InetSocket>> {
        let mut sockets = Vec::new();
        for id in [SocketId::new_v4(), SocketId::new_v6()] {
            let request = SockDiagMessage::InetRequest(request(id));
            self.exchange("list the UDP sockets of", request, NLM_F_DUMP, |header| {
                sockets.push(InetSocket::of(header));
            })?;
        }
        Ok(sockets)
    }

    /// Ends a UDP socket: it is not connected any more, and has the error ECONNABORTED, which wakes who waits for it
    /// and is what the next recv answers; a send before that answers EDESTADDRREQ. False if it is no more, or the kernel
    /// finds another with the same addresses and ports.
    ///
    /// # Errors
    /// What the kernel says: EOPNOTSUPP of one that was built without this, see [`Error::is_not_supported`].
    pub fn destroy(&self, socket: &InetSocket) -> Result<bool> {
        let request = InetRequest {
            family: socket.family,
            ..request(socket.id.clone())
        };
        let request = SockDiagDestroy::new(SockDiagMessage::InetRequest(request));
        match self.exchange("end a UDP socket of", request, NLM_F_ACK, |_| {}) {
            Ok(()) => Ok(true),
            Err(error) if error.errno() == Some(Errno::ENOENT) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Sends a request and reads up to its end.
    fn exchange<M: NetlinkSerializable>(
        &self,
        operation: &'static str,
        message: M,
        flags: u16,
        mut each: impl FnMut(&InetResponseHeader),
    ) -> Result<()> {
        let failed = |errno| Error::Kernel {
            operation,
            object: self.place.clone(),
            errno,
            detail: None,
        };
        let lost = |error: std::io::Error| failed(errno_of(&error));
        self.socket.send(&bytes(message, flags), 0).map_err(lost)?;
        loop {
            let (received, _) = self.socket.recv_from_full().map_err(lost)?;
            match take(&received, &mut each) {
                Some(Progress::More) => {}
                Some(Progress::End(None)) => return Ok(()),
                Some(Progress::End(Some(errno))) => return Err(failed(errno)),
                None => {
                    let missing = "a message that can be read";
                    return Err(Error::Malformed {
                        operation,
                        object: self.place.clone(),
                        missing,
                    });
                }
            }
        }
    }
}

fn request(socket_id: SocketId) -> InetRequest {
    InetRequest {
        family: match socket_id.source_address {
            IpAddr::V4(_) => AF_INET,
            IpAddr::V6(_) => AF_INET6,
        },
        protocol: IPPROTO_UDP,
        extensions: ExtensionFlags::empty(),
        states: StateFlags::all(),
        socket_id,
    }
}

fn bytes<M: NetlinkSerializable>(message: M, flags: u16) -> Vec<u8> {
    let mut header = NetlinkHeader::default();
    header.flags = NLM_F_REQUEST | flags;
    let mut message = NetlinkMessage::new(header, NetlinkPayload::InnerMessage(message));
    message.finalize();
    let mut bytes = vec![0; message.buffer_len()];
    message.serialize(&mut bytes);
    bytes
}

/// How far an answer has come.
#[derive(Debug, PartialEq, Eq)]
enum Progress {
    More,
    /// With the kernel's error, if it is one.
    End(Option<Errno>),
}

/// Reads the messages of one datagram; none if they are not what they should be.
fn take(mut bytes: &[u8], each: &mut impl FnMut(&InetResponseHeader)) -> Option<Progress> {
    let refusal = |code: i32| (code != 0).then(|| Errno::from_raw(code.saturating_abs()));
    while !bytes.is_empty() {
        let message = NetlinkMessage::<Answer>::deserialize(bytes).ok()?;
        match message.payload {
            NetlinkPayload::InnerMessage(Answer(header)) => each(&header),
            NetlinkPayload::Done(done) => return Some(Progress::End(refusal(done.code))),
            NetlinkPayload::Error(error) => {
                let code = error.code.map_or(0, std::num::NonZero::get);
                return Some(Progress::End(refusal(code)));
            }
            _ => {}
        }
        let length = usize::try_from(message.header.length).ok()?;
        // The next one begins at a multiple of four.
        bytes = bytes.get(length.next_multiple_of(4)..).unwrap_or_default();
    }
    Some(Progress::More)
}

/// The fixed part of an answer about a socket: attributes, which newer kernels add to, are not of interest.
struct Answer(InetResponseHeader);

impl NetlinkDeserializable for Answer {
    type Error = netlink_packet_core::DecodeError;

    fn deserialize(_: &NetlinkHeader, payload: &[u8]) -> std::result::Result<Self, Self::Error> {
        use netlink_packet_core::Parseable;
        Ok(Self(InetResponseHeader::parse(payload)?))
    }
}

#[cfg(test)]
mod tests;
