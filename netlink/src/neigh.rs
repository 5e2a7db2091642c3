//! Neighbours: which MAC an address on the link has.

use std::net::IpAddr;

use netlink_packet_core::{NLM_F_CREATE, NLM_F_REPLACE};
use netlink_packet_route::RouteNetlinkMessage;
use netlink_packet_route::neighbour::{
    NeighbourAddress, NeighbourAttribute, NeighbourHeader, NeighbourMessage, NeighbourState,
};
use netlink_packet_route::route::RouteType;
use nix::errno::Errno;

use crate::addr::family_of;
use crate::connection::Request;
use crate::{MacAddr, Netlink, Result};

/// A neighbour that a device knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Neighbour {
    /// Index of the device.
    pub dev: u32,
    /// Its IP address.
    pub address: IpAddr,
    /// Its Ethernet address; absent while it is being asked for and when nobody answered.
    pub mac: Option<MacAddr>,
    /// Set by the administrator: it neither expires nor is asked for.
    pub permanent: bool,
}

impl Netlink {
    /// The IPv4 and IPv6 neighbours of a device. Entries that need no resolution (loopback, multicast) are left out.
    ///
    /// # Errors
    /// What the kernel says.
    pub async fn neighbours(&self, dev: u32) -> Result<Vec<Neighbour>> {
        let mut message = NeighbourMessage::default();
        message.attributes.push(NeighbourAttribute::IfIndex(dev));
        let replies = self
            .dump(Request {
                message: RouteNetlinkMessage::GetNeighbour(message),
                flags: 0,
                operation: "list",
                object: format!("the neighbours of device {dev}"),
            })
            .await?;
        Ok(replies
            .iter()
            .filter_map(|reply| match reply {
                RouteNetlinkMessage::NewNeighbour(message) if message.header.ifindex == dev => {
                    neighbour_of(message)
                }
                _ => None,
            })
            .collect())
    }

    /// The neighbours of all devices.
    ///
    /// # Errors
    /// What the kernel says.
    pub async fn all_neighbours(&self) -> Result<Vec<Neighbour>> {
        let replies = self
            .dump(Request {
                message: RouteNetlinkMessage::GetNeighbour(NeighbourMessage::default()),
                flags: 0,
                operation: "list",
                object: "all neighbours".to_owned(),
            })
            .await?;
        Ok(replies
            .iter()
            .filter_map(|reply| match reply {
                RouteNetlinkMessage::NewNeighbour(message) => neighbour_of(message),
                _ => None,
            })
            .collect())
    }

    /// Makes `mac` the permanent Ethernet address of `ip` on a device, in place of what the device has learned.
    ///
    /// # Errors
    /// What the kernel says, ENODEV without such a device.
    pub async fn ensure_neighbour(&self, dev: u32, ip: IpAddr, mac: MacAddr) -> Result<()> {
        let mut message = message_of(dev, ip);
        message.header.state = NeighbourState::Permanent;
        message
            .attributes
            .push(NeighbourAttribute::LinkLayerAddress(mac.octets().to_vec()));
        self.change(Request {
            message: RouteNetlinkMessage::NewNeighbour(message),
            flags: NLM_F_CREATE | NLM_F_REPLACE,
            operation: "add neighbour",
            object: format!("{ip} with {mac} on device {dev}"),
        })
        .await
    }

    /// Removes a neighbour; false if the device has none such.
    ///
    /// # Errors
    /// What the kernel says, ENODEV without such a device.
    pub async fn del_neighbour(&self, dev: u32, ip: IpAddr) -> Result<bool> {
        let outcome = self
            .change(Request {
                message: RouteNetlinkMessage::DelNeighbour(message_of(dev, ip)),
                flags: 0,
                operation: "remove neighbour",
                object: format!("{ip} on device {dev}"),
            })
            .await;
        match outcome {
            Ok(()) => Ok(true),
            Err(error) if error.errno() == Some(Errno::ENOENT) => Ok(false),
            Err(error) => Err(error),
        }
    }
}

fn message_of(dev: u32, ip: IpAddr) -> NeighbourMessage {
    let mut message = NeighbourMessage::default();
    message.header = NeighbourHeader {
        family: family_of(ip),
        ifindex: dev,
        kind: RouteType::Unicast,
        ..NeighbourHeader::default()
    };
    message
        .attributes
        .push(NeighbourAttribute::Destination(ip.into()));
    message
}

fn neighbour_of(message: &NeighbourMessage) -> Option<Neighbour> {
    if message.header.state == NeighbourState::Noarp {
        return None;
    }
    let mut address = None;
    let mut mac = None;
    for attribute in &message.attributes {
        match attribute {
            NeighbourAttribute::Destination(NeighbourAddress::Inet(ip)) => {
                address = Some(IpAddr::from(*ip))
            }
            NeighbourAttribute::Destination(NeighbourAddress::Inet6(ip)) => {
                address = Some(IpAddr::from(*ip))
            }
            NeighbourAttribute::LinkLayerAddress(octets) => mac = MacAddr::from_bytes(octets),
            _ => {}
        }
    }
    Some(Neighbour {
        dev: message.header.ifindex,
        address: address?,
        mac,
        permanent: message.header.state == NeighbourState::Permanent,
    })
}
