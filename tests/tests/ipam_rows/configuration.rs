//! Requested addresses, the styles of configuration, what is refused, resolv.conf.

use std::collections::BTreeMap;
use std::fs;

use anyhow::{Result, ensure};
use serde_json::json;

use crate::macros::same;
use crate::plugin::{Plugin, Store};

pub fn requested_addresses(plugin: &Plugin) -> Result<()> {
    let two = json!({"ranges": [[{"subnet": "172.16.1.0/24"}, {"subnet": "10.1.2.0/24"}], [{"subnet": "2001:db8:1::/48"}]]});
    for (ips, args, runtime, expected) in [
        (
            json!(["10.1.2.88"]),
            "",
            json!([]),
            ["10.1.2.88/24", "2001:db8:1::2/48"],
        ),
        (
            json!(["10.1.2.88", "2001:db8:1::999"]),
            "",
            json!([]),
            ["10.1.2.88/24", "2001:db8:1::999/48"],
        ),
        (
            json!(["10.1.2.88/24", "2001:db8:1::999/48"]),
            "",
            json!([]),
            ["10.1.2.88/24", "2001:db8:1::999/48"],
        ),
        (
            json!([]),
            "IP=10.1.2.7",
            json!([]),
            ["10.1.2.7/24", "2001:db8:1::2/48"],
        ),
        (
            json!([]),
            "IP=172.16.1.7/24;IgnoreUnknown=1;K8S=x",
            json!([]),
            ["172.16.1.7/24", "2001:db8:1::2/48"],
        ),
        (
            json!([]),
            "",
            json!(["10.1.2.9/24", "2001:db8:1::9/64"]),
            ["10.1.2.9/24", "2001:db8:1::9/48"],
        ),
    ] {
        let store = Store::new()?;
        let mut config = store.config("1.0.0", two.clone());
        config["args"] = json!({"cni": {"ips": ips}});
        config["runtimeConfig"] = json!({"ips": runtime});
        same!(plugin.add("dummy", &config, args)?, expected);
        // Again, for another: they are taken.
        let message = plugin.refuse("other", &config, args)?;
        ensure!(message.contains("not available in range set"), "{message}");
        same!(store.leases()?.len(), 2);
    }
    for (ips, args, part) in [
        (
            json!(["10.1.2.88", "10.1.2.77"]),
            "",
            "failed to allocate all requested",
        ),
        (json!(["192.0.2.1"]), "", "192.0.2.1"),
        (json!(["10.1.2.1"]), "", "gateway"),
        (json!(["10.1.2"]), "", "10.1.2"),
        (json!([]), "IP=300.1.1.1", "300.1.1.1"),
        (json!([]), "MAC=02:00:00:00:00:01", "MAC"),
        (json!([]), "IP", "IP"),
    ] {
        // The main plugin's own keys are known to the multi-call binary.
        if part == "MAC" && plugin.name != "upstream" {
            continue;
        }
        let store = Store::new()?;
        let mut config = store.config("1.0.0", two.clone());
        config["args"] = json!({"cni": {"ips": ips}});
        let message = plugin.refuse("dummy", &config, args)?;
        ensure!(message.contains(part), "{part}: {message}");
        same!(store.leases()?, BTreeMap::new());
    }
    Ok(())
}

pub fn styles(plugin: &Plugin) -> Result<()> {
    let store = Store::new()?;
    let small = json!({"subnet": "10.1.2.0/24", "rangeStart": "10.1.2.9", "rangeEnd": "10.1.2.20", "gateway": "10.1.2.30"});
    same!(
        plugin.add("old", &store.config("0.3.1", small.clone()), "")?,
        ["10.1.2.9/24"]
    );
    let ranges =
        json!({"ranges": [[small, {"subnet": "10.1.4.0/24"}], [{"subnet": "11.1.2.0/24"}]]});
    same!(
        plugin.add("new", &store.config("0.3.1", ranges), "")?,
        ["10.1.2.10/24", "11.1.2.2/24"]
    );
    let mut mixed = small;
    mixed["ranges"] = json!([[{"subnet": "11.1.2.0/24"}]]);
    let mut mixed = store.config("0.3.1", mixed);
    mixed["runtimeConfig"] = json!({"ipRanges": [[{"subnet": "12.1.3.0/24"}]]});
    same!(
        plugin.add("mixed", &mixed, "")?,
        ["12.1.3.2/24", "10.1.2.11/24", "11.1.2.3/24"]
    );
    Ok(())
}

pub fn refused_configurations(plugin: &Plugin) -> Result<()> {
    let two = json!({"ranges": [[{"subnet": "10.1.2.0/24"}], [{"subnet": "11.1.2.0/24"}]]});
    for (version, ipam, parts) in [
        ("1.0.0", json!({}), ["IP ranges", ""]),
        (
            "1.0.0",
            json!({"ranges": [[{"subnet": "10.1.2.0/24"}], [{"subnet": "10.1.0.0/16"}]]}),
            ["overlap", ""],
        ),
        (
            "1.0.0",
            json!({"ranges": [[{"subnet": "10.1.0.0/22"}, {"subnet": "10.1.2.0/24"}]]}),
            ["overlap", "10.1.2.1-10.1.2.254"],
        ),
        (
            "1.0.0",
            json!({"ranges": [[{"subnet": "10.1.0.0/22"}, {"subnet": "2001:db8:5::/64"}]]}),
            ["address families", ""],
        ),
        ("1.0.0", json!({"ranges": [[]]}), ["empty range set", ""]),
        ("0.2.0", two, ["does not support more than", "0.2.0"]),
        (
            "1.0.0",
            json!({"subnet": "192.0.2.12/24"}),
            ["host bits set", "192.0.2.0"],
        ),
        (
            "1.0.0",
            json!({"subnet": "2001:db8:24:19ff::/63"}),
            ["host bits set", "2001:db8:24:19fe::"],
        ),
        (
            "1.0.0",
            json!({"subnet": "192.0.2.0/31"}),
            ["too small", "192.0.2.0/31"],
        ),
        (
            "1.0.0",
            json!({"subnet": "2001:db8::/127"}),
            ["too small", "2001:db8::/127"],
        ),
        (
            "1.0.0",
            json!({"subnet": "192.0.2.0/24", "rangeStart": "192.0.3.0"}),
            ["192.0.3.0", "192.0.2.0/24"],
        ),
        (
            "1.0.0",
            json!({"subnet": "192.0.2.0/24", "rangeEnd": "192.0.4.0"}),
            ["192.0.4.0", "192.0.2.0/24"],
        ),
        (
            "1.0.0",
            json!({"subnet": "192.0.2.0/24", "rangeStart": "192.0.2.50", "rangeEnd": "192.0.2.40"}),
            ["192.0.2.50", ""],
        ),
        (
            "1.0.0",
            json!({"subnet": "192.0.2.0/24", "gateway": "x"}),
            ["x", ""],
        ),
    ] {
        let store = Store::new()?;
        let message = plugin.refuse("dummy", &store.config(version, ipam.clone()), "")?;
        ensure!(
            parts.iter().all(|part| message.contains(part)),
            "{ipam}: {message}"
        );
        same!(store.files()?, BTreeMap::new());
    }
    let store = Store::new()?;
    let both = json!({"ranges": [[{"subnet": "10.1.2.0/24"}], [{"subnet": "2001:db8:1::/48"}]]});
    same!(
        plugin.add("dummy", &store.config("0.2.0", both), "")?,
        ["10.1.2.2/24", "2001:db8:1::2/48"]
    );
    Ok(())
}

pub fn h36_resolv_conf(plugin: &Plugin) -> Result<()> {
    let store = Store::new()?;
    let path = store.0.path().join("resolv.conf");
    fs::write(
        &path,
        "nameserver 192.0.2.0\n;nameserver x\n# c\ndomain example.com\nsearch a b\nsearch c\noptions one\noptions two three\n",
    )?;
    let config = store.config(
        "1.0.0",
        json!({"subnet": "10.1.2.0/24", "resolvConf": path}),
    );
    let answer = plugin.call("ADD", "dummy", "eth0", &config, "")?;
    let expected = json!({"nameservers": ["192.0.2.0"], "domain": "example.com", "search": ["a", "b", "c"], "options": ["one", "two", "three"]});
    same!(&answer.json["dns"], &expected);
    fs::remove_file(path)?;
    plugin.refuse("other", &config, "")?;
    same!(store.leases()?.len(), 1);
    Ok(())
}
