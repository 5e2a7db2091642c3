//! A MAC address in OVSDB's notation, `aa:bb:cc:dd:ee:ff`.
use std::fmt;
use std::str::FromStr;

/// Six octets, in the order they go over the wire.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Mac(pub [u8; 6]);

/// A string is not six pairs of hexadecimal digits with colons between.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("{0:?} is not a MAC address")]
pub struct NotMac(pub String);

impl fmt::Display for Mac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, e, g] = self.0;
        write!(f, "{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{g:02x}")
    }
}

impl fmt::Debug for Mac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Mac {
    type Err = NotMac;

    fn from_str(text: &str) -> Result<Self, NotMac> {
        let wrong = || NotMac(text.to_owned());
        let mut octets = [0; 6];
        let mut parts = text.split(':');
        for octet in &mut octets {
            let part = parts.next().ok_or_else(wrong)?;
            if part.len() != 2 || !part.bytes().all(|digit| digit.is_ascii_hexdigit()) {
                return Err(wrong());
            }
            *octet = u8::from_str_radix(part, 16).map_err(|_| wrong())?;
        }
        if parts.next().is_some() {
            return Err(wrong());
        }
        Ok(Mac(octets))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn round_trip() {
        let mac: Mac = "0A:bb:0c:dd:0e:ff".parse().unwrap();
        assert_eq!(mac, Mac([0x0a, 0xbb, 0x0c, 0xdd, 0x0e, 0xff]));
        assert_eq!(mac.to_string(), "0a:bb:0c:dd:0e:ff");
    }

    #[test]
    fn wrong_forms_are_named() {
        for text in [
            "",
            "aa:bb:cc:dd:ee",
            "aa:bb:cc:dd:ee:ff:00",
            "aa:bb:cc:dd:ee:+f",
            "a:bb:cc:dd:ee:fff",
        ] {
            assert_eq!(text.parse::<Mac>(), Err(NotMac(text.to_owned())));
        }
    }
}
