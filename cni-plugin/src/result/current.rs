//! Results of 0.3.0 and later: `interfaces`, `ips`, `routes`, `dns`.

use serde_json::{Map, Value, json};

use super::{Address, CniResult, Dns, Interface, Route, cidr, ip};
use crate::field::{Field, FieldError};
use crate::version::SpecVersion;

/// Reads a result; the fields that a version does not have are simply absent.
pub fn read(field: &Field<'_>) -> Result<CniResult, FieldError> {
    let interfaces = field
        .key("interfaces")?
        .list()?
        .iter()
        .map(interface)
        .collect::<Result<Vec<_>, _>>()?;
    let ips = field
        .key("ips")?
        .list()?
        .iter()
        .map(|item| address(item, interfaces.len()))
        .collect::<Result<Vec<_>, _>>()?;
    let routes = field
        .key("routes")?
        .list()?
        .iter()
        .map(route)
        .collect::<Result<Vec<_>, _>>()?;
    let dns = Dns::from_field(&field.key("dns")?)?;
    Ok(CniResult {
        interfaces,
        ips,
        routes,
        dns,
    })
}

fn interface(field: &Field<'_>) -> Result<Interface, FieldError> {
    let text = |key: &str| -> Result<Option<String>, FieldError> {
        let text = field.key(key)?.string()?;
        Ok(text.filter(|text| !text.is_empty()).map(str::to_owned))
    };
    Ok(Interface {
        name: text("name")?.ok_or_else(|| match field.key("name") {
            Ok(name) => name.wrong("the name of an interface"),
            Err(error) => error,
        })?,
        mac: text("mac")?,
        mtu: number(field, "mtu")?.filter(|mtu| *mtu != 0),
        sandbox: text("sandbox")?,
        socket_path: text("socketPath")?,
        pci_id: text("pciID")?,
    })
}

fn address(field: &Field<'_>, interfaces: usize) -> Result<Address, FieldError> {
    let key = field.key("interface")?;
    let interface = match key.value() {
        None => None,
        Some(value) => Some(
            value
                .as_u64()
                .and_then(|index| usize::try_from(index).ok())
                .filter(|index| *index < interfaces)
                .ok_or_else(|| key.wrong("an index into the result's interfaces"))?,
        ),
    };
    let address = field.key("address")?;
    Ok(Address {
        interface,
        address: cidr(&address)?.ok_or_else(|| address.wrong("an address with a prefix length"))?,
        gateway: ip(&field.key("gateway")?)?,
    })
}

fn route(field: &Field<'_>) -> Result<Route, FieldError> {
    let dst = field.key("dst")?;
    Ok(Route {
        dst: cidr(&dst)?.ok_or_else(|| dst.wrong("an address with a prefix length"))?,
        gw: ip(&field.key("gw")?)?,
        mtu: number(field, "mtu")?,
        advmss: number(field, "advmss")?,
        priority: number(field, "priority")?,
        table: number(field, "table")?,
        scope: field
            .key("scope")?
            .number(0..=255)?
            .and_then(|scope| u8::try_from(scope).ok()),
    })
}

fn number(field: &Field<'_>, key: &str) -> Result<Option<u32>, FieldError> {
    let number = field.key(key)?.number(0..=u64::from(u32::MAX))?;
    Ok(number.and_then(|number| u32::try_from(number).ok()))
}

/// Writes a result in the shape of `version`, which is 0.3.0 or later.
pub fn write(result: &CniResult, version: SpecVersion) -> Value {
    let extended = version >= SpecVersion::V1_1_0;
    let mut out = Map::new();
    out.insert("cniVersion".to_owned(), json!(version.as_str()));
    let mut list = |key: &str, items: Vec<Value>| {
        if !items.is_empty() {
            out.insert(key.to_owned(), Value::Array(items));
        }
    };
    list(
        "interfaces",
        result
            .interfaces
            .iter()
            .map(|one| write_interface(one, extended))
            .collect(),
    );
    list(
        "ips",
        result
            .ips
            .iter()
            .map(|one| write_address(one, version))
            .collect(),
    );
    list(
        "routes",
        result
            .routes
            .iter()
            .map(|one| write_route(one, extended))
            .collect(),
    );
    if !result.dns.is_empty() {
        out.insert("dns".to_owned(), result.dns.to_json());
    }
    Value::Object(out)
}

fn write_interface(interface: &Interface, extended: bool) -> Value {
    let mut out = Map::new();
    out.insert("name".to_owned(), json!(interface.name));
    insert(&mut out, "mac", interface.mac.as_ref());
    if extended {
        insert(&mut out, "mtu", interface.mtu);
    }
    insert(&mut out, "sandbox", interface.sandbox.as_ref());
    if extended {
        insert(&mut out, "socketPath", interface.socket_path.as_ref());
        insert(&mut out, "pciID", interface.pci_id.as_ref());
    }
    Value::Object(out)
}

fn write_address(address: &Address, version: SpecVersion) -> Value {
    let mut out = Map::new();
    if version < SpecVersion::V1_0_0 {
        let family = if address.address.is_ipv4() { "4" } else { "6" };
        out.insert("version".to_owned(), json!(family));
    }
    insert(&mut out, "interface", address.interface);
    out.insert("address".to_owned(), json!(address.address.to_string()));
    insert(&mut out, "gateway", address.gateway);
    Value::Object(out)
}

fn write_route(route: &Route, extended: bool) -> Value {
    let mut out = Map::new();
    out.insert("dst".to_owned(), json!(route.dst.to_string()));
    insert(&mut out, "gw", route.gw);
    if extended {
        insert(&mut out, "mtu", route.mtu);
        insert(&mut out, "advmss", route.advmss);
        insert(&mut out, "priority", route.priority);
        insert(&mut out, "table", route.table);
        insert(&mut out, "scope", route.scope);
    }
    Value::Object(out)
}

fn insert<T: serde::Serialize>(out: &mut Map<String, Value>, key: &str, value: Option<T>) {
    if let Some(value) = value {
        out.insert(key.to_owned(), json!(value));
    }
}
