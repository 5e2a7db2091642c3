//! Addresses of both families in one shape.

/// An IPv6 address, or an IPv4 address mapped into one (`::ffff:a.b.c.d`), in network byte
/// order: one table serves both families, and v4-in-v6 sockets need no case of their own.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Address(pub [u32; 4]);

/// The third word of a mapped address.
const MAPPED: u32 = 0xffff_u32.to_be();

impl Address {
    /// From the four bytes of an IPv4 address as they lie in a packet.
    #[inline(always)]
    pub const fn from_v4_be(v4_be: u32) -> Self {
        Self([0, 0, MAPPED, v4_be])
    }

    /// From the words of an IPv6 address as they lie in a packet.
    #[inline(always)]
    pub const fn from_v6_be(v6_be: [u32; 4]) -> Self {
        Self(v6_be)
    }

    /// The IPv4 address as it lies in a packet, if this is one.
    #[inline(always)]
    pub const fn v4_be(&self) -> Option<u32> {
        if self.0[0] == 0 && self.0[1] == 0 && self.0[2] == MAPPED {
            Some(self.0[3])
        } else {
            None
        }
    }
}

impl From<core::net::IpAddr> for Address {
    fn from(address: core::net::IpAddr) -> Self {
        let octets = match address {
            core::net::IpAddr::V4(v4) => v4.to_ipv6_mapped().octets(),
            core::net::IpAddr::V6(v6) => v6.octets(),
        };
        let word = |n: usize| {
            let mut word = [0; 4];
            word.copy_from_slice(&octets[n * 4..n * 4 + 4]);
            u32::from_ne_bytes(word)
        };
        Self([word(0), word(1), word(2), word(3)])
    }
}

impl From<Address> for core::net::IpAddr {
    fn from(address: Address) -> Self {
        let mut octets = [0; 16];
        for (n, word) in address.0.iter().enumerate() {
            octets[n * 4..n * 4 + 4].copy_from_slice(&word.to_ne_bytes());
        }
        core::net::Ipv6Addr::from(octets).to_canonical()
    }
}

impl core::fmt::Display for Address {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        core::net::IpAddr::from(*self).fmt(f)
    }
}
