//! Bonds in active-backup mode: an `eth0` that outlives the port below it.

use netlink_packet_route::link::{
    BondFailOverMac, BondMode, InfoBond, InfoData, InfoKind, LinkAttribute, LinkInfo,
};

use crate::veth::birth;
use crate::{Link, MacAddr, Netlink, Result, check_name};

/// Whose MAC a bond and its ports have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum FailOverMac {
    /// Every port gets the bond's MAC.
    #[default]
    None,
    /// The bond has the active port's MAC; ports keep theirs.
    Active,
    /// A port gets the bond's MAC when it becomes active.
    Follow,
}

/// A bond to create in the namespace of the connection. Its mode is active-backup; ports are added with
/// [`Netlink::set_master`].
#[derive(Debug, Clone, Copy, Default)]
pub struct BondSpec<'a> {
    /// Name.
    pub name: &'a str,
    /// MAC; that of the first port if absent.
    pub mac: Option<MacAddr>,
    /// MTU in bytes; 1500 if absent. Ports get the bond's MTU.
    pub mtu: Option<u32>,
    /// Alias, at most 255 bytes.
    pub alias: Option<&'a str>,
    /// Whose MAC is whose.
    pub fail_over_mac: FailOverMac,
    /// Interval in milliseconds at which the ports' carrier is looked at; 0: ports always count as working.
    pub miimon: u32,
    /// Whether it is born up.
    pub up: bool,
}

impl Netlink {
    /// Creates a bond. On an error none is left.
    ///
    /// # Errors
    /// [`Error::Invalid`](crate::Error::Invalid) for an impossible name; EOPNOTSUPP
    /// ([`Error::is_not_supported`](crate::Error::is_not_supported)) where the kernel has no bonding, EEXIST if the
    /// name is taken, else what the kernel says.
    pub async fn create_bond(&self, spec: &BondSpec<'_>) -> Result<Link> {
        const OPERATION: &str = "create bond";
        check_name(spec.name)?;
        let fail_over_mac = match spec.fail_over_mac {
            FailOverMac::None => BondFailOverMac::None,
            FailOverMac::Active => BondFailOverMac::Active,
            FailOverMac::Follow => BondFailOverMac::Follow,
        };
        let mut message = birth(spec.name, spec.mac, spec.mtu, spec.up);
        message.attributes.push(LinkAttribute::LinkInfo(vec![
            LinkInfo::Kind(InfoKind::Bond),
            LinkInfo::Data(InfoData::Bond(vec![
                InfoBond::Mode(BondMode::ActiveBackup),
                InfoBond::MiiMon(spec.miimon),
                InfoBond::FailOverMac(fail_over_mac),
            ])),
        ]));
        self.create(message, OPERATION, spec.name.to_owned())
            .await?;
        self.born(OPERATION, spec.name, spec.alias).await
    }
}
