//! Telling the neighbours where an address is: a gratuitous ARP request, an unsolicited neighbour advertisement.
//!
//! A neighbour that asked while a device was away asks again only after a second; told, it knows at once, and so does
//! every switch on the way.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::os::fd::{AsRawFd, OwnedFd};

use nix::errno::Errno;
use nix::libc;
use nix::net::if_::if_nametoindex;
use nix::sys::socket::{
    AddressFamily, LinkAddr, MsgFlags, SockFlag, SockType, SockaddrLike, sendto, socket,
};

use crate::{Error, MacAddr, Netns, Result, check_name};

const ETHERTYPE_ARP: [u8; 2] = [0x08, 0x06];
const ETHERTYPE_IPV6: [u8; 2] = [0x86, 0xdd];
const ICMPV6: u8 = 58;

impl Netns {
    /// Announces that `mac` has these addresses, to everyone on the link of device `name`. Returns the socket that was
    /// used: its last close waits for the kernel's RCU, some ten milliseconds.
    ///
    /// # Errors
    /// [`Error::Invalid`] for an impossible name, [`Error::Enter`], or what the kernel says: ENODEV without such a
    /// device, ENETDOWN for one that is down.
    pub fn announce(&self, name: &str, mac: MacAddr, addresses: &[IpAddr]) -> Result<OwnedFd> {
        check_name(name)?;
        self.enter(|| send(name, mac, addresses))?
            .map_err(|errno| Error::Kernel {
                operation: "announce the addresses of",
                object: name.to_owned(),
                errno,
                detail: None,
            })
    }
}

fn send(name: &str, mac: MacAddr, addresses: &[IpAddr]) -> nix::Result<OwnedFd> {
    let device = link_address(name)?;
    // Protocol 0: a socket that receives nothing.
    let socket = socket(
        AddressFamily::Packet,
        SockType::Raw,
        SockFlag::SOCK_CLOEXEC,
        None,
    )?;
    for address in addresses {
        let frame = match address {
            IpAddr::V4(address) => arp(mac, *address),
            IpAddr::V6(address) => advertisement(mac, *address),
        };
        sendto(socket.as_raw_fd(), &frame, &device, MsgFlags::empty())?;
    }
    Ok(socket)
}

/// The packet address of a device. Looked up by name with one ioctl: a list of devices would wait for the lock that
/// whoever changes devices holds, and addresses are announced just when many change.
fn link_address(name: &str) -> nix::Result<LinkAddr> {
    let index = if_nametoindex(name)?;
    let length = size_of::<libc::sockaddr_ll>();
    let address = libc::sockaddr_ll {
        sll_family: libc::AF_PACKET as libc::c_ushort,
        sll_protocol: 0,
        sll_ifindex: i32::try_from(index).map_err(|_| Errno::ENODEV)?,
        sll_hatype: 0,
        sll_pkttype: 0,
        sll_halen: 0,
        sll_addr: [0; 8],
    };
    // SAFETY: the pointer is to a whole sockaddr_ll, whose family says so and whose length is passed along; it is
    // copied, not kept.
    let address =
        unsafe { LinkAddr::from_raw((&raw const address).cast(), Some(length as libc::socklen_t)) };
    address.ok_or(Errno::EINVAL)
}

fn ethernet(destination: [u8; 6], source: MacAddr, kind: [u8; 2]) -> Vec<u8> {
    let mut frame = Vec::with_capacity(96);
    frame.extend(destination);
    frame.extend(source.octets());
    frame.extend(kind);
    frame
}

/// An ARP request of an address for itself, as RFC 5227 announces.
fn arp(mac: MacAddr, address: Ipv4Addr) -> Vec<u8> {
    let mut frame = ethernet([0xff; 6], mac, ETHERTYPE_ARP);
    // Ethernet, IPv4, lengths 6 and 4, request.
    frame.extend([0, 1, 8, 0, 6, 4, 0, 1]);
    frame.extend(mac.octets());
    frame.extend(address.octets());
    frame.extend([0; 6]);
    frame.extend(address.octets());
    frame
}

/// An unsolicited neighbour advertisement with the override flag (RFC 4861, 7.2.6).
fn advertisement(mac: MacAddr, address: Ipv6Addr) -> Vec<u8> {
    let everyone = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1);
    let mut message = vec![136, 0, 0, 0, 0x20, 0, 0, 0];
    message.extend(address.octets());
    // Option: target link-layer address, one unit of eight octets.
    message.extend([2, 1]);
    message.extend(mac.octets());
    let length = message.len() as u8;
    let mut summed = Vec::from(address.octets());
    summed.extend(everyone.octets());
    summed.extend([0, 0, 0, length, 0, 0, 0, ICMPV6]);
    summed.extend(&message);
    message[2..4].copy_from_slice(&checksum(&summed).to_be_bytes());

    let mut frame = ethernet([0x33, 0x33, 0, 0, 0, 1], mac, ETHERTYPE_IPV6);
    frame.extend([0x60, 0, 0, 0, 0, length, ICMPV6, 255]);
    frame.extend(address.octets());
    frame.extend(everyone.octets());
    frame.extend(message);
    frame
}

/// The Internet checksum (RFC 1071) of an even number of octets.
fn checksum(bytes: &[u8]) -> u16 {
    let mut sum: u32 = bytes
        .chunks_exact(2)
        .map(|pair| u32::from(u16::from_be_bytes([pair[0], pair[1]])))
        .sum();
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !(sum as u16)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAC: MacAddr = MacAddr([0x0a, 0x58, 10, 1, 0, 2]);

    #[test]
    fn arp_asks_for_its_own_address() {
        let frame = arp(MAC, Ipv4Addr::new(10, 1, 0, 2));
        assert_eq!(frame.len(), 42);
        assert_eq!(frame[..6], [0xff; 6]);
        assert_eq!(frame[28..32], frame[38..42]);
        assert_eq!(frame[22..28], MAC.octets());
    }

    #[test]
    fn advertisement_has_a_checksum_that_adds_up() {
        let address = "fd00:1::2".parse().unwrap();
        let frame = advertisement(MAC, address);
        assert_eq!(frame.len(), 14 + 40 + 32);
        let mut summed = frame[22..54].to_vec();
        summed.extend([0, 0, 0, 32, 0, 0, 0, ICMPV6]);
        summed.extend(&frame[54..]);
        assert_eq!(checksum(&summed), 0);
        assert_eq!(frame[62..78], address.octets());
    }
}
