//! Addresses of devices.

use std::net::{IpAddr, Ipv4Addr};

use ipnetwork::IpNetwork;
use netlink_packet_core::{NLM_F_CREATE, NLM_F_EXCL, NLM_F_REPLACE};
use netlink_packet_route::address::{AddressAttribute, AddressFlags, AddressMessage, AddressScope};
use netlink_packet_route::{AddressFamily, RouteNetlinkMessage};
use nix::errno::Errno;

use crate::connection::Request;
use crate::{Netlink, Result};

/// An address of a device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    /// The address and the length of its network's prefix.
    pub address: IpNetwork,
    /// It never expires.
    pub permanent: bool,
    /// IPv4: a further one of the same network; it goes when the first one goes.
    pub secondary: bool,
    /// IPv6: still being checked for duplicates; not to be used yet.
    pub tentative: bool,
    /// IPv6: another host has it.
    pub dad_failed: bool,
    /// Not to be used for new connections.
    pub deprecated: bool,
    /// IPv6: taken into use without a check for duplicates.
    pub nodad: bool,
    /// No route to its network came with it.
    pub no_prefix_route: bool,
    /// How far it is valid: 0 everywhere, 253 on the link, 254 on the host.
    pub scope: u8,
}

/// How an address is added. Addresses never expire and are always preferred.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct AddressOptions {
    /// IPv6: use it at once, without the second that the check for duplicates takes. The allocator vouches for it.
    pub nodad: bool,
    /// Add no route to the address's network.
    pub no_prefix_route: bool,
}

impl Netlink {
    /// The IPv4 and IPv6 addresses of a device, in the kernel's order.
    ///
    /// # Errors
    /// ENODEV without such a device, else what the kernel says.
    pub async fn addresses(&self, index: u32) -> Result<Vec<Address>> {
        let mut message = AddressMessage::default();
        message.header.index = index;
        let replies = self
            .dump(Request {
                message: RouteNetlinkMessage::GetAddress(message),
                flags: 0,
                operation: "list",
                object: format!("the addresses of device {index}"),
            })
            .await?;
        Ok(replies
            .into_iter()
            .filter_map(|reply| match reply {
                RouteNetlinkMessage::NewAddress(message) if message.header.index == index => {
                    address_of(&message)
                }
                _ => None,
            })
            .collect())
    }

    /// The addresses of all devices, each with the index of its device.
    ///
    /// # Errors
    /// What the kernel says.
    pub async fn all_addresses(&self) -> Result<Vec<(u32, Address)>> {
        let replies = self
            .dump(Request {
                message: RouteNetlinkMessage::GetAddress(AddressMessage::default()),
                flags: 0,
                operation: "list",
                object: "all addresses".to_owned(),
            })
            .await?;
        Ok(replies
            .into_iter()
            .filter_map(|reply| match reply {
                RouteNetlinkMessage::NewAddress(message) => {
                    Some((message.header.index, address_of(&message)?))
                }
                _ => None,
            })
            .collect())
    }

    /// Adds an address. An IPv4 address gets the broadcast address of its network; a further one of a network that
    /// the device is in becomes secondary.
    ///
    /// # Errors
    /// EEXIST if the device has it, else what the kernel says.
    pub async fn add_address(
        &self,
        index: u32,
        address: IpNetwork,
        options: AddressOptions,
    ) -> Result<()> {
        self.put_address(index, address, options, NLM_F_EXCL).await
    }

    /// Makes sure that a device has an address, permanently and ready for use; true if that took a change.
    ///
    /// # Errors
    /// What the kernel says.
    pub async fn ensure_address(
        &self,
        index: u32,
        address: IpNetwork,
        options: AddressOptions,
    ) -> Result<bool> {
        match self.put_address(index, address, options, NLM_F_EXCL).await {
            Err(error) if error.is_exists() => {}
            outcome => return outcome.map(|()| true),
        }
        // IPv6 knows an address by itself alone, so the one in the way may have another prefix.
        let present = self.addresses(index).await?;
        let same_ip = || {
            present
                .iter()
                .filter(|present| present.address.ip() == address.ip())
        };
        let Some(present) = same_ip()
            .find(|present| present.address == address)
            .or(same_ip().next())
        else {
            // It went between the two requests.
            return self
                .put_address(index, address, options, NLM_F_REPLACE)
                .await
                .map(|()| true);
        };
        let unusable = present.dad_failed || (options.nodad && present.tentative);
        if present.address == address && !unusable {
            if present.permanent && !present.deprecated {
                return Ok(false);
            }
            self.put_address(index, address, options, NLM_F_REPLACE)
                .await?;
        } else {
            self.del_address(index, present.address).await?;
            self.put_address(index, address, options, NLM_F_REPLACE)
                .await?;
        }
        Ok(true)
    }

    /// Removes an address; false if the device does not have it.
    ///
    /// # Errors
    /// What the kernel says, ENODEV without such a device.
    pub async fn del_address(&self, index: u32, address: IpNetwork) -> Result<bool> {
        let outcome = self
            .change(Request {
                message: RouteNetlinkMessage::DelAddress(message_of(index, address)),
                flags: 0,
                operation: "remove address",
                object: on_device(address, index),
            })
            .await;
        match outcome {
            Ok(()) => Ok(true),
            Err(error) if error.errno() == Some(Errno::EADDRNOTAVAIL) => Ok(false),
            Err(error) => Err(error),
        }
    }

    async fn put_address(
        &self,
        index: u32,
        address: IpNetwork,
        options: AddressOptions,
        how: u16,
    ) -> Result<()> {
        let mut message = message_of(index, address);
        if let Some(broadcast) = broadcast_of(address) {
            message
                .attributes
                .push(AddressAttribute::Broadcast(broadcast));
        }
        let mut flags = AddressFlags::empty();
        flags.set(AddressFlags::Nodad, options.nodad && address.is_ipv6());
        flags.set(AddressFlags::Noprefixroute, options.no_prefix_route);
        message.attributes.push(AddressAttribute::Flags(flags));
        self.change(Request {
            message: RouteNetlinkMessage::NewAddress(message),
            flags: NLM_F_CREATE | how,
            operation: "add address",
            object: on_device(address, index),
        })
        .await
    }
}

fn on_device(address: IpNetwork, index: u32) -> String {
    format!("{address} on device {index}")
}

fn message_of(index: u32, address: IpNetwork) -> AddressMessage {
    let mut message = AddressMessage::default();
    message.header.family = family_of(address.ip());
    message.header.prefix_len = address.prefix();
    message.header.index = index;
    if address.ip().is_loopback() {
        message.header.scope = AddressScope::Host;
    }
    message
        .attributes
        .push(AddressAttribute::Local(address.ip()));
    message
        .attributes
        .push(AddressAttribute::Address(address.ip()));
    message
}

/// The broadcast address of a network that has one.
fn broadcast_of(address: IpNetwork) -> Option<Ipv4Addr> {
    match address {
        IpNetwork::V4(network) if network.prefix() < 31 && !network.ip().is_loopback() => {
            Some(network.broadcast())
        }
        _ => None,
    }
}

fn address_of(message: &AddressMessage) -> Option<Address> {
    let mut local = None;
    let mut remote = None;
    let mut flags = AddressFlags::from_bits_retain(u32::from(message.header.flags.bits()));
    for attribute in &message.attributes {
        match attribute {
            AddressAttribute::Local(ip) => local = Some(*ip),
            AddressAttribute::Address(ip) => remote = Some(*ip),
            AddressAttribute::Flags(all) => flags = *all,
            _ => {}
        }
    }
    Some(Address {
        // Of a point-to-point address the kernel calls the other end `address`.
        address: IpNetwork::new(local.or(remote)?, message.header.prefix_len).ok()?,
        permanent: flags.contains(AddressFlags::Permanent),
        secondary: flags.contains(AddressFlags::Secondary),
        tentative: flags.contains(AddressFlags::Tentative),
        dad_failed: flags.contains(AddressFlags::Dadfailed),
        deprecated: flags.contains(AddressFlags::Deprecated),
        nodad: flags.contains(AddressFlags::Nodad),
        no_prefix_route: flags.contains(AddressFlags::Noprefixroute),
        scope: message.header.scope.into(),
    })
}

/// The kernel's number for an address's family.
pub(crate) fn family_of(ip: IpAddr) -> AddressFamily {
    match ip {
        IpAddr::V4(_) => AddressFamily::Inet,
        IpAddr::V6(_) => AddressFamily::Inet6,
    }
}
