//! Addresses as host-local writes them: one canonical form per address, with or without
//! a prefix length, and the integer view that range arithmetic needs.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnetwork::IpNetwork;

/// Parses an address; a v4 address mapped into v6 is the v4 address, since both would
/// otherwise name the same lease by two file names.
pub(crate) fn parse(text: &str) -> Option<IpAddr> {
    text.parse::<IpAddr>().ok().map(|ip| ip.to_canonical())
}

/// Parses `ADDRESS` or `ADDRESS/LENGTH` and gives the address.
pub(crate) fn parse_with_optional_prefix(text: &str) -> Option<IpAddr> {
    if text.contains('/') {
        let (address, prefix) = text.split_once('/')?;
        let address: IpAddr = address.parse().ok()?;
        prefix_length(prefix, address)?;
        Some(address.to_canonical())
    } else {
        parse(text)
    }
}

/// Parses `ADDRESS/LENGTH`, keeping host bits; a netmask in place of the length, a sign
/// or a missing length is refused, as is a network of v4 addresses mapped into v6.
pub(crate) fn parse_network(text: &str) -> Option<IpNetwork> {
    let (address, prefix) = text.split_once('/')?;
    let address: IpAddr = address.parse().ok()?;
    if address.to_canonical() != address {
        return None;
    }
    IpNetwork::new(address, prefix_length(prefix, address)?).ok()
}

fn prefix_length(text: &str, address: IpAddr) -> Option<u8> {
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    text.parse().ok().filter(|length| *length <= width(address))
}

/// Bits in an address of this family.
pub(crate) fn width(address: IpAddr) -> u8 {
    if address.is_ipv4() { 32 } else { 128 }
}

/// The address as a number, comparable within its family only.
pub(crate) fn to_bits(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => u128::from(address.to_bits()),
        IpAddr::V6(address) => address.to_bits(),
    }
}

/// The address of the family of `like` with this number.
pub(crate) fn from_bits(bits: u128, like: IpAddr) -> IpAddr {
    match like {
        IpAddr::V4(_) => {
            let bits = u32::try_from(bits).expect("a v4 range holds numbers of 32 bits only");
            IpAddr::V4(Ipv4Addr::from_bits(bits))
        }
        IpAddr::V6(_) => IpAddr::V6(Ipv6Addr::from_bits(bits)),
    }
}

/// First and last number of a network, host bits all zero and all one.
pub(crate) fn bounds(network: IpNetwork) -> (u128, u128) {
    (to_bits(network.network()), to_bits(network.broadcast()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// File names have to be the very ones that Go's net.IP prints.
    #[test]
    fn an_address_has_one_canonical_form() {
        for (text, canonical) in [
            ("10.1.2.3", "10.1.2.3"),
            ("::ffff:10.1.2.3", "10.1.2.3"),
            ("2001:DB8:0:0:0:0:0:1", "2001:db8::1"),
            ("2001:db8:0:0:1:0:0:1", "2001:db8::1:0:0:1"),
            ("2001:db8:0:1:0:1:0:1", "2001:db8:0:1:0:1:0:1"),
            ("::1.2.3.4", "::102:304"),
            ("::", "::"),
            ("0:0:1::", "0:0:1::"),
            ("1:0:0:2:0:0:0:3", "1:0:0:2::3"),
            ("1:0:0:0:2:0:0:0", "1::2:0:0:0"),
            ("::ffff:0:1.2.3.4", "::ffff:0:102:304"),
            ("2001:db8:5:0:f:f:f:f", "2001:db8:5:0:f:f:f:f"),
            ("64:ff9b::1.2.3.4", "64:ff9b::102:304"),
        ] {
            assert_eq!(parse(text).unwrap().to_string(), canonical, "{text}");
        }
    }

    #[test]
    fn a_prefix_length_is_a_plain_number() {
        assert_eq!(parse_with_optional_prefix("10.0.0.1/24"), parse("10.0.0.1"));
        assert_eq!(parse_with_optional_prefix("10.0.0.1"), parse("10.0.0.1"));
        for text in [
            "10.0.0.1/33",
            "10.0.0.1/+8",
            "10.0.0.1/",
            "/8",
            "10.0.0.1/255.0.0.0",
            "010.0.0.1/8",
            "::1/129",
            "",
        ] {
            assert_eq!(parse_with_optional_prefix(text), None, "{text}");
            assert_eq!(parse_network(text), None, "{text}");
        }
        assert_eq!(parse_network("10.0.0.1"), None);
        assert_eq!(parse_network("::ffff:10.0.0.0/120"), None);
        assert_eq!(
            parse_network("10.0.0.1/8").unwrap().to_string(),
            "10.0.0.1/8"
        );
    }

    #[test]
    fn numbers_and_addresses_convert_both_ways() {
        for text in [
            "0.0.0.0",
            "255.255.255.255",
            "::",
            "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
        ] {
            let address = parse(text).unwrap();
            assert_eq!(from_bits(to_bits(address), address), address);
        }
    }
}
