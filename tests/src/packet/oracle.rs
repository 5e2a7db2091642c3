//! A second opinion on packets: a library reads them, and computes every checksum by itself.

use anyhow::{Context, Result, ensure};
use etherparse::checksum::Sum16BitWords;
use etherparse::{
    Icmpv4Slice, Icmpv6Slice, NetSlice, SlicedPacket, TcpHeader, TransportSlice, UdpHeader,
};

/// Reads a whole packet, of IPv4 or IPv6, and checks every checksum in it; the network and
/// transport headers as they were understood.
///
/// # Errors
/// When it cannot be read, or a checksum is wrong.
pub fn check(frame: &[u8]) -> Result<()> {
    let sliced = SlicedPacket::from_ethernet(frame).context("not understood")?;
    let (addresses, length) = match sliced.net.as_ref().context("no IP")? {
        NetSlice::Ipv4(ip) => {
            let header = ip.header().to_header();
            let right = header.calc_header_checksum();
            let is = header.header_checksum;
            ensure!(is == right, "IPv4 checksum {is:x}, not {right:x}");
            let payload = ip.payload().payload.len();
            (Addresses::V4(header.source, header.destination), payload)
        }
        NetSlice::Ipv6(ip) => {
            let header = ip.header().to_header();
            let payload = ip.payload().payload.len();
            (Addresses::V6(header.source, header.destination), payload)
        }
        _ => return Ok(()),
    };
    match sliced.transport {
        Some(TransportSlice::Tcp(tcp)) => {
            let header = tcp.to_header();
            let right = addresses.tcp(&header, tcp.payload())?;
            let is = header.checksum;
            ensure!(is == right, "TCP checksum {is:x}, not {right:x}");
        }
        Some(TransportSlice::Udp(udp)) => {
            ensure!(udp.slice().len() == length, "UDP is another length");
            let header = udp.to_header();
            let is = header.checksum;
            let right = addresses.udp(header, udp.payload())?;
            ensure!(
                is == right || is == 0,
                "UDP checksum {is:x}, not {right:x} or none"
            );
        }
        Some(TransportSlice::Icmpv4(icmp)) => four(&icmp)?,
        Some(TransportSlice::Icmpv6(icmp)) => six(&icmp, &addresses)?,
        _ => {}
    }
    Ok(())
}

enum Addresses {
    V4([u8; 4], [u8; 4]),
    V6([u8; 16], [u8; 16]),
}

impl Addresses {
    fn tcp(&self, header: &TcpHeader, data: &[u8]) -> Result<u16> {
        Ok(match self {
            Self::V4(from, to) => header.calc_checksum_ipv4_raw(*from, *to, data)?,
            Self::V6(from, to) => header.calc_checksum_ipv6_raw(*from, *to, data)?,
        })
    }

    fn udp(&self, header: UdpHeader, data: &[u8]) -> Result<u16> {
        Ok(match self {
            Self::V4(from, to) => header.calc_checksum_ipv4_raw(*from, *to, data)?,
            Self::V6(from, to) => header.calc_checksum_ipv6_raw(*from, *to, data)?,
        })
    }
}

fn four(icmp: &Icmpv4Slice<'_>) -> Result<()> {
    let sum = Sum16BitWords::new().add_slice(icmp.slice());
    let is = icmp.checksum();
    ensure!(sum.ones_complement() == 0, "ICMP checksum {is:x} is wrong");
    if matches!(icmp.type_u8(), 3 | 4 | 11 | 12)
        && let Ok((header, _)) = etherparse::Ipv4Header::from_slice(icmp.payload())
    {
        let (is, right) = (header.header_checksum, header.calc_header_checksum());
        ensure!(is == right, "inner IPv4 checksum {is:x}, not {right:x}");
    }
    Ok(())
}

fn six(icmp: &Icmpv6Slice<'_>, addresses: &Addresses) -> Result<()> {
    let Addresses::V6(from, to) = addresses else {
        return Ok(());
    };
    ensure!(
        icmp.is_checksum_valid(*from, *to),
        "ICMPv6 checksum {:x} is wrong",
        icmp.checksum()
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::{Extension, Packet, Protocol};
    use super::*;

    #[test]
    fn packets_as_they_are_built_are_right() {
        let ends = [
            ("192.0.2.1:4000", "10.96.0.1:80"),
            ("[2001:db8::1]:4000", "[fd00:96::1]:80"),
        ];
        for (from, to) in ends {
            let (from, to) = (from.parse().unwrap(), to.parse().unwrap());
            for protocol in [Protocol::Tcp, Protocol::Udp, Protocol::Sctp] {
                let it = Packet::new(protocol, from, to)
                    .data([7; 33])
                    .options(&[1, 1, 1, 0])
                    .extensions(&[
                        Extension::HopByHop(0),
                        Extension::Routing(2),
                        Extension::Authentication(3),
                        Extension::Destination(1),
                    ]);
                check(&it.bytes()).unwrap();
                check(&Packet::too_big(to.ip(), &it).bytes()).unwrap();
                check(&it.clone().without_checksum().bytes())
                    .map_or_else(|_| assert_eq!(protocol, Protocol::Tcp), |()| {});
            }
            check(&Packet::echo(from.ip(), to.ip()).bytes()).unwrap();
            let mut wrong = Packet::new(Protocol::Udp, from, to).bytes();
            *wrong.last_mut().unwrap() ^= 1;
            assert!(check(&wrong).is_err());
        }
    }
}
