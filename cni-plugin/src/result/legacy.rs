//! Results of 0.1.0 and 0.2.0: one address of each family, `ip4` and `ip6`.

use ipnetwork::IpNetwork;
use serde_json::{Map, Value, json};

use super::{Address, CniResult, Dns, Route, cidr, ip};
use crate::field::{Field, FieldError};
use crate::version::SpecVersion;

/// Reads a result; it has no interfaces.
pub fn read(field: &Field<'_>) -> Result<CniResult, FieldError> {
    let mut result = CniResult {
        dns: Dns::from_field(&field.key("dns")?)?,
        ..CniResult::default()
    };
    for (key, is_family) in FAMILIES {
        let family = field.key(key)?;
        if !family.is_present() {
            continue;
        }
        let address = family.key("ip")?;
        result.ips.push(Address {
            interface: None,
            address: cidr(&address)?
                .filter(is_family)
                .ok_or_else(|| address.wrong("an address of this family with a prefix length"))?,
            gateway: ip(&family.key("gateway")?)?,
        });
        for route in family.key("routes")?.list()? {
            let dst = route.key("dst")?;
            let network = cidr(&dst)?
                .filter(is_family)
                .ok_or_else(|| dst.wrong("a network of this family"))?;
            result
                .routes
                .push(Route::new(network, ip(&route.key("gw")?)?));
        }
    }
    Ok(result)
}

/// Writes a result in the shape of `version`, which is before 0.3.0.
pub fn write(result: &CniResult, version: SpecVersion) -> Value {
    let mut out = Map::new();
    out.insert("cniVersion".to_owned(), json!(version.as_str()));
    for (key, is_family) in FAMILIES {
        let Some(address) = result.ips.iter().find(|one| is_family(&one.address)) else {
            continue;
        };
        let mut family = Map::new();
        family.insert("ip".to_owned(), json!(address.address.to_string()));
        if let Some(gateway) = address.gateway {
            family.insert("gateway".to_owned(), json!(gateway));
        }
        let routes: Vec<Value> = result
            .routes
            .iter()
            .filter(|route| is_family(&route.dst))
            .map(|route| match route.gw {
                Some(gw) => json!({"dst": route.dst.to_string(), "gw": gw}),
                None => json!({"dst": route.dst.to_string()}),
            })
            .collect();
        if !routes.is_empty() {
            family.insert("routes".to_owned(), Value::Array(routes));
        }
        out.insert(key.to_owned(), Value::Object(family));
    }
    if !result.dns.is_empty() {
        out.insert("dns".to_owned(), result.dns.to_json());
    }
    Value::Object(out)
}

type IsFamily = fn(&IpNetwork) -> bool;

/// The key of each family and what belongs to it.
const FAMILIES: [(&str, IsFamily); 2] = [("ip4", IpNetwork::is_ipv4), ("ip6", IpNetwork::is_ipv6)];
