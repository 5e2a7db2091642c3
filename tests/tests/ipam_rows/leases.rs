//! ADD, DEL and CHECK, and the order in which addresses are given out.

use std::collections::BTreeMap;
use std::fs;

use anyhow::{Result, ensure};
use serde_json::json;

use crate::macros::same;
use crate::plugin::{Plugin, Store, addresses};

const VERSIONS: [&str; 7] = [
    "0.1.0", "0.2.0", "0.3.0", "0.3.1", "0.4.0", "1.0.0", "1.1.0",
];

pub fn h1_add_and_del(plugin: &Plugin) -> Result<()> {
    for version in VERSIONS {
        let store = Store::new()?;
        let ranges = json!([[{"subnet": "10.1.2.0/24"}, {"subnet": "10.2.2.0/24"}], [{"subnet": "2001:db8:1::0/64"}]]);
        let routes = json!([{"dst": "0.0.0.0/0"}, {"dst": "192.168.0.0/16", "gw": "1.1.1.1"}]);
        let config = store.config(version, json!({"ranges": ranges, "routes": routes}));
        let answer = plugin.call("ADD", "dummy", "eth0", &config, "")?;
        same!(answer.ended, Some(0));
        same!(addresses(&answer.json), ["10.1.2.2/24", "2001:db8:1::2/64"]);
        let old = ["0.1.0", "0.2.0"].contains(&version);
        let (gateway, routes) = match old {
            true => (
                &answer.json["ip4"]["gateway"],
                &answer.json["ip4"]["routes"],
            ),
            false => (&answer.json["ips"][0]["gateway"], &answer.json["routes"]),
        };
        same!(gateway, "10.1.2.1");
        same!(
            routes,
            &json!([{"dst": "0.0.0.0/0"}, {"dst": "192.168.0.0/16", "gw": "1.1.1.1"}])
        );
        let expected = [
            ("10.1.2.2", "dummy\r\neth0"),
            ("2001:db8:1::2", "dummy\r\neth0"),
            ("last_reserved_ip.0", "10.1.2.2"),
            ("last_reserved_ip.1", "2001:db8:1::2"),
        ];
        let expected: BTreeMap<_, _> = expected
            .map(|(name, text)| (name.to_owned(), text.to_owned()))
            .into();
        same!(store.files()?, expected);
        if !["0.1.0", "0.2.0", "0.3.0", "0.3.1"].contains(&version) {
            let mut checked = config.clone();
            checked["prevResult"] = answer.json;
            same!(
                plugin.call("CHECK", "dummy", "eth0", &checked, "")?.ended,
                Some(0)
            );
            same!(
                plugin.call("CHECK", "other", "eth0", &checked, "")?.ended,
                Some(1)
            );
        }
        plugin.del("dummy", "eth0", &config)?;
        same!(store.leases()?, BTreeMap::new());
        same!(store.files()?.len(), 2);
    }
    Ok(())
}

pub fn h2_other_interfaces_stay(plugin: &Plugin) -> Result<()> {
    let store = Store::new()?;
    let config = store.config("1.0.0", json!({"subnet": "10.1.2.0/24"}));
    plugin.add("dummy", &config, "")?;
    same!(
        plugin.call("ADD", "dummy", "eth1", &config, "")?.ended,
        Some(0)
    );
    plugin.del("dummy", "eth0", &config)?;
    same!(
        store.leases()?,
        BTreeMap::from([("10.1.2.3".to_owned(), "dummy\r\neth1".to_owned())])
    );
    plugin.del("dummy", "eth1", &config)?;
    same!(store.leases()?, BTreeMap::new());
    Ok(())
}

pub fn h3_repeated_add(plugin: &Plugin) -> Result<()> {
    let store = Store::new()?;
    let config = store.config("1.0.0", json!({"subnet": "10.1.2.0/24"}));
    same!(plugin.add("dummy", &config, "")?, ["10.1.2.2/24"]);
    let before = store.files()?;
    let message = plugin.refuse("dummy", &config, "")?;
    ensure!(
        message.contains("10.1.2.2") && message.contains("dummy"),
        "{message}"
    );
    same!(store.files()?, before);
    same!(plugin.add("dummy1", &config, "")?, ["10.1.2.3/24"]);
    plugin.refuse("dummy", &config, "")?;
    plugin.del("dummy", "eth0", &config)?;
    same!(plugin.add("dummy", &config, "")?, ["10.1.2.4/24"]);
    Ok(())
}

pub fn h4_old_format(plugin: &Plugin) -> Result<()> {
    let store = Store::new()?;
    let config = store.config("1.0.0", json!({"subnet": "10.1.2.0/24"}));
    plugin.add("dummy", &config, "")?;
    fs::write(store.network().join("10.1.2.2"), "dummy")?;
    plugin.refuse("dummy", &config, "")?;
    plugin.del("dummy", "eth0", &config)?;
    same!(store.leases()?, BTreeMap::new());
    Ok(())
}

pub fn h5_unknown_id(plugin: &Plugin) -> Result<()> {
    let store = Store::new()?;
    let config = store.config("1.0.0", json!({"subnet": "10.1.2.0/24"}));
    plugin.del("dummy", "eth0", &config)?;
    plugin.add("other", &config, "")?;
    plugin.del("dummy", "eth0", &config)?;
    same!(store.leases()?.len(), 1);
    Ok(())
}

pub fn h15_round_robin(plugin: &Plugin) -> Result<()> {
    let store = Store::new()?;
    let config = store.config("1.0.0", json!({"ranges": [[{"subnet": "10.0.0.0/29", "rangeStart": "10.0.0.5"}, {"subnet": "10.0.1.0/30"}]]}));
    for expected in ["10.0.0.5/29", "10.0.0.6/29", "10.0.1.2/30", "10.0.0.5/29"] {
        same!(plugin.add("dummy", &config, "")?, [expected]);
        plugin.del("dummy", "eth0", &config)?;
    }
    Ok(())
}

pub fn h18_exhaustion(plugin: &Plugin) -> Result<()> {
    let store = Store::new()?;
    let config = store.config(
        "1.0.0",
        json!({"ranges": [[{"subnet": "10.0.0.0/30"}, {"subnet": "10.0.1.0/30"}]]}),
    );
    plugin.add("a", &config, "")?;
    plugin.add("b", &config, "")?;
    let message = plugin.refuse("c", &config, "")?;
    ensure!(
        message.contains("no IP addresses available in range set"),
        "{message}"
    );
    ensure!(
        message.contains("10.0.0.1-10.0.0.2,10.0.1.1-10.0.1.2"),
        "{message}"
    );
    plugin.del("a", "eth0", &config)?;
    same!(plugin.add("c", &config, "")?, ["10.0.0.2/30"]);
    Ok(())
}
