//! Ethernet addresses as berth writes them: `aa:bb:cc:dd:ee:ff`.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A 48-bit Ethernet address.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MacAddr(pub [u8; 6]);

/// Text that is no MAC address.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "invalid MAC address {value:?}: six hexadecimal octets such as 0a:58:0a:00:00:02 are expected"
)]
pub struct ParseMacError {
    /// The text.
    pub value: String,
}

impl MacAddr {
    /// A locally administered unicast address made of `seed`, for instance the first octets of a hash: the same seed
    /// gives the same address, and no vendor's address is ever hit. Two bits of the first octet are overwritten.
    pub fn locally_administered(seed: [u8; 6]) -> Self {
        let mut octets = seed;
        octets[0] = (octets[0] & 0xfc) | 0x02;
        Self(octets)
    }

    /// The octets in transmission order.
    pub fn octets(self) -> [u8; 6] {
        self.0
    }

    /// Whether a device can have this address: neither a group address nor all zeros.
    pub fn is_unicast(self) -> bool {
        self.0[0] & 1 == 0 && self.0 != [0; 6]
    }

    /// The address in a netlink attribute, if it is an Ethernet address.
    pub(crate) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self)
    }
}

impl fmt::Display for MacAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, e, g] = self.0;
        write!(f, "{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{g:02x}")
    }
}

impl fmt::Debug for MacAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for MacAddr {
    type Err = ParseMacError;

    /// Six octets of two hexadecimal digits, all joined by `:` or all by `-`.
    fn from_str(text: &str) -> Result<Self, ParseMacError> {
        let error = || ParseMacError {
            value: text.to_owned(),
        };
        let separator = if text.contains('-') { '-' } else { ':' };
        let mut octets = [0; 6];
        let mut parts = text.split(separator);
        for octet in &mut octets {
            let part = parts.next().ok_or_else(error)?;
            if part.len() != 2 || !part.bytes().all(|digit| digit.is_ascii_hexdigit()) {
                return Err(error());
            }
            *octet = u8::from_str_radix(part, 16).map_err(|_| error())?;
        }
        match parts.next() {
            None => Ok(Self(octets)),
            Some(_) => Err(error()),
        }
    }
}

impl Serialize for MacAddr {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for MacAddr {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_and_back() {
        let mac: MacAddr = "0A:58:0a:f4:00:02".parse().unwrap();
        assert_eq!(mac, MacAddr([0x0a, 0x58, 0x0a, 0xf4, 0, 2]));
        assert_eq!(mac.to_string(), "0a:58:0a:f4:00:02");
        assert_eq!("0a-58-0a-f4-00-02".parse(), Ok(mac));
    }

    #[test]
    fn bad_text_is_named() {
        for text in [
            "",
            "0a:58:0a:f4:00",
            "0a:58:0a:f4:00:02:03",
            "0a:58:0a:f4:00:2",
            "0a:58:0a:f4:00:+2",
            "0g:58:0a:f4:00:02",
            "0a58.0af4.0002",
            "0a:58:0a-f4:00:02",
            "0a:58:0a:f4:00:02 ",
        ] {
            let error = text.parse::<MacAddr>().unwrap_err();
            assert_eq!(error.value, text);
            assert!(error.to_string().contains(&format!("{text:?}")), "{error}");
        }
    }

    #[test]
    fn local_addresses_are_unicast_and_stable() {
        for first in 0..=255 {
            let mac = MacAddr::locally_administered([first, 0, 0, 0, 0, 0]);
            assert!(mac.is_unicast(), "{mac}");
            assert_eq!(mac.0[0] & 0b11, 0b10, "{mac}");
        }
        let seed = [0xff, 1, 2, 3, 4, 5];
        assert_eq!(
            MacAddr::locally_administered(seed).to_string(),
            "fe:01:02:03:04:05"
        );
        assert!(!MacAddr([0; 6]).is_unicast());
        assert!(!MacAddr([1, 0, 0x5e, 0, 0, 1]).is_unicast());
    }

    #[test]
    fn serde_uses_the_text() {
        use serde::de::IntoDeserializer;
        use serde::de::value::{Error, StrDeserializer};

        let read = |text: &'static str| -> Result<MacAddr, Error> {
            let text: StrDeserializer<'_, Error> = text.into_deserializer();
            MacAddr::deserialize(text)
        };
        assert_eq!(
            read("0a:58:0a:f4:00:02").unwrap().to_string(),
            "0a:58:0a:f4:00:02"
        );
        assert!(read("eth0").unwrap_err().to_string().contains("\"eth0\""));
    }
}
