//! Addresses, ports and protocols as objects have them.

use std::net::IpAddr;

use crate::services::error::Invalid;

/// A protocol that Services carry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Protocol {
    /// TCP.
    Tcp,
    /// UDP.
    Udp,
    /// SCTP.
    Sctp,
}

impl Protocol {
    /// From the API's word; none is TCP.
    pub fn parse(field: &str, word: Option<&str>) -> Result<Self, Invalid> {
        match word {
            None | Some("TCP") => Ok(Self::Tcp),
            Some("UDP") => Ok(Self::Udp),
            Some("SCTP") => Ok(Self::Sctp),
            Some(other) => Err(Invalid::new(
                field,
                format!("{other:?} is not TCP, UDP or SCTP"),
            )),
        }
    }

    /// The API's word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Tcp => "TCP",
            Self::Udp => "UDP",
            Self::Sctp => "SCTP",
        }
    }

    /// IANA's number.
    pub fn number(self) -> u8 {
        match self {
            Self::Tcp => 6,
            Self::Udp => 17,
            Self::Sctp => 132,
        }
    }
}

/// A port from 1 to 65535.
pub fn port(field: &str, number: i32) -> Result<u16, Invalid> {
    u16::try_from(number)
        .ok()
        .filter(|port| *port != 0)
        .ok_or_else(|| Invalid::new(field, format!("{number} is not from 1 to 65535")))
}

/// An address.
pub fn address(field: &str, text: &str) -> Result<IpAddr, Invalid> {
    let address: IpAddr = text
        .parse()
        .map_err(|_| Invalid::new(field, format!("{text:?} is not an IP address")))?;
    Ok(address.to_canonical())
}

/// Why an address may be neither a Service's nor an endpoint's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unusable {
    /// 127.0.0.0/8, ::1
    #[error("is a loopback address")]
    Loopback,
    /// 169.254.0.0/16, fe80::/10
    #[error("is a link-local address")]
    LinkLocal,
    /// 224.0.0.0/4, ff00::/8
    #[error("is a multicast address")]
    Multicast,
    /// 0.0.0.0, ::
    #[error("is the unspecified address")]
    Unspecified,
    /// 255.255.255.255
    #[error("is the broadcast address")]
    Broadcast,
}

/// Whether an address may be neither a Service's nor an endpoint's, as the API server has it too.
pub fn unusable(address: IpAddr) -> Option<Unusable> {
    let (link_local, broadcast) = match address {
        IpAddr::V4(v4) => (v4.is_link_local(), v4.is_broadcast()),
        IpAddr::V6(v6) => (v6.is_unicast_link_local(), false),
    };
    if address.is_loopback() {
        Some(Unusable::Loopback)
    } else if link_local {
        Some(Unusable::LinkLocal)
    } else if address.is_multicast() {
        Some(Unusable::Multicast)
    } else if address.is_unspecified() {
        Some(Unusable::Unspecified)
    } else if broadcast {
        Some(Unusable::Broadcast)
    } else {
        None
    }
}
