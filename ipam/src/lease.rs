//! What a lease file says: whose the address is.

use std::fmt;
use std::net::IpAddr;

use crate::error::Error;

/// Between container id and interface name, as upstream writes it on every system.
const SEPARATOR: &str = "\r\n";

/// One lease in the store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredLease {
    /// The address; the name of the file.
    pub address: IpAddr,
    /// What the file says.
    pub holder: Holder,
}

/// The holder of a lease as its file names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Holder {
    /// An interface of a container.
    Interface {
        /// Container id.
        container_id: String,
        /// Interface name.
        ifname: String,
    },
    /// A container; host-local before 0.7 did not write the interface.
    Container {
        /// Container id.
        container_id: String,
    },
    /// The file is empty or makes no sense: a full disk or a power loss while upstream's
    /// plugin wrote it. GC removes it.
    Corrupt {
        /// The beginning of what it holds.
        contents: String,
    },
}

impl Holder {
    /// Understands a file's contents; white space around them does not count.
    pub(crate) fn parse(contents: &[u8]) -> Self {
        let corrupt = || Self::Corrupt {
            contents: String::from_utf8_lossy(contents).chars().take(64).collect(),
        };
        let Ok(text) = std::str::from_utf8(contents) else {
            return corrupt();
        };
        let text = text.trim();
        let (container_id, ifname) = match text.split_once(SEPARATOR) {
            Some((container_id, ifname)) => (container_id, Some(ifname)),
            None => (text, None),
        };
        let is_name = |name: &str| {
            !name.is_empty() && !name.contains(|c: char| c.is_whitespace() || c.is_control())
        };
        match ifname {
            _ if !is_name(container_id) => corrupt(),
            Some(ifname) if !is_name(ifname) => corrupt(),
            Some(ifname) => Self::Interface {
                container_id: container_id.to_owned(),
                ifname: ifname.to_owned(),
            },
            None => Self::Container {
                container_id: container_id.to_owned(),
            },
        }
    }

    /// The interface with this id and name.
    ///
    /// # Errors
    /// When either is empty or has white space inside: such a lease could not be read back.
    pub(crate) fn interface(container_id: &str, ifname: &str) -> Result<Self, Error> {
        let container_id = container_id.trim();
        let written = format!("{container_id}{SEPARATOR}{ifname}");
        match Self::parse(written.as_bytes()) {
            holder @ Self::Interface { .. } if holder.contents() == written => Ok(holder),
            _ if Self::parse(container_id.as_bytes()) == Self::container(container_id) => {
                Err(Error::Identity {
                    field: "interface name",
                    value: ifname.to_owned(),
                })
            }
            _ => Err(Error::Identity {
                field: "container id",
                value: container_id.to_owned(),
            }),
        }
    }

    /// The container as a whole, as old files have it.
    pub(crate) fn container(container_id: &str) -> Self {
        Self::Container {
            container_id: container_id.trim().to_owned(),
        }
    }

    /// What the lease file holds for this holder.
    pub(crate) fn contents(&self) -> String {
        match self {
            Self::Interface {
                container_id,
                ifname,
            } => format!("{container_id}{SEPARATOR}{ifname}"),
            Self::Container { container_id } => container_id.clone(),
            Self::Corrupt { contents } => contents.clone(),
        }
    }
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Interface {
                container_id,
                ifname,
            } => write!(f, "container {container_id} interface {ifname}"),
            Self::Container { container_id } => write!(f, "container {container_id}"),
            Self::Corrupt { contents } => write!(f, "a corrupt file ({contents:?})"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn contents_round_trip() {
        let holder = Holder::interface(" abc\n", "eth0").unwrap();
        assert_eq!(holder.contents(), "abc\r\neth0");
        assert_eq!(Holder::parse(b"  abc\r\neth0\n"), holder);
        assert_eq!(Holder::parse(b"abc"), Holder::container("abc"));
        assert_eq!(
            Holder::parse(b"abc\r\n"),
            Holder::container("abc"),
            "upstream trims before it compares"
        );
    }

    #[test]
    fn what_makes_no_sense_is_corrupt() {
        for contents in [
            &b""[..],
            b" \n",
            b"\r\neth0 x",
            b"a b\r\neth0",
            b"a\r\neth0\r\neth1",
            b"\xff\xfe",
            b"a\0b",
        ] {
            assert!(
                matches!(Holder::parse(contents), Holder::Corrupt { .. }),
                "{contents:?}"
            );
        }
    }

    #[test]
    fn names_that_could_not_be_read_back_are_refused() {
        for (id, ifname, message) in [
            (
                "",
                "eth0",
                "container id \"\" is empty or has white space in it",
            ),
            (
                "a b",
                "eth0",
                "container id \"a b\" is empty or has white space in it",
            ),
            (
                "a",
                "",
                "interface name \"\" is empty or has white space in it",
            ),
            (
                "a",
                "eth0 ",
                "interface name \"eth0 \" is empty or has white space in it",
            ),
            (
                "a",
                "e\r\nf",
                "interface name \"e\\r\\nf\" is empty or has white space in it",
            ),
        ] {
            assert_eq!(
                Holder::interface(id, ifname).unwrap_err().to_string(),
                message
            );
        }
    }
}
