//! Changes to existing devices, any number of them in one request.

use netlink_packet_core::DefaultNla;
use netlink_packet_route::RouteNetlinkMessage;
use netlink_packet_route::link::{LinkAttribute, LinkFlags, LinkMessage};

use nix::errno::Errno;

use crate::connection::Request;
use crate::link::device;
use crate::{Error, MacAddr, Netlink, Netns, Result, check_name};

/// IFLA_IFALIAS.
const ALIAS: u16 = 20;

/// Changes to one device that the kernel makes in one request, in the order: namespace, MAC, MTU, name, alias, then
/// master and state. The kernel does not undo those that precede the one that failed.
#[derive(Debug, Clone, Copy, Default)]
pub struct LinkChange<'a> {
    /// Move into this namespace. The device is set down and loses its addresses and routes.
    pub netns: Option<&'a Netns>,
    /// New Ethernet address.
    pub mac: Option<MacAddr>,
    /// New MTU in bytes.
    pub mtu: Option<u32>,
    /// New name. Kernels before 6.2 want the device down for it, unless it is moved as well.
    pub name: Option<&'a str>,
    /// New alias; the empty text removes it.
    pub alias: Option<&'a str>,
    /// New master by index, or `Some(None)` to leave the present one. A bond wants its port down.
    pub master: Option<Option<u32>>,
    /// Set up or down.
    pub up: Option<bool>,
}

impl LinkChange<'_> {
    fn message(&self, index: u32) -> Result<LinkMessage> {
        let mut message = LinkMessage::default();
        message.header.index = index;
        let attributes = &mut message.attributes;
        if let Some(netns) = self.netns {
            attributes.push(LinkAttribute::NetNsFd(netns.raw_fd()));
        }
        if let Some(mac) = self.mac {
            attributes.push(LinkAttribute::Address(mac.octets().to_vec()));
        }
        if let Some(mtu) = self.mtu {
            attributes.push(LinkAttribute::Mtu(mtu));
        }
        if let Some(name) = self.name {
            check_name(name)?;
            attributes.push(LinkAttribute::IfName(name.to_owned()));
        }
        if let Some(alias) = self.alias {
            attributes.push(alias_attribute(alias));
        }
        if let Some(master) = self.master {
            attributes.push(LinkAttribute::Controller(master.unwrap_or(0)));
        }
        if let Some(up) = self.up {
            set_state(&mut message, up);
        }
        Ok(message)
    }
}

impl Netlink {
    /// Makes several changes to a device in one request.
    ///
    /// # Errors
    /// What the kernel says, for instance ENODEV without such a device, EEXIST for a name that is taken.
    pub async fn change_link(&self, index: u32, change: &LinkChange<'_>) -> Result<()> {
        self.set_link("change", index, change).await
    }

    /// Sets a device up. No error if it is.
    ///
    /// # Errors
    /// What the kernel says.
    pub async fn set_up(&self, index: u32) -> Result<()> {
        let change = LinkChange {
            up: Some(true),
            ..LinkChange::default()
        };
        self.set_link("set up", index, &change).await
    }

    /// Sets a device down. Its IPv6 addresses and its routes are lost.
    ///
    /// # Errors
    /// What the kernel says.
    pub async fn set_down(&self, index: u32) -> Result<()> {
        let change = LinkChange {
            up: Some(false),
            ..LinkChange::default()
        };
        self.set_link("set down", index, &change).await
    }

    /// Gives a device another name. Kernels before 6.2 want it down (EBUSY).
    ///
    /// # Errors
    /// [`Error::Invalid`](crate::Error::Invalid) for an impossible name, else what the kernel says, EEXIST for one
    /// that is taken.
    pub async fn rename(&self, index: u32, name: &str) -> Result<()> {
        let change = LinkChange {
            name: Some(name),
            ..LinkChange::default()
        };
        self.set_link("rename", index, &change).await
    }

    /// Gives a device another Ethernet address.
    ///
    /// # Errors
    /// What the kernel says, EADDRNOTAVAIL for an address that is not unicast.
    pub async fn set_mac(&self, index: u32, mac: MacAddr) -> Result<()> {
        let change = LinkChange {
            mac: Some(mac),
            ..LinkChange::default()
        };
        self.set_link("set the MAC address of", index, &change)
            .await
    }

    /// Sets a device's MTU in bytes.
    ///
    /// # Errors
    /// What the kernel says, EINVAL for one that the device cannot have.
    pub async fn set_mtu(&self, index: u32, mtu: u32) -> Result<()> {
        let change = LinkChange {
            mtu: Some(mtu),
            ..LinkChange::default()
        };
        self.set_link("set the MTU of", index, &change).await
    }

    /// Sets a device's alias, at most 255 bytes; the empty text removes it.
    ///
    /// # Errors
    /// What the kernel says.
    pub async fn set_alias(&self, index: u32, alias: &str) -> Result<()> {
        let change = LinkChange {
            alias: Some(alias),
            ..LinkChange::default()
        };
        self.set_link("set the alias of", index, &change).await
    }

    /// Makes a device a port of `master`, or of none. A bond takes only devices that are down, and sets them up.
    ///
    /// # Errors
    /// What the kernel says.
    pub async fn set_master(&self, index: u32, master: Option<u32>) -> Result<()> {
        let change = LinkChange {
            master: Some(master),
            ..LinkChange::default()
        };
        self.set_link("set the master of", index, &change).await
    }

    /// Moves a device into another namespace, where it arrives down and without addresses, by the name `name` if one
    /// is given. Its index changes if it is taken there. Costs 13 to 35 ms, in which no other device can be changed.
    ///
    /// # Errors
    /// EEXIST if the name is taken there; the device has then not been moved. (Should the name be taken at the very
    /// moment of the move, the kernel leaves the device there by its old name.) Else what the kernel says.
    pub async fn move_to(&self, index: u32, netns: &Netns, name: Option<&str>) -> Result<()> {
        const OPERATION: &str = "move";
        if let Some(name) = name {
            // The kernel moves first and renames then, and does not undo the one when the other fails.
            let taken = netns.connect()?.link_by_name(name).await?;
            if taken.is_some() {
                return Err(Error::Kernel {
                    operation: OPERATION,
                    object: device(index),
                    errno: Errno::EEXIST,
                    detail: Some(format!("{name} is taken in {}", netns.path().display())),
                });
            }
        }
        let change = LinkChange {
            netns: Some(netns),
            name,
            ..LinkChange::default()
        };
        self.set_link(OPERATION, index, &change).await
    }

    async fn set_link(
        &self,
        operation: &'static str,
        index: u32,
        change: &LinkChange<'_>,
    ) -> Result<()> {
        self.change(Request {
            message: RouteNetlinkMessage::SetLink(change.message(index)?),
            flags: 0,
            operation,
            object: device(index),
        })
        .await
    }
}

/// Asks for a device to be up or down in a message that creates or changes it.
pub(crate) fn set_state(message: &mut LinkMessage, up: bool) {
    message.header.flags.set(LinkFlags::Up, up);
    message.header.change_mask |= LinkFlags::Up;
}

/// An alias without the trailing NUL that the packet library appends, which would cost the last of its 255 bytes.
pub(crate) fn alias_attribute(alias: &str) -> LinkAttribute {
    LinkAttribute::Other(DefaultNla::new(ALIAS, alias.as_bytes().to_vec()))
}
