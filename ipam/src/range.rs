//! One range of a subnet that addresses are given out from, with host-local's defaults.

use std::fmt;
use std::net::IpAddr;

use ipnetwork::IpNetwork;

use crate::address;

/// Why a range or a set of ranges cannot be allocated from.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RangeError {
    /// No two usable addresses beside the network's own: longer than /30, or /126.
    #[error("network {subnet} is too small to allocate from")]
    TooSmall {
        /// The subnet as given.
        subnet: IpNetwork,
    },
    /// The subnet is written with an address inside it instead of its first one.
    #[error("{subnet} has host bits set, the network address for length {} is {network}", subnet.prefix())]
    HostBits {
        /// The subnet as given.
        subnet: IpNetwork,
        /// The first address of that subnet.
        network: IpAddr,
    },
    /// `rangeStart` or `rangeEnd` lies outside the subnet or is of the other family.
    #[error("{field} {address} is not in network {subnet}")]
    Outside {
        /// `rangeStart` or `rangeEnd`.
        field: &'static str,
        /// The address given.
        address: IpAddr,
        /// The subnet it should be in.
        subnet: IpNetwork,
    },
    /// The range is empty.
    #[error("rangeStart {start} is after rangeEnd {end} in network {subnet}")]
    Reversed {
        /// First address, given or default.
        start: IpAddr,
        /// Last address, given or default.
        end: IpAddr,
        /// The subnet.
        subnet: IpNetwork,
    },
    /// A set without a range.
    #[error("[] is an empty range set")]
    EmptySet,
    /// A set holds v4 and v6 ranges; one address could not be both.
    #[error("{first} and {second} are of different address families in one range set")]
    MixedFamilies {
        /// A range of one family.
        first: String,
        /// A range of the other.
        second: String,
    },
    /// Two ranges share addresses.
    #[error("ranges {first} and {second} overlap")]
    Overlap {
        /// One of them.
        first: String,
        /// The other.
        second: String,
    },
}

/// A range, checked and filled in. Start and end are inclusive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Range {
    /// The subnet; its prefix length is that of the leases.
    pub subnet: IpNetwork,
    /// First address that may be given out.
    pub start: IpAddr,
    /// Last address that may be given out.
    pub end: IpAddr,
    /// The subnet's gateway, which is never given out.
    pub gateway: IpAddr,
}

impl Range {
    /// Checks a range and fills in what is missing: the gateway is the subnet's first
    /// address, the range goes from there to the last one (for v4: before the broadcast).
    ///
    /// # Errors
    /// See [`RangeError`]; the gateway may be any address, as upstream allows.
    pub fn new(
        subnet: IpNetwork,
        start: Option<IpAddr>,
        end: Option<IpAddr>,
        gateway: Option<IpAddr>,
    ) -> Result<Self, RangeError> {
        if subnet.prefix() > address::width(subnet.ip()) - 2 {
            return Err(RangeError::TooSmall { subnet });
        }
        let network = subnet.network();
        if subnet.ip() != network {
            return Err(RangeError::HostBits { subnet, network });
        }
        let (low, high) = address::bounds(subnet);
        let first = address::from_bits(low + 1, network);
        let last = address::from_bits(if network.is_ipv4() { high - 1 } else { high }, network);
        for (field, given) in [("rangeStart", start), ("rangeEnd", end)] {
            if let Some(address) = given.filter(|address| !subnet.contains(*address)) {
                return Err(RangeError::Outside {
                    field,
                    address,
                    subnet,
                });
            }
        }
        let range = Self {
            subnet,
            start: start.unwrap_or(first),
            end: end.unwrap_or(last),
            gateway: gateway.unwrap_or(first),
        };
        if range.start > range.end {
            return Err(RangeError::Reversed {
                start: range.start,
                end: range.end,
                subnet,
            });
        }
        Ok(range)
    }

    /// Whether the address lies between start and end.
    pub fn contains(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        address.is_ipv4() == self.start.is_ipv4() && self.start <= address && address <= self.end
    }

    /// Whether the two share an address.
    pub fn overlaps(&self, other: &Self) -> bool {
        self.start.is_ipv4() == other.start.is_ipv4()
            && self.start <= other.end
            && other.start <= self.end
    }

    /// What keeps an address of this range from being a pod's, if anything: being the
    /// gateway, the network address (in v6 the routers' anycast address) or the broadcast.
    /// Upstream gives out the latter two when `rangeStart` or `rangeEnd` names them.
    pub(crate) fn role(&self, address: IpAddr) -> Option<&'static str> {
        if address == self.gateway {
            Some("gateway")
        } else if address == self.subnet.network() {
            Some("network address")
        } else if address.is_ipv4() && address == self.subnet.broadcast() {
            Some("broadcast address")
        } else {
            None
        }
    }
}

impl fmt::Display for Range {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.start, self.end)
    }
}
