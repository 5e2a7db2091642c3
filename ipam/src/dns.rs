//! The resolver settings that `resolvConf` names.

use std::path::Path;

use crate::error::Error;

/// Resolver settings of a result.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize)]
pub struct Dns {
    /// Addresses of name servers, in order of preference.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub nameservers: Vec<String>,
    /// The local domain.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub domain: Option<String>,
    /// Search list.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub search: Vec<String>,
    /// Resolver options.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub options: Vec<String>,
}

impl Dns {
    /// Whether nothing is set, so that the result can leave `dns` out.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Reads a resolv.conf; see [`Dns::parse`].
    pub(crate) fn read(path: &Path) -> Result<Self, Error> {
        let contents = std::fs::read(path).map_err(|source| Error::io("read", path, source))?;
        Ok(Self::parse(&String::from_utf8_lossy(&contents)))
    }

    /// Understands resolv.conf's `nameserver`, `domain`, `search` and `options`. Comments
    /// (`#`, `;`), other keywords and keywords without a value are skipped. Several
    /// `search` and `options` lines add up, as in upstream; of several domains the last counts.
    pub(crate) fn parse(text: &str) -> Self {
        let mut dns = Self::default();
        for line in text
            .lines()
            .map(str::trim)
            .filter(|line| !line.starts_with(['#', ';']))
        {
            let mut words = line.split_whitespace();
            let Some(keyword) = words.next() else {
                continue;
            };
            let mut values = words.map(str::to_owned).peekable();
            if values.peek().is_none() {
                continue;
            }
            match keyword {
                "nameserver" => dns.nameservers.extend(values.next()),
                "domain" => dns.domain = values.next(),
                "search" => dns.search.extend(values),
                "options" => dns.options.extend(values),
                _ => {}
            }
        }
        dns
    }
}
