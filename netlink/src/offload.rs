//! Offloads of devices, over the kernel's generic netlink family `ethtool`.
//!
//! One is needed: a veth that leads to the userspace datapath of Open vSwitch must compute its checksums itself.
//! vswitchd reads its packets from a packet socket as they are, and a checksum that was left for a network card to fill
//! in is never filled in.

use std::io::{IoSlice, IoSliceMut};
use std::os::fd::{AsRawFd, OwnedFd};

use nix::errno::Errno;
use nix::sys::socket::{
    AddressFamily, MsgFlags, NetlinkAddr, SockFlag, SockProtocol, SockType, recvmsg, sendmsg,
    socket,
};

use crate::{Error, Netns, Result, check_name};

/// The family of families, by a number that is always the same.
const CONTROLLER: u16 = 0x10;
const CONTROLLER_GET_FAMILY: u8 = 3;
const CONTROLLER_FAMILY_ID: u16 = 1;
const CONTROLLER_FAMILY_NAME: u16 = 2;

const FEATURES_SET: u8 = 12;
const FEATURES_HEADER: u16 = 1;
const FEATURES_WANTED: u16 = 3;
const HEADER_DEVICE_NAME: u16 = 2;
const BITSET_BITS: u16 = 3;
const BITS_BIT: u16 = 1;
const BIT_NAME: u16 = 2;
const BIT_VALUE: u16 = 3;

const NESTED: u16 = 1 << 15;
const REQUEST: u16 = 1;
const ACKNOWLEDGE: u16 = 4;
const MESSAGE_ERROR: u16 = 2;
/// Length of a netlink header, and of the generic one after it.
const HEADER: usize = 16;
const GENERIC: usize = 4;

/// The kernel's name of the feature that lets any checksum be left to the device.
const CHECKSUM: &str = "tx-checksum-ip-generic";

impl Netns {
    /// Lets device `name` of this namespace send packets whose checksum is still to be filled in, or not.
    ///
    /// # Errors
    /// [`Error::Invalid`] for an impossible name, [`Error::Enter`], or what the kernel says: ENODEV without such a
    /// device, ENOENT for a kernel without ethtool over netlink (before 5.6).
    pub fn set_checksum_offload(&self, name: &str, on: bool) -> Result<()> {
        check_name(name)?;
        self.enter(|| set(name, on))?
            .map_err(|errno| Error::Kernel {
                operation: "set the checksum offload of",
                object: name.to_owned(),
                errno,
                detail: None,
            })
    }
}

fn set(name: &str, on: bool) -> nix::Result<()> {
    let socket = socket(
        AddressFamily::Netlink,
        SockType::Raw,
        SockFlag::SOCK_CLOEXEC,
        SockProtocol::NetlinkGeneric,
    )?;
    let family = family(&socket)?;
    let mut bit = attribute(BIT_NAME, &text(CHECKSUM));
    if on {
        bit.extend(attribute(BIT_VALUE, &[]));
    }
    let bits = attribute(BITS_BIT | NESTED, &bit);
    let wanted = attribute(BITSET_BITS | NESTED, &bits);
    let mut body = attribute(
        FEATURES_HEADER | NESTED,
        &attribute(HEADER_DEVICE_NAME, &text(name)),
    );
    body.extend(attribute(FEATURES_WANTED | NESTED, &wanted));
    exchange(&socket, family, FEATURES_SET, &body).map(drop)
}

/// The number of the family `ethtool`, which the kernel gives out as it likes.
fn family(socket: &OwnedFd) -> nix::Result<u16> {
    let name = attribute(CONTROLLER_FAMILY_NAME, &text("ethtool"));
    let answer = exchange(socket, CONTROLLER, CONTROLLER_GET_FAMILY, &name)?;
    let mut rest = answer.get(HEADER + GENERIC..).unwrap_or_default();
    while let [a, b, c, d, ..] = *rest {
        let length = usize::from(u16::from_ne_bytes([a, b]));
        if let (CONTROLLER_FAMILY_ID, Some(&[low, high])) =
            (u16::from_ne_bytes([c, d]), rest.get(4..6))
        {
            return Ok(u16::from_ne_bytes([low, high]));
        }
        rest = rest
            .get(length.max(4).next_multiple_of(4)..)
            .unwrap_or_default();
    }
    Err(Errno::ENOENT)
}

/// Sends one request and reads until it is acknowledged; returns the answer before that, if there was one.
fn exchange(socket: &OwnedFd, family: u16, command: u8, body: &[u8]) -> nix::Result<Vec<u8>> {
    let mut message = Vec::new();
    let length = u32::try_from(HEADER + GENERIC + body.len()).map_err(|_| Errno::EMSGSIZE)?;
    message.extend(length.to_ne_bytes());
    message.extend(family.to_ne_bytes());
    message.extend((REQUEST | ACKNOWLEDGE).to_ne_bytes());
    // Sequence number and port: there is one request at a time on this socket.
    message.extend([0; 8]);
    message.extend([command, 1, 0, 0]);
    message.extend(body);
    let kernel = NetlinkAddr::new(0, 0);
    sendmsg(
        socket.as_raw_fd(),
        &[IoSlice::new(&message)],
        &[],
        MsgFlags::empty(),
        Some(&kernel),
    )?;
    let mut answer = Vec::new();
    loop {
        let mut buffer = vec![0; 16 * 1024];
        let received = recvmsg::<NetlinkAddr>(
            socket.as_raw_fd(),
            &mut [IoSliceMut::new(&mut buffer)],
            None,
            MsgFlags::empty(),
        )?
        .bytes;
        let mut rest = &buffer[..received];
        while let Some(&[a, b, c, d, low, high]) = rest.first_chunk::<6>() {
            let length = u32::from_ne_bytes([a, b, c, d]) as usize;
            let message = rest.get(..length).ok_or(Errno::EBADMSG)?;
            if u16::from_ne_bytes([low, high]) == MESSAGE_ERROR {
                let code = message.get(HEADER..HEADER + 4).ok_or(Errno::EBADMSG)?;
                return match i32::from_ne_bytes(code.try_into().map_err(|_| Errno::EBADMSG)?) {
                    0 => Ok(answer),
                    code => Err(Errno::from_raw(code.saturating_abs())),
                };
            }
            answer = message.to_vec();
            rest = rest
                .get(length.max(HEADER).next_multiple_of(4)..)
                .unwrap_or_default();
        }
    }
}

fn text(text: &str) -> Vec<u8> {
    let mut bytes = text.as_bytes().to_vec();
    bytes.push(0);
    bytes
}

/// An attribute, padded to where the next one may begin.
fn attribute(kind: u16, value: &[u8]) -> Vec<u8> {
    let length = u16::try_from(4 + value.len()).expect("names and a few flags fit into 64 KiB");
    let mut bytes = Vec::with_capacity(usize::from(length).next_multiple_of(4));
    bytes.extend(length.to_ne_bytes());
    bytes.extend(kind.to_ne_bytes());
    bytes.extend(value);
    bytes.resize(bytes.len().next_multiple_of(4), 0);
    bytes
}
