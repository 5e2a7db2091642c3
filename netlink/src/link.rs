//! Network devices as the kernel shows them.

use netlink_packet_route::RouteNetlinkMessage;
use netlink_packet_route::link::{LinkAttribute, LinkExtentMask, LinkFlags, LinkInfo, LinkMessage};

use crate::connection::Request;
use crate::{MacAddr, Netlink, Result, check_name};

/// A network device, at the moment it was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// Index, unique within its namespace.
    pub index: u32,
    /// Name, unique within its namespace.
    pub name: String,
    /// Kind: `veth`, `macvlan`, `bond`, `tun`, `openvswitch`; absent for loopback and physical devices.
    pub kind: Option<String>,
    /// Ethernet address, where it has one.
    pub mac: Option<MacAddr>,
    /// Largest packet in bytes.
    pub mtu: u32,
    /// Set up by the administrator.
    pub up: bool,
    /// Up and with carrier. False for a tap whose owner died and for a veth whose other end is down.
    pub running: bool,
    /// Index of the bond or bridge that it is a port of. For a port of a kernel datapath of OVS it is `ovs-system`.
    pub master: Option<u32>,
    /// Index of the device below (macvlan) or of the other end (veth), in namespace `link_netns`.
    pub lower: Option<u32>,
    /// Number by which this namespace knows the namespace of `lower`; absent if it is the same one.
    pub link_netns: Option<i32>,
    /// Free text that berth marks its devices with.
    pub alias: Option<String>,
    /// Group; 0 unless someone set it.
    pub group: u32,
}

impl Link {
    pub(crate) fn from_message(message: LinkMessage) -> Self {
        let flags = message.header.flags;
        let mut link = Self {
            index: message.header.index,
            name: String::new(),
            kind: None,
            mac: None,
            mtu: 0,
            up: flags.contains(LinkFlags::Up),
            running: flags.contains(LinkFlags::LowerUp),
            master: None,
            lower: None,
            link_netns: None,
            alias: None,
            group: 0,
        };
        for attribute in message.attributes {
            match attribute {
                LinkAttribute::IfName(name) => link.name = name,
                LinkAttribute::Address(octets) => link.mac = MacAddr::from_bytes(&octets),
                LinkAttribute::Mtu(mtu) => link.mtu = mtu,
                LinkAttribute::Controller(index) => link.master = Some(index),
                LinkAttribute::Link(index) => link.lower = (index != 0).then_some(index),
                LinkAttribute::LinkNetNsId(id) => link.link_netns = Some(id),
                LinkAttribute::IfAlias(alias) => link.alias = Some(alias),
                LinkAttribute::Group(group) => link.group = group,
                LinkAttribute::LinkInfo(infos) => {
                    link.kind = infos.into_iter().find_map(|info| match info {
                        LinkInfo::Kind(kind) => Some(kind.to_string()),
                        _ => None,
                    });
                }
                _ => {}
            }
        }
        link
    }
}

impl Netlink {
    /// The device of this name, if there is one. Names other than its own that a device may have (`altname`) do not
    /// count.
    ///
    /// # Errors
    /// [`Error::Invalid`](crate::Error::Invalid) for a name that no device can have, else what the kernel says.
    pub async fn link_by_name(&self, name: &str) -> Result<Option<Link>> {
        check_name(name)?;
        let mut message = LinkMessage::default();
        message
            .attributes
            .push(LinkAttribute::IfName(name.to_owned()));
        let link = self.link(message, name.to_owned()).await?;
        Ok(link.filter(|link| link.name == name))
    }

    /// The device of this index, if there is one.
    ///
    /// # Errors
    /// What the kernel says.
    pub async fn link_by_index(&self, index: u32) -> Result<Option<Link>> {
        let mut message = LinkMessage::default();
        message.header.index = index;
        self.link(message, device(index)).await
    }

    /// All devices of the namespace, as they were at one moment. Left out is a device whose description cannot be
    /// decoded, such as one with an alias that is not UTF-8.
    ///
    /// # Errors
    /// What the kernel says, or [`Error::Interrupted`](crate::Error::Interrupted) under unceasing changes.
    pub async fn links(&self) -> Result<Vec<Link>> {
        let mut message = LinkMessage::default();
        message.attributes.push(without_statistics());
        let replies = self
            .dump(Request {
                message: RouteNetlinkMessage::GetLink(message),
                flags: 0,
                operation: "list",
                object: "the links".to_owned(),
            })
            .await?;
        Ok(replies.into_iter().filter_map(link_of).collect())
    }

    async fn link(&self, mut message: LinkMessage, object: String) -> Result<Option<Link>> {
        const OPERATION: &str = "look up";
        message.attributes.push(without_statistics());
        let request = Request {
            message: RouteNetlinkMessage::GetLink(message),
            flags: 0,
            operation: OPERATION,
            object: object.clone(),
        };
        match self.get(request).await {
            Ok(reply) => match link_of(reply) {
                Some(link) => Ok(Some(link)),
                None => Err(Request::malformed(OPERATION, object, "a link")),
            },
            Err(error) if error.is_no_device() => Ok(None),
            Err(error) => Err(error),
        }
    }
}

/// How errors call a device of which only the index is known.
pub(crate) fn device(index: u32) -> String {
    format!("device {index}")
}

/// Counters make up half of an answer and berth reads them nowhere.
fn without_statistics() -> LinkAttribute {
    LinkAttribute::ExtMask(vec![LinkExtentMask::SkipStats])
}

fn link_of(message: RouteNetlinkMessage) -> Option<Link> {
    match message {
        RouteNetlinkMessage::NewLink(message) => Some(Link::from_message(message)),
        _ => None,
    }
}
