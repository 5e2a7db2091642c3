//! Echo requests by hand: the machines these tests run on need no `ping`.

use std::io::{self, ErrorKind};
use std::net::{IpAddr, SocketAddr};
use std::os::fd::AsRawFd;
use std::time::{Duration, Instant};

use nix::sys::socket::sockopt::ReceiveTimeout;
use nix::sys::socket::{
    AddressFamily, MsgFlags, SockFlag, SockProtocol, SockType, SockaddrStorage, recv, sendto,
    setsockopt, socket,
};
use nix::sys::time::{TimeVal, TimeValLike};

const IDENTIFIER: u16 = 0x6265;

/// Asks once: `alive ttl <n>` (of IPv4 alone), or the error that ICMP tells.
pub fn ask(to: SocketAddr, limit: Duration) -> io::Result<(String, SocketAddr)> {
    let v4 = to.is_ipv4();
    let (family, protocol) = match v4 {
        true => (AddressFamily::Inet, SockProtocol::Icmp),
        false => (AddressFamily::Inet6, SockProtocol::IcmpV6),
    };
    let raw = socket(family, SockType::Raw, SockFlag::SOCK_CLOEXEC, protocol)?;
    setsockopt(&raw, ReceiveTimeout, &TimeVal::milliseconds(50))?;
    let mut request = [if v4 { 8 } else { 128 }, 0, 0, 0, 0, 0, 0, 1];
    request[4..6].copy_from_slice(&IDENTIFIER.to_be_bytes());
    // Of IPv6 the kernel fills it in.
    let sum = u32::from(IDENTIFIER) + 1 + 0x0800;
    let checksum = if v4 { !(sum as u16) } else { 0 };
    request[2..4].copy_from_slice(&checksum.to_be_bytes());
    let place = SockaddrStorage::from(SocketAddr::new(to.ip(), 0));
    sendto(raw.as_raw_fd(), &request, &place, MsgFlags::empty())?;
    let end = Instant::now() + limit;
    let mut buffer = [0; 512];
    while Instant::now() < end {
        let Ok(length) = recv(raw.as_raw_fd(), &mut buffer, MsgFlags::empty()) else {
            continue;
        };
        if let Some(answer) = answer(&buffer[..length], to.ip()) {
            return answer.map(|text| (text, to));
        }
    }
    Err(ErrorKind::TimedOut.into())
}

/// What a packet says about the request to `to`; none if it is about something else.
fn answer(packet: &[u8], to: IpAddr) -> Option<io::Result<String>> {
    let start = if to.is_ipv4() { 20 } else { 0 };
    let icmp = packet.get(start..)?;
    match (to.is_ipv4(), icmp.first()?) {
        (true, 0) | (false, 129) => {
            let ours = icmp.get(4..6)? == IDENTIFIER.to_be_bytes();
            let text = match to {
                IpAddr::V4(_) => format!("alive ttl {}", packet[8]),
                IpAddr::V6(_) => "alive".to_owned(),
            };
            ours.then_some(Ok(text))
        }
        (true, 3) => {
            let about = icmp.get(8 + 16..8 + 20)?;
            let IpAddr::V4(to) = to else { return None };
            (about == to.octets()).then(|| Err(ErrorKind::ConnectionRefused.into()))
        }
        (false, 1) => {
            let about = icmp.get(8 + 24..8 + 40)?;
            let IpAddr::V6(to) = to else { return None };
            (about == to.octets()).then(|| Err(ErrorKind::ConnectionRefused.into()))
        }
        _ => None,
    }
}
