//! What ADD answers, and what arrives as `prevResult`.
//!
//! Inside the plugin there is one shape, that of 1.1.0; [`current`] reads and
//! writes it for 0.3.0 and later, [`legacy`] the `ip4`/`ip6` of 0.1.0 and
//! 0.2.0. Reading follows the version written in the result itself, so that a
//! result of any version can be continued in any other.

mod current;
mod legacy;

use std::net::IpAddr;

use ipnetwork::IpNetwork;
use serde_json::{Map, Value, json};

use crate::field::{Field, FieldError};
use crate::version::SpecVersion;

/// An interface that some plugin made or uses.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Interface {
    /// Its name in its namespace.
    pub name: String,
    /// Its hardware address, as the plugin that made it wrote it.
    pub mac: Option<String>,
    /// Its MTU in bytes (from 1.1.0).
    pub mtu: Option<u32>,
    /// The path of the namespace it is in; absent on the host.
    pub sandbox: Option<String>,
    /// A vhost-user socket (from 1.1.0).
    pub socket_path: Option<String>,
    /// A PCI device (from 1.1.0).
    pub pci_id: Option<String>,
}

/// An address on one of the interfaces.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    /// Index into [`CniResult::interfaces`].
    pub interface: Option<usize>,
    /// The address with the prefix length of its subnet.
    pub address: IpNetwork,
    /// The gateway of that subnet.
    pub gateway: Option<IpAddr>,
}

/// A route inside the container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    /// Destination.
    pub dst: IpNetwork,
    /// Next hop; absent means the gateway of the address's subnet.
    pub gw: Option<IpAddr>,
    /// Path MTU in bytes (this and the following from 1.1.0).
    pub mtu: Option<u32>,
    /// Maximum segment size to advertise, in bytes.
    pub advmss: Option<u32>,
    /// Priority; lower is better.
    pub priority: Option<u32>,
    /// Routing table.
    pub table: Option<u32>,
    /// Scope as the kernel numbers it.
    pub scope: Option<u8>,
}

impl Route {
    /// A route with nothing but its destination and next hop.
    pub fn new(dst: IpNetwork, gw: Option<IpAddr>) -> Self {
        Self {
            dst,
            gw,
            mtu: None,
            advmss: None,
            priority: None,
            table: None,
            scope: None,
        }
    }
}

/// Resolver settings.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Dns {
    /// Addresses of name servers, best first.
    pub nameservers: Vec<String>,
    /// The local domain.
    pub domain: Option<String>,
    /// Search domains, best first.
    pub search: Vec<String>,
    /// Options for the resolver.
    pub options: Vec<String>,
}

impl Dns {
    /// Whether nothing is set.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Reads a `dns` object.
    pub fn from_field(field: &Field<'_>) -> Result<Self, FieldError> {
        Ok(Self {
            nameservers: field.key("nameservers")?.strings()?,
            domain: field
                .key("domain")?
                .string()?
                .map(str::to_owned)
                .filter(|text| !text.is_empty()),
            search: field.key("search")?.strings()?,
            options: field.key("options")?.strings()?,
        })
    }

    /// Writes a `dns` object with only what is set.
    fn to_json(&self) -> Value {
        let mut out = Map::new();
        let mut list = |key: &str, values: &[String]| {
            if !values.is_empty() {
                out.insert(key.to_owned(), json!(values));
            }
        };
        list("nameservers", &self.nameservers);
        list("search", &self.search);
        list("options", &self.options);
        if let Some(domain) = &self.domain {
            out.insert("domain".to_owned(), json!(domain));
        }
        Value::Object(out)
    }
}

/// A result in the shape of 1.1.0.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CniResult {
    /// Interfaces, those of earlier plugins first.
    pub interfaces: Vec<Interface>,
    /// Addresses.
    pub ips: Vec<Address>,
    /// Routes.
    pub routes: Vec<Route>,
    /// Resolver settings.
    pub dns: Dns,
}

impl CniResult {
    /// Reads a result; `fallback` is its version when it names none.
    pub fn from_field(field: &Field<'_>, fallback: SpecVersion) -> Result<Self, FieldError> {
        let expected = format!("one of the CNI versions {}", SpecVersion::list());
        let written = field.key("cniVersion")?.parse::<SpecVersion>(&expected)?;
        if written.unwrap_or(fallback) < SpecVersion::V0_3_0 {
            legacy::read(field)
        } else {
            current::read(field)
        }
    }

    /// The JSON of this result for a caller that speaks `version`.
    ///
    /// What that version cannot express is left out: more than one address of
    /// a family and all interfaces in 0.2.0, the newer fields before 1.1.0.
    pub fn to_json(&self, version: SpecVersion) -> Value {
        if version < SpecVersion::V0_3_0 {
            legacy::write(self, version)
        } else {
            current::write(self, version)
        }
    }
}

/// Reads `address/prefix`; the prefix length is required.
pub fn cidr(field: &Field<'_>) -> Result<Option<IpNetwork>, FieldError> {
    const EXPECTED: &str = "an address with a prefix length";
    let Some(text) = field.string().map_err(|_| field.wrong(EXPECTED))? else {
        return Ok(None);
    };
    let parsed = text.split_once('/').and_then(|(address, prefix)| {
        // IpNetwork itself would take a missing prefix and a dotted netmask.
        IpNetwork::new(address.parse().ok()?, prefix.parse().ok()?).ok()
    });
    parsed.map(Some).ok_or_else(|| field.wrong(EXPECTED))
}

/// Reads an address without prefix; the empty string counts as absent.
fn ip(field: &Field<'_>) -> Result<Option<IpAddr>, FieldError> {
    if field.string().is_ok_and(|text| text == Some("")) {
        return Ok(None);
    }
    field.parse("an IP address")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(value: &Value) -> Result<CniResult, FieldError> {
        CniResult::from_field(&Field::at("prevResult", Some(value)), SpecVersion::V1_0_0)
    }

    fn full() -> Value {
        json!({
            "cniVersion": "1.1.0",
            "interfaces": [
                {"name": "brt0", "mac": "02:00:00:00:00:01", "mtu": 1400},
                {"name": "eth0", "mac": "02:00:00:00:00:02", "mtu": 1400, "sandbox": "/run/netns/a",
                 "socketPath": "/s", "pciID": "0000:00:1f.6"},
            ],
            "ips": [
                {"interface": 1, "address": "10.1.0.5/24", "gateway": "10.1.0.1"},
                {"interface": 1, "address": "10.2.0.5/24"},
                {"interface": 1, "address": "fd00::5/64", "gateway": "fd00::1"},
            ],
            "routes": [
                {"dst": "0.0.0.0/0", "gw": "10.1.0.1", "mtu": 1300, "advmss": 1260, "priority": 7, "table": 100, "scope": 0},
                {"dst": "::/0"},
            ],
            "dns": {"nameservers": ["10.1.0.1"], "search": ["b"], "options": ["c"], "domain": "a"},
        })
    }

    #[test]
    fn the_newest_shape_reads_and_writes_unchanged() {
        let result = read(&full()).unwrap();
        assert_eq!(result.to_json(SpecVersion::V1_1_0), full());
    }

    #[test]
    fn each_version_has_its_own_shape() {
        let result = read(&full()).unwrap();
        for version in SpecVersion::ALL {
            let out = result.to_json(version);
            assert_eq!(out["cniVersion"], version.as_str());
            let legacy = version < SpecVersion::V0_3_0;
            assert_eq!(out.get("ip4").is_some(), legacy, "{version}");
            assert_eq!(out.get("interfaces").is_none(), legacy, "{version}");
            if !legacy {
                let numbered = version < SpecVersion::V1_0_0;
                let expected = if numbered { json!("4") } else { Value::Null };
                assert_eq!(out["ips"][0]["version"], expected, "{version}");
                let expected = if numbered { json!("6") } else { Value::Null };
                assert_eq!(out["ips"][2]["version"], expected, "{version}");
            }
            let extended = version >= SpecVersion::V1_1_0;
            assert_eq!(
                out["interfaces"][0].get("mtu").is_some(),
                extended,
                "{version}"
            );
            assert_eq!(
                out["interfaces"][1].get("pciID").is_some(),
                extended,
                "{version}"
            );
            assert_eq!(
                out["interfaces"][1].get("socketPath").is_some(),
                extended,
                "{version}"
            );
            for key in ["mtu", "advmss", "priority", "table", "scope"] {
                assert_eq!(
                    out["routes"][0].get(key).is_some(),
                    extended,
                    "{version} {key}"
                );
            }
        }
    }

    #[test]
    fn the_oldest_shape_keeps_one_address_of_each_family_and_its_routes() {
        let out = read(&full()).unwrap().to_json(SpecVersion::V0_2_0);
        assert_eq!(
            out,
            json!({
                "cniVersion": "0.2.0",
                "ip4": {"ip": "10.1.0.5/24", "gateway": "10.1.0.1",
                        "routes": [{"dst": "0.0.0.0/0", "gw": "10.1.0.1"}]},
                "ip6": {"ip": "fd00::5/64", "gateway": "fd00::1", "routes": [{"dst": "::/0"}]},
                "dns": {"nameservers": ["10.1.0.1"], "search": ["b"], "options": ["c"], "domain": "a"},
            })
        );
        let back = read(&out).unwrap();
        assert_eq!(back.ips.len(), 2);
        assert_eq!(back.routes.len(), 2);
        assert_eq!(back.to_json(SpecVersion::V0_2_0), out);
    }

    #[test]
    fn every_version_survives_a_trip_through_every_other() {
        let mut only = read(&full()).unwrap();
        only.ips.remove(1);
        for version in SpecVersion::ALL {
            let there = only.to_json(version);
            let back = read(&there).unwrap();
            assert_eq!(back.to_json(version), there, "{version}");
            assert_eq!(
                back.ips.iter().map(|ip| ip.address).collect::<Vec<_>>(),
                only.ips.iter().map(|ip| ip.address).collect::<Vec<_>>(),
                "{version}"
            );
        }
    }

    #[test]
    fn a_missing_version_means_that_of_the_configuration() {
        let value = json!({"ip4": {"ip": "10.1.0.5/24"}});
        let field = Field::at("prevResult", Some(&value));
        let old = CniResult::from_field(&field, SpecVersion::V0_1_0).unwrap();
        assert_eq!(old.ips.len(), 1);
    }

    #[test]
    fn bad_results_are_refused_by_field() {
        let cases = [
            (json!("x"), "prevResult"),
            (json!({"cniVersion": "9"}), "prevResult.cniVersion"),
            (json!({"interfaces": {}}), "prevResult.interfaces"),
            (
                json!({"interfaces": [{"mac": "x"}]}),
                "prevResult.interfaces[0].name",
            ),
            (
                json!({"interfaces": [{"name": 4}]}),
                "prevResult.interfaces[0].name",
            ),
            (json!({"ips": [{}]}), "prevResult.ips[0].address"),
            (
                json!({"ips": [{"address": "10.0.0.1"}]}),
                "prevResult.ips[0].address",
            ),
            (
                json!({"ips": [{"address": "10.0.0.1/33"}]}),
                "prevResult.ips[0].address",
            ),
            (
                json!({"ips": [{"address": "10.0.0.1/24", "gateway": "x"}]}),
                "prevResult.ips[0].gateway",
            ),
            (
                json!({"ips": [{"address": "10.0.0.1/24", "interface": 0}]}),
                "prevResult.ips[0].interface",
            ),
            (
                json!({"ips": [{"address": "10.0.0.1/24", "interface": -1}]}),
                "prevResult.ips[0].interface",
            ),
            (
                json!({"routes": [{"gw": "10.0.0.1"}]}),
                "prevResult.routes[0].dst",
            ),
            (
                json!({"routes": [{"dst": "0.0.0.0/0", "table": "x"}]}),
                "prevResult.routes[0].table",
            ),
            (
                json!({"dns": {"nameservers": "10.0.0.1"}}),
                "prevResult.dns.nameservers",
            ),
            (
                json!({"cniVersion": "0.2.0", "ip4": {"ip": "fd00::1/64"}}),
                "prevResult.ip4.ip",
            ),
            (
                json!({"cniVersion": "0.2.0", "ip6": {}}),
                "prevResult.ip6.ip",
            ),
        ];
        for (value, key) in cases {
            let error = read(&value).expect_err(&value.to_string());
            assert_eq!(error.key, key, "{value}");
        }
    }
}
