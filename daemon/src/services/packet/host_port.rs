//! `hostPort` of pods, which the runtime gives as `portMappings`: pure, from records to tables. A pod's port is a
//! Service of one backend at the node's addresses, whose clients keep their address.

use std::collections::BTreeMap;
use std::net::IpAddr;

use abi::{Backend, Frontend, Service as Flags};
use attachment::record::{Attachment, Phase};
use dataplane::tables::{PortKey, PortTable, Target};
use serde_json::Value;

use crate::services::node::Here;
use crate::services::object::Protocol;

/// First word of the keys of these ports: no Service is called so, as its namespace has no blank.
pub const PREFIX: &str = "hostPort of ";

/// A port of a pod.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostPort {
    /// Whose it is.
    pub pod: String,
    /// The address of the node it is at; none: all.
    pub address: Option<IpAddr>,
    /// The node's port.
    pub port: u16,
    /// The protocol.
    pub protocol: Protocol,
    /// The pod's addresses and port.
    pub backends: Vec<Backend>,
}

/// The ports of a record. The plugin has checked them; one that is not as it should be is none.
pub fn of_record(record: &Attachment) -> Vec<HostPort> {
    if record.phase != Phase::Ready {
        return Vec::new();
    }
    let pod = record.pod.as_ref();
    let pod = pod.map(|pod| format!("{}/{}", pod.namespace, pod.name));
    let pod = pod.unwrap_or_else(|| record.container_id.clone());
    let ports = record.port_mappings.iter();
    ports
        .filter_map(|mapping| host_port(&pod, record, mapping))
        .collect()
}

fn host_port(pod: &str, record: &Attachment, mapping: &Value) -> Option<HostPort> {
    let number = |key: &str| {
        let number = mapping.get(key)?.as_u64()?;
        u16::try_from(number).ok().filter(|port| *port != 0)
    };
    let word = |key: &str| mapping.get(key).and_then(Value::as_str).unwrap_or_default();
    let protocol = match word("protocol").to_ascii_uppercase() {
        empty if empty.is_empty() => "TCP".to_owned(),
        other => other,
    };
    let container_port = number("containerPort")?;
    let addresses = record.addresses.iter();
    Some(HostPort {
        pod: pod.to_owned(),
        address: word("hostIP")
            .parse()
            .ok()
            .filter(|ip: &IpAddr| !ip.is_unspecified()),
        port: number("hostPort")?,
        protocol: Protocol::parse("protocol", Some(&protocol)).ok()?,
        backends: addresses
            .map(|address| Backend {
                address: address.address.ip().into(),
                port_be: container_port.to_be(),
                pad: 0,
            })
            .collect(),
    })
}

/// What the tables should have for these ports, and what is refused: a place that a Service has, or another pod.
pub fn tables(
    ports: &[HostPort],
    here: &Here,
    owner: impl Fn(&Frontend) -> Option<String>,
) -> (BTreeMap<PortKey, PortTable>, Vec<String>) {
    let mut tables: BTreeMap<PortKey, PortTable> = BTreeMap::new();
    let mut taken: BTreeMap<Frontend, &str> = BTreeMap::new();
    let mut refused = Vec::new();
    for port in ports {
        let target = Target {
            flags: Flags::KEEP_SOURCE,
            ..Target::default()
        };
        let number = format!("{}/{}", port.port, port.protocol.as_str());
        let mut frontends = BTreeMap::new();
        let addresses = here.addresses.iter();
        for ip in addresses.filter(|ip| port.address.is_none_or(|wanted| wanted == **ip)) {
            let family = |backend: &Backend| backend.address.v4_be().is_some() == ip.is_ipv4();
            if !port.backends.iter().any(family) {
                continue;
            }
            let frontend = Frontend {
                address: (*ip).into(),
                port_be: port.port.to_be(),
                protocol: port.protocol.number(),
                pad: 0,
            };
            let other = owner(&frontend).map(|name| format!("Service {name}"));
            let other = other.or_else(|| taken.get(&frontend).map(|pod| format!("pod {pod}")));
            match other {
                Some(other) => refused.push(format!(
                    "hostPort {number} of pod {}: {ip} port {} is that of {other}",
                    port.pod, port.port
                )),
                None => {
                    taken.insert(frontend, &port.pod);
                    frontends.insert(frontend, target);
                }
            }
        }
        if frontends.is_empty() {
            continue;
        }
        let table = PortTable {
            frontends,
            sets: vec![port.backends.clone()],
            ..PortTable::default()
        };
        let at = port.address.map(|ip| format!("@{ip}")).unwrap_or_default();
        tables.insert(format!("{PREFIX}{}{at}:{number}", port.pod), table);
    }
    (tables, refused)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn port(pod: &str, address: Option<&str>, number: u16) -> HostPort {
        HostPort {
            pod: pod.to_owned(),
            address: address.map(|text| text.parse().unwrap()),
            port: number,
            protocol: Protocol::Tcp,
            backends: vec![Backend {
                address: "10.88.0.2".parse::<IpAddr>().unwrap().into(),
                port_be: 80_u16.to_be(),
                pad: 0,
            }],
        }
    }

    fn here() -> Here {
        let all = ["192.0.2.10", "198.51.100.1", "2001:db8::10"];
        Here {
            addresses: all.iter().map(|text| text.parse().unwrap()).collect(),
            ..Here::default()
        }
    }

    fn places(tables: &BTreeMap<PortKey, PortTable>) -> Vec<(String, u16)> {
        let frontends = tables.values().flat_map(|table| table.frontends.keys());
        let mut places: Vec<_> = frontends
            .map(|at| (at.address.to_string(), u16::from_be(at.port_be)))
            .collect();
        places.sort();
        places
    }

    #[test]
    fn a_port_is_at_all_addresses_of_its_family_or_at_the_one_asked_for() {
        let (all, refused) = tables(&[port("a", None, 8080)], &here(), |_| None);
        assert_eq!(
            places(&all),
            [
                ("192.0.2.10".to_owned(), 8080),
                ("198.51.100.1".to_owned(), 8080)
            ]
        );
        assert!(refused.is_empty());
        let (one, _) = tables(&[port("a", Some("198.51.100.1"), 8080)], &here(), |_| None);
        assert_eq!(places(&one), [("198.51.100.1".to_owned(), 8080)]);
        let (none, _) = tables(&[port("a", Some("203.0.113.1"), 8080)], &here(), |_| None);
        assert!(none.is_empty());
    }

    #[test]
    fn what_a_service_or_another_pod_has_is_refused() {
        let service = |at: &Frontend| {
            (at.address.to_string() == "192.0.2.10").then(|| "default/web".to_owned())
        };
        let ports = [port("a", None, 8080), port("b", None, 8080)];
        let (made, refused) = tables(&ports, &here(), service);
        assert_eq!(places(&made), [("198.51.100.1".to_owned(), 8080)]);
        assert_eq!(
            refused,
            [
                "hostPort 8080/TCP of pod a: 192.0.2.10 port 8080 is that of Service default/web",
                "hostPort 8080/TCP of pod b: 192.0.2.10 port 8080 is that of Service default/web",
                "hostPort 8080/TCP of pod b: 198.51.100.1 port 8080 is that of pod a",
            ]
        );
    }
}
