//! veth pairs, with either end born in the namespace where it stays.

use netlink_packet_core::{NLM_F_CREATE, NLM_F_EXCL};
use netlink_packet_route::RouteNetlinkMessage;
use netlink_packet_route::link::{
    InfoData, InfoKind, InfoVeth, LinkAttribute, LinkInfo, LinkMessage,
};

use crate::connection::Request;
use crate::link_change::{alias_attribute, set_state};
use crate::link_delete::delete_request;
use crate::{Link, MacAddr, Netlink, Netns, Result, check_name};

/// A veth pair to create. The first end is born in the namespace of the connection.
#[derive(Debug, Clone, Copy)]
pub struct VethSpec<'a> {
    /// Name of this end.
    pub name: &'a str,
    /// MAC of this end; the kernel draws one if absent.
    pub mac: Option<MacAddr>,
    /// MTU of this end in bytes; 1500 if absent.
    pub mtu: Option<u32>,
    /// Alias of this end, at most 255 bytes.
    pub alias: Option<&'a str>,
    /// Whether this end is born up.
    pub up: bool,
    /// The other end.
    pub peer: VethPeer<'a>,
}

/// The other end of a veth pair to create. It is born down: the kernel makes it before the end that it belongs to, and
/// would refuse to set it up (ENOTCONN).
#[derive(Debug, Clone, Copy)]
pub struct VethPeer<'a> {
    /// Namespace it is born in.
    pub netns: &'a Netns,
    /// Name in that namespace.
    pub name: &'a str,
    /// MAC; the kernel draws one if absent.
    pub mac: Option<MacAddr>,
    /// MTU in bytes; 1500 if absent.
    pub mtu: Option<u32>,
}

/// A veth pair that was created.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VethPair {
    /// The end in the connection's namespace, as it was right after creation.
    pub link: Link,
    /// Index of the other end in its own namespace.
    pub peer_index: u32,
}

impl Netlink {
    /// Creates a veth pair. On an error no pair is left.
    ///
    /// The kernel takes everything but the alias at creation, so there is a moment in which the device exists without
    /// it.
    ///
    /// # Errors
    /// [`Error::Invalid`](crate::Error::Invalid) for an impossible name; EEXIST if either name is taken, else what the kernel says.
    pub async fn create_veth(&self, spec: &VethSpec<'_>) -> Result<VethPair> {
        const OPERATION: &str = "create veth";
        check_name(spec.name)?;
        check_name(spec.peer.name)?;
        let mut peer = birth(spec.peer.name, spec.peer.mac, spec.peer.mtu, false);
        peer.attributes
            .push(LinkAttribute::NetNsFd(spec.peer.netns.raw_fd()));
        let mut message = birth(spec.name, spec.mac, spec.mtu, spec.up);
        message.attributes.push(LinkAttribute::LinkInfo(vec![
            LinkInfo::Kind(InfoKind::Veth),
            LinkInfo::Data(InfoData::Veth(InfoVeth::Peer(peer))),
        ]));
        let object = format!("{} with peer {}", spec.name, spec.peer.name);
        self.create(message, OPERATION, object.clone()).await?;
        let link = self.born(OPERATION, spec.name, spec.alias).await?;
        match link.lower {
            Some(peer_index) => Ok(VethPair { link, peer_index }),
            None => Err(Request::malformed(
                OPERATION,
                object,
                "the index of the peer",
            )),
        }
    }

    /// Asks for a new device.
    pub(crate) async fn create(
        &self,
        message: LinkMessage,
        operation: &'static str,
        object: String,
    ) -> Result<()> {
        self.change(Request {
            message: RouteNetlinkMessage::NewLink(message),
            flags: NLM_F_CREATE | NLM_F_EXCL,
            operation,
            object,
        })
        .await
    }

    /// Gives the device that was just created here its alias and reads it back; on an error it is deleted.
    pub(crate) async fn born(
        &self,
        operation: &'static str,
        name: &str,
        alias: Option<&str>,
    ) -> Result<Link> {
        let outcome = async {
            if let Some(alias) = alias {
                let mut message = LinkMessage::default();
                message
                    .attributes
                    .push(LinkAttribute::IfName(name.to_owned()));
                message.attributes.push(alias_attribute(alias));
                self.change(Request {
                    message: RouteNetlinkMessage::SetLink(message),
                    flags: 0,
                    operation: "set the alias of",
                    object: name.to_owned(),
                })
                .await?;
            }
            let link = self.link_by_name(name).await?;
            link.ok_or_else(|| Request::malformed(operation, name, "the new device"))
        }
        .await;
        if outcome.is_err() {
            let mut message = LinkMessage::default();
            message
                .attributes
                .push(LinkAttribute::IfName(name.to_owned()));
            // The first error is the one to report.
            let _: Result<()> = self.change(delete_request(message, name.to_owned())).await;
        }
        outcome
    }
}

/// What every kind of device has at birth.
pub(crate) fn birth(name: &str, mac: Option<MacAddr>, mtu: Option<u32>, up: bool) -> LinkMessage {
    let mut message = LinkMessage::default();
    message
        .attributes
        .push(LinkAttribute::IfName(name.to_owned()));
    if let Some(mac) = mac {
        message
            .attributes
            .push(LinkAttribute::Address(mac.octets().to_vec()));
    }
    if let Some(mtu) = mtu {
        message.attributes.push(LinkAttribute::Mtu(mtu));
    }
    if up {
        set_state(&mut message, true);
    }
    message
}
