//! `runtimeConfig`: what the runtime adds for one container.
//!
//! `mac` is read with the other places where a MAC can be, `ips` and `ipRanges`
//! by the IPAM plugin they are meant for; their types are checked here all the
//! same, so that a bad one is refused whichever plugin allocates.

use serde_json::Value;

use super::report_unknown;
use crate::field::{Field, FieldError};
use crate::result::Dns;

/// Capabilities that are taken or knowingly left to other plugins.
const KNOWN: [&str; 11] = [
    "portMappings",
    "ipRanges",
    "ips",
    "mac",
    "bandwidth",
    "dns",
    "infinibandGUID",
    "deviceID",
    "aliases",
    "cgroupPath",
    "io.kubernetes.cri.pod-annotations",
];

/// What the runtime asks for besides addresses and MAC.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Runtime {
    /// `portMappings`, as given.
    pub port_mappings: Vec<Value>,
    /// `bandwidth`, as given, if it limits anything.
    pub bandwidth: Option<Value>,
    /// `dns`: what it sets takes the place of other sources.
    pub dns: Dns,
}

impl Runtime {
    /// Reads and checks the object.
    pub fn parse(field: &Field<'_>) -> Result<Self, FieldError> {
        report_unknown(field, &KNOWN)?;
        field.key("ips")?.strings()?;
        for set in field.key("ipRanges")?.list()? {
            set.list()?;
        }
        Ok(Self {
            port_mappings: port_mappings(&field.key("portMappings")?)?,
            bandwidth: bandwidth(&field.key("bandwidth")?)?,
            dns: dns(&field.key("dns")?)?,
        })
    }
}

fn port_mappings(field: &Field<'_>) -> Result<Vec<Value>, FieldError> {
    let mut mappings = Vec::new();
    for mapping in field.list()? {
        for key in ["hostPort", "containerPort"] {
            let port = mapping.key(key)?;
            if port.number(0..=65535)?.is_none() {
                return Err(port.wrong("a port number"));
            }
        }
        let protocol = mapping.key("protocol")?;
        let name = protocol.string()?.unwrap_or_default().to_ascii_lowercase();
        if !["", "tcp", "udp", "sctp"].contains(&name.as_str()) {
            return Err(protocol.wrong("tcp, udp or sctp"));
        }
        let address = mapping.key("hostIP")?;
        if address.string()? != Some("") {
            address.parse::<std::net::IpAddr>("an IP address")?;
        }
        mappings.extend(mapping.value().cloned());
    }
    Ok(mappings)
}

fn bandwidth(field: &Field<'_>) -> Result<Option<Value>, FieldError> {
    let mut limited = false;
    for key in ["ingressRate", "ingressBurst", "egressRate", "egressBurst"] {
        let value = field.key(key)?.number(0..=u64::MAX)?;
        limited |= value.is_some_and(|value| value != 0);
    }
    Ok(field.value().filter(|_| limited).cloned())
}

/// The capability has names of its own for what the configuration's `dns` has.
fn dns(field: &Field<'_>) -> Result<Dns, FieldError> {
    Ok(Dns {
        nameservers: field.key("servers")?.strings()?,
        search: field.key("searches")?.strings()?,
        options: field.key("options")?.strings()?,
        domain: None,
    })
}
