//! macvlan devices, born in the pod over a device that stays in the connection's namespace.

use netlink_packet_route::link::{
    InfoData, InfoKind, InfoMacVlan, LinkAttribute, LinkInfo, MacVlanMode,
};

use crate::veth::birth;
use crate::{MacAddr, Netlink, Netns, Result, check_name};

/// How macvlan devices share their lower device.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum MacvlanMode {
    /// One macvlan has the lower device, and its MAC, to itself.
    #[default]
    Passthru,
    /// Several macvlans of MACs of their own, switched among each other.
    Bridge,
}

/// A macvlan to create.
#[derive(Debug, Clone, Copy)]
pub struct MacvlanSpec<'a> {
    /// Name in namespace `netns`.
    pub name: &'a str,
    /// Index of the lower device, in the namespace of the connection.
    pub lower: u32,
    /// Sharing of the lower device.
    pub mode: MacvlanMode,
    /// MAC. In passthru mode the lower device gets it too, as both always have the same one; absent: the lower's.
    pub mac: Option<MacAddr>,
    /// MTU in bytes, at most the lower's; the lower's if absent.
    pub mtu: Option<u32>,
    /// Namespace it is born in.
    pub netns: &'a Netns,
    /// Whether it is born up; ENETDOWN unless the lower device is.
    pub up: bool,
}

impl Netlink {
    /// Creates a macvlan in `spec.netns` over a device of this connection's namespace. Its index is to be asked for
    /// over a connection in its own namespace.
    ///
    /// # Errors
    /// [`Error::Invalid`](crate::Error::Invalid) for an impossible name; EEXIST if it is taken there, ENODEV without
    /// the lower device, EBUSY or EINVAL if that has a master or a passthru macvlan already, else what the kernel
    /// says. The lower's MAC may have been set even then.
    pub async fn create_macvlan(&self, spec: &MacvlanSpec<'_>) -> Result<()> {
        check_name(spec.name)?;
        let mode = match spec.mode {
            MacvlanMode::Passthru => MacVlanMode::Passthrough,
            MacvlanMode::Bridge => MacVlanMode::Bridge,
        };
        // In passthru mode the kernel ignores the address in the request and takes over the lower's.
        let own_mac = match (spec.mode, spec.mac) {
            (MacvlanMode::Passthru, Some(mac)) => {
                self.set_mac(spec.lower, mac).await?;
                None
            }
            (_, mac) => mac,
        };
        let mut message = birth(spec.name, own_mac, spec.mtu, spec.up);
        message.attributes.push(LinkAttribute::Link(spec.lower));
        message
            .attributes
            .push(LinkAttribute::NetNsFd(spec.netns.raw_fd()));
        message.attributes.push(LinkAttribute::LinkInfo(vec![
            LinkInfo::Kind(InfoKind::MacVlan),
            LinkInfo::Data(InfoData::MacVlan(vec![InfoMacVlan::Mode(mode)])),
        ]));
        let object = format!("{} over device {}", spec.name, spec.lower);
        self.create(message, "create macvlan", object).await
    }
}
