//! Checksum offload, judged by the packets as the other end of the veth sees them.

use std::net::UdpSocket;
use std::os::fd::{AsRawFd, OwnedFd};

use anyhow::{Context, Result};
use nix::sys::socket::sockopt::ReceiveTimeout;
use nix::sys::socket::{
    AddressFamily, MsgFlags, SockFlag, SockProtocol, SockType, recv, setsockopt, socket,
};
use nix::sys::time::TimeVal;

use crate::node::{Node, mac};

const PORT: u16 = 4789;

/// Reads frames until one is a UDP datagram to the test's port; whether its checksum is right.
fn next_is_whole(capture: &OwnedFd) -> Result<bool> {
    let mut buffer = [0; 2048];
    loop {
        let length = recv(capture.as_raw_fd(), &mut buffer, MsgFlags::empty())
            .context("no datagram was seen")?;
        let frame = &buffer[..length];
        let is_udp = length > 42 && frame[12..14] == [8, 0] && frame[23] == 17;
        if is_udp && frame[36..38] == PORT.to_be_bytes() {
            return Ok(sum_of_datagram(&frame[14..]) == 0xffff);
        }
    }
}

/// The sum over an IPv4 packet's pseudo header and datagram, 0xffff if the checksum in it is right.
fn sum_of_datagram(packet: &[u8]) -> u32 {
    let end = usize::from(u16::from_be_bytes([packet[2], packet[3]]));
    let datagram = &packet[20..end];
    let mut summed = packet[12..20].to_vec();
    summed.extend([0, 17]);
    summed.extend((datagram.len() as u16).to_be_bytes());
    summed.extend(datagram);
    if summed.len() % 2 == 1 {
        summed.push(0);
    }
    let words = summed
        .chunks(2)
        .map(|pair| u32::from(u16::from_be_bytes([pair[0], pair[1]])));
    words.fold(0, |sum, word| {
        (sum + word) % 0x10000 + (sum + word) / 0x10000
    })
}

#[tokio::test]
async fn without_it_packets_leave_with_their_checksum_filled_in() -> Result<()> {
    let host = Node::new("host")?;
    let pod = Node::new("pod")?;
    let (_, eth0) = host.join("host", &pod, "eth0").await?;
    let gateway = "10.1.2.1".parse()?;
    pod.netlink
        .add_address(eth0.index, "10.1.2.3/24".parse()?, Default::default())
        .await?;
    pod.netlink
        .ensure_neighbour(eth0.index, gateway, mac(1))
        .await?;
    let capture = host.netns.enter(|| {
        socket(
            AddressFamily::Packet,
            SockType::Raw,
            SockFlag::SOCK_CLOEXEC,
            SockProtocol::EthAll,
        )
    })??;
    setsockopt(&capture, ReceiveTimeout, &TimeVal::new(20, 0))?;
    let sender = pod.netns.enter(|| UdpSocket::bind("10.1.2.3:0"))??;
    for whole in [false, true, false] {
        pod.netns.set_checksum_offload("eth0", !whole)?;
        sender.send_to(b"abc", (gateway, PORT))?;
        assert_eq!(next_is_whole(&capture)?, whole);
    }
    Ok(())
}

#[tokio::test]
async fn without_the_device_the_refusal_names_it() -> Result<()> {
    let node = Node::new("nothing")?;
    let error = node
        .netns
        .set_checksum_offload("eth0", false)
        .expect_err("no such device");
    assert!(error.is_no_device(), "{error}");
    assert!(
        error
            .to_string()
            .contains("set the checksum offload of eth0"),
        "{error}"
    );
    Ok(())
}
