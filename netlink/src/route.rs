//! Unicast routes through one device, of any table.

use std::net::IpAddr;

use ipnetwork::IpNetwork;
use netlink_packet_core::{NLM_F_CREATE, NLM_F_REPLACE};
use netlink_packet_route::route::{
    RouteAddress, RouteAttribute, RouteFlags, RouteHeader, RouteMessage, RouteMetric,
    RouteProtocol, RouteType,
};
use netlink_packet_route::{AddressFamily, RouteNetlinkMessage};
use nix::errno::Errno;

use crate::addr::family_of;
use crate::connection::Request;
use crate::{Error, Netlink, Result};

/// The table that `ip route` shows.
pub const MAIN_TABLE: u32 = 254;
/// Scope of a route through a gateway.
pub const SCOPE_UNIVERSE: u8 = 0;
/// Scope of a route to something on the link itself.
pub const SCOPE_LINK: u8 = 253;
/// Scope of a route to the host itself.
pub const SCOPE_HOST: u8 = 254;

/// A route. In one that is wanted, an absent field leaves the choice to the kernel; in one that was read, an absent
/// field is one that the route does not have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    /// Where it leads; of prefix length 0 for a default route. Host bits are ignored.
    pub dst: IpNetwork,
    /// Next hop, of the family of `dst`.
    pub gateway: Option<IpAddr>,
    /// Index of the device it goes out of.
    pub dev: u32,
    /// The next hop is on the link although no address of the device says so.
    pub onlink: bool,
    /// Source address that connections get which do not choose one.
    pub src: Option<IpAddr>,
    /// Path MTU in bytes.
    pub mtu: Option<u32>,
    /// MSS that is announced for TCP, in bytes.
    pub advmss: Option<u32>,
    /// Metric; of two routes the lower one wins. IPv6 makes 1024 of absent and of 0.
    pub priority: Option<u32>,
    /// Table.
    pub table: u32,
    /// IPv4: scope. Absent in a wanted route: link without a gateway, universe with one.
    pub scope: Option<u8>,
}

impl Route {
    /// A route of the main table to `dst` straight out of device `dev`.
    pub fn new(dst: IpNetwork, dev: u32) -> Self {
        Self {
            dst,
            gateway: None,
            dev,
            onlink: false,
            src: None,
            mtu: None,
            advmss: None,
            priority: None,
            table: MAIN_TABLE,
            scope: None,
        }
    }

    /// The same through a gateway.
    pub fn via(self, gateway: IpAddr) -> Self {
        Self {
            gateway: Some(gateway),
            ..self
        }
    }

    /// Whether this route, as read from the kernel, is what `wanted` asked for: equal where `wanted` says something,
    /// whatever the kernel chose where it does not.
    pub fn satisfies(&self, wanted: &Self) -> bool {
        fn free_or_equal<T: PartialEq>(wanted: Option<T>, actual: Option<T>) -> bool {
            wanted.is_none() || wanted == actual
        }
        network_of(self.dst) == network_of(wanted.dst)
            && self.gateway == wanted.gateway
            && self.dev == wanted.dev
            && (self.onlink || !wanted.onlink)
            && free_or_equal(wanted.src, self.src)
            && self.mtu == wanted.mtu
            && self.advmss == wanted.advmss
            && self.effective_priority() == wanted.effective_priority()
            && self.table == wanted.table
            && (self.dst.is_ipv6() || wanted.effective_scope() == self.effective_scope())
    }

    fn effective_priority(&self) -> u32 {
        match self.priority.unwrap_or(0) {
            0 if self.dst.is_ipv6() => 1024,
            priority => priority,
        }
    }

    fn effective_scope(&self) -> u8 {
        match (self.scope, self.gateway) {
            (Some(scope), _) => scope,
            (None, Some(_)) => SCOPE_UNIVERSE,
            (None, None) => SCOPE_LINK,
        }
    }

    fn check(&self) -> Result<()> {
        let other_family = |ip: Option<IpAddr>| ip.filter(|ip| ip.is_ipv4() != self.dst.is_ipv4());
        let (what, ip) = match (other_family(self.gateway), other_family(self.src)) {
            (Some(ip), _) => ("gateway", ip),
            (None, Some(ip)) => ("source address", ip),
            (None, None) => return Ok(()),
        };
        Err(Error::Invalid {
            what,
            value: ip.to_string(),
            reason: "it is not of the family of the route's destination",
        })
    }

    fn message(&self) -> RouteMessage {
        let mut message = RouteMessage::default();
        let dst = network_of(self.dst);
        message.header = RouteHeader {
            address_family: family_of(dst.ip()),
            destination_prefix_length: dst.prefix(),
            table: u8::try_from(self.table).unwrap_or(RouteHeader::RT_TABLE_UNSPEC),
            protocol: RouteProtocol::Boot,
            scope: if dst.is_ipv4() {
                self.effective_scope()
            } else {
                0
            }
            .into(),
            kind: RouteType::Unicast,
            ..RouteHeader::default()
        };
        message.header.flags.set(RouteFlags::Onlink, self.onlink);
        let attributes = &mut message.attributes;
        attributes.push(RouteAttribute::Destination(dst.ip().into()));
        attributes.push(RouteAttribute::Oif(self.dev));
        attributes.push(RouteAttribute::Table(self.table));
        attributes.extend(self.gateway.map(|ip| RouteAttribute::Gateway(ip.into())));
        attributes.extend(self.src.map(|ip| RouteAttribute::PrefSource(ip.into())));
        attributes.extend(self.priority.map(RouteAttribute::Priority));
        let mtu = self.mtu.map(RouteMetric::Mtu);
        let metrics: Vec<_> = mtu
            .into_iter()
            .chain(self.advmss.map(RouteMetric::Advmss))
            .collect();
        if !metrics.is_empty() {
            attributes.push(RouteAttribute::Metrics(metrics));
        }
        message
    }

    fn described(&self) -> String {
        let gateway = self
            .gateway
            .map(|ip| format!(" via {ip}"))
            .unwrap_or_default();
        format!("{}{gateway} on device {}", self.dst, self.dev)
    }

    /// The route in a message, if it is a unicast route through one device.
    fn from_message(message: &RouteMessage) -> Option<Self> {
        let header = &message.header;
        if header.kind != RouteType::Unicast || header.flags.contains(RouteFlags::Cloned) {
            return None;
        }
        let any = match header.address_family {
            AddressFamily::Inet => IpAddr::from([0; 4]),
            AddressFamily::Inet6 => IpAddr::from([0; 16]),
            _ => return None,
        };
        let mut route = Self::new(
            IpNetwork::new(any, header.destination_prefix_length).ok()?,
            0,
        );
        route.table = header.table.into();
        route.onlink = header.flags.contains(RouteFlags::Onlink);
        route.scope = Some(header.scope.into());
        for attribute in &message.attributes {
            match attribute {
                RouteAttribute::Destination(ip) => {
                    route.dst = IpNetwork::new(ip_of(ip)?, route.dst.prefix()).ok()?
                }
                RouteAttribute::Gateway(ip) => route.gateway = ip_of(ip),
                RouteAttribute::PrefSource(ip) => route.src = ip_of(ip),
                RouteAttribute::Oif(index) => route.dev = *index,
                RouteAttribute::Priority(priority) => route.priority = Some(*priority),
                RouteAttribute::Table(table) => route.table = *table,
                RouteAttribute::Metrics(metrics) => route.read_metrics(metrics),
                _ => {}
            }
        }
        (route.dev != 0).then_some(route)
    }

    fn read_metrics(&mut self, metrics: &[RouteMetric]) {
        for metric in metrics {
            match metric {
                RouteMetric::Mtu(mtu) => self.mtu = Some(*mtu),
                RouteMetric::Advmss(advmss) => self.advmss = Some(*advmss),
                _ => {}
            }
        }
    }
}

impl Netlink {
    /// The unicast routes of all tables through one device, or through any. Routes over several next hops are left
    /// out, as are those without a device (blackhole, unreachable) and those of the host's own addresses.
    ///
    /// # Errors
    /// ENODEV without such a device, else what the kernel says.
    pub async fn routes(&self, dev: Option<u32>) -> Result<Vec<Route>> {
        let mut routes = Vec::new();
        for family in [AddressFamily::Inet, AddressFamily::Inet6] {
            let mut message = RouteMessage::default();
            message.header.address_family = family;
            message.attributes.extend(dev.map(RouteAttribute::Oif));
            let replies = self
                .dump(Request {
                    message: RouteNetlinkMessage::GetRoute(message),
                    flags: 0,
                    operation: "list",
                    object: match dev {
                        Some(index) => format!("the routes of device {index}"),
                        None => "the routes".to_owned(),
                    },
                })
                .await?;
            routes.extend(replies.iter().filter_map(|reply| {
                match reply {
                    RouteNetlinkMessage::NewRoute(message)
                        if message.header.address_family == family =>
                    {
                        Route::from_message(message)
                            .filter(|route| dev.is_none_or(|index| index == route.dev))
                    }
                    _ => None,
                }
            }));
        }
        Ok(routes)
    }

    /// Adds a route, or puts it in the place of the one of the same destination, metric and table.
    ///
    /// # Errors
    /// [`Error::Invalid`] for a gateway or source of the other family, else what the kernel says: ENETUNREACH for a
    /// gateway that is not reachable and not `onlink`, ENETDOWN for a device that is down.
    pub async fn ensure_route(&self, route: &Route) -> Result<()> {
        route.check()?;
        self.change(Request {
            message: RouteNetlinkMessage::NewRoute(route.message()),
            flags: NLM_F_CREATE | NLM_F_REPLACE,
            operation: "add route",
            object: route.described(),
        })
        .await
    }

    /// Removes a route; false if there is none such.
    ///
    /// # Errors
    /// [`Error::Invalid`] for a gateway or source of the other family, else what the kernel says.
    pub async fn del_route(&self, route: &Route) -> Result<bool> {
        route.check()?;
        let outcome = self
            .change(Request {
                message: RouteNetlinkMessage::DelRoute(route.message()),
                flags: 0,
                operation: "remove route",
                object: route.described(),
            })
            .await;
        match outcome {
            Ok(()) => Ok(true),
            Err(error) if matches!(error.errno(), Some(Errno::ESRCH | Errno::ENODEV)) => Ok(false),
            Err(error) => Err(error),
        }
    }
}

/// The destination without host bits.
fn network_of(dst: IpNetwork) -> IpNetwork {
    IpNetwork::new(dst.network(), dst.prefix()).expect("the prefix is that of a valid network")
}

fn ip_of(address: &RouteAddress) -> Option<IpAddr> {
    match address {
        RouteAddress::Inet(ip) => Some((*ip).into()),
        RouteAddress::Inet6(ip) => Some((*ip).into()),
        _ => None,
    }
}
