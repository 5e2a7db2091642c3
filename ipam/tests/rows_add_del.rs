//! Rows H1 to H11 of host-local: ADD and DEL as a plugin sees them. H6 does not exist.

#![allow(
    clippy::unwrap_used,
    reason = "a test fails by panicking, its own functions included"
)]

mod own_store;

use ipam::{Config, ConfigError, Error, allocate, check, release};
use own_store::{Rig, VERSIONS, add, addresses, files, has_several_addresses, ip};
use serde_json::json;

#[test]
fn h1_add_gives_addresses_and_del_takes_them_back() {
    for version in VERSIONS {
        let rig = Rig::new();
        let resolv_conf = rig.data_dir().with_file_name("resolv.conf");
        std::fs::write(&resolv_conf, "nameserver 192.0.2.3\n").unwrap();
        let network = rig.network(
            version,
            "mynet",
            json!({
                "resolvConf": resolv_conf,
                "ranges": [[{"subnet": "10.1.2.0/24"}, {"subnet": "10.2.2.0/24"}], [{"subnet": "2001:db8:1::0/64"}]],
                "routes": [
                    {"dst": "0.0.0.0/0"},
                    {"dst": "::/0"},
                    {"dst": "192.168.0.0/16", "gw": "1.1.1.1", "mtu": 1400, "advmss": 1360, "priority": 7, "table": 0, "scope": 253},
                    {"dst": "2001:db8:2::0/64", "gw": "2001:db8:3::1", "mtu": 0},
                ],
            }),
        );
        let config = Config::parse("mynet", &network, "").unwrap();

        let allocation = allocate(&config, "dummy", "eth0").unwrap();
        assert_eq!(
            addresses(&allocation),
            ["10.1.2.2/24", "2001:db8:1::2/64"],
            "{version}"
        );
        assert_eq!(allocation.ips[0].gateway, Some(ip("10.1.2.1")));
        assert_eq!(allocation.ips[1].gateway, Some(ip("2001:db8:1::1")));
        assert_eq!(
            serde_json::to_value(&allocation.routes).unwrap(),
            json!([
                {"dst": "0.0.0.0/0"},
                {"dst": "::/0"},
                {"dst": "192.168.0.0/16", "gw": "1.1.1.1", "mtu": 1400, "advmss": 1360, "priority": 7, "table": 0, "scope": 253},
                {"dst": "2001:db8:2::/64", "gw": "2001:db8:3::1"},
            ])
        );
        assert_eq!(
            serde_json::to_value(&allocation.dns).unwrap(),
            json!({"nameservers": ["192.0.2.3"]})
        );
        let expected = [
            ("10.1.2.2", "dummy\r\neth0"),
            ("2001:db8:1::2", "dummy\r\neth0"),
            ("last_reserved_ip.0", "10.1.2.2"),
            ("last_reserved_ip.1", "2001:db8:1::2"),
        ];
        assert_eq!(rig.files("mynet"), files(&expected));
        assert_eq!(
            check(&config.store(), "dummy", "eth0").unwrap(),
            [ip("10.1.2.2"), ip("2001:db8:1::2")]
        );

        let released = release(&config.store(), "dummy", "eth0").unwrap();
        assert_eq!(released, [ip("10.1.2.2"), ip("2001:db8:1::2")]);
        assert_eq!(rig.files("mynet"), files(&expected[2..]));
        let gone = check(&config.store(), "dummy", "eth0").unwrap_err();
        let directory = rig.data_dir().join("mynet");
        assert_eq!(
            gone.to_string(),
            format!(
                "no address of container dummy interface eth0 in {}",
                directory.display()
            )
        );
    }
}

#[test]
fn h2_del_on_a_given_interface_leaves_the_others() {
    for version in VERSIONS {
        let rig = Rig::new();
        let parse = |name: &str, subnet: &str| {
            let network = rig.network(version, name, json!({"ranges": [[{"subnet": subnet}]]}));
            Config::parse(name, &network, "").unwrap()
        };
        let (config0, config1) = (
            parse("mynet0", "10.1.2.0/24"),
            parse("mynet1", "10.2.2.0/24"),
        );
        assert_eq!(add(&config0, "dummy", "eth0").unwrap(), ["10.1.2.2/24"]);
        assert_eq!(add(&config0, "dummy", "eth1").unwrap(), ["10.1.2.3/24"]);
        assert_eq!(add(&config1, "dummy", "eth1").unwrap(), ["10.2.2.2/24"]);

        assert_eq!(
            release(&config0.store(), "dummy", "eth0").unwrap(),
            [ip("10.1.2.2")]
        );
        assert_eq!(
            rig.files("mynet0"),
            files(&[
                ("10.1.2.3", "dummy\r\neth1"),
                ("last_reserved_ip.0", "10.1.2.3")
            ])
        );
        assert_eq!(
            rig.files("mynet1"),
            files(&[
                ("10.2.2.2", "dummy\r\neth1"),
                ("last_reserved_ip.0", "10.2.2.2")
            ])
        );

        assert_eq!(
            release(&config1.store(), "dummy", "eth1").unwrap(),
            [ip("10.2.2.2")]
        );
        assert_eq!(
            rig.files("mynet1"),
            files(&[("last_reserved_ip.0", "10.2.2.2")])
        );
    }
}

#[test]
fn h3_repeated_add_of_the_same_interface_fails() {
    for version in VERSIONS {
        let rig = Rig::new();
        let network = rig.network(
            version,
            "mynet0",
            json!({"ranges": [[{"subnet": "10.1.2.0/24"}]]}),
        );
        let config = Config::parse("mynet0", &network, "").unwrap();
        assert_eq!(add(&config, "dummy", "eth0").unwrap(), ["10.1.2.2/24"]);
        let repeated = || {
            let before = rig.files("mynet0");
            let refused = add(&config, "dummy", "eth0").unwrap_err();
            assert!(matches!(refused, Error::Duplicate { .. }), "{refused}");
            assert_eq!(
                refused.to_string(),
                "10.1.2.2 is already allocated to container dummy interface eth0"
            );
            assert_eq!(rig.files("mynet0"), before);
        };
        repeated();
        assert_eq!(add(&config, "dummy1", "eth0").unwrap(), ["10.1.2.3/24"]);
        repeated();
        assert_eq!(
            release(&config.store(), "dummy", "eth0").unwrap(),
            [ip("10.1.2.2")]
        );
        assert_eq!(
            release(&config.store(), "dummy1", "eth0").unwrap(),
            [ip("10.1.2.3")]
        );
        assert_eq!(
            rig.files("mynet0"),
            files(&[("last_reserved_ip.0", "10.1.2.3")])
        );
        assert_eq!(add(&config, "dummy", "eth0").unwrap(), ["10.1.2.4/24"]);
    }
}

#[test]
fn h3_a_requested_address_is_no_way_to_a_second_lease() {
    let rig = Rig::new();
    let mut config = rig.config(json!({"subnet": "10.1.2.0/24"}));
    add(&config, "dummy", "eth0").unwrap();
    config.requested = vec![ip("10.1.2.9")];
    let before = rig.files("mynet");
    assert!(matches!(
        add(&config, "dummy", "eth0"),
        Err(Error::Duplicate { .. })
    ));
    assert_eq!(rig.files("mynet"), before);
    assert_eq!(add(&config, "dummy", "eth1").unwrap(), ["10.1.2.9/24"]);
}

#[test]
fn h4_del_of_an_old_format_file() {
    for version in VERSIONS {
        let rig = Rig::new();
        let network = rig.network(
            version,
            "mynet",
            json!({"ranges": [[{"subnet": "10.1.2.0/24"}]]}),
        );
        let config = Config::parse("mynet", &network, "").unwrap();
        assert_eq!(add(&config, "dummy", "eth0").unwrap(), ["10.1.2.2/24"]);
        // Rewritten in place: not even the directory tells that something changed.
        rig.put("mynet", "10.1.2.2", "dummy");
        assert_eq!(
            check(&config.store(), "dummy", "eth0").unwrap(),
            [ip("10.1.2.2")]
        );
        let refused = add(&config, "dummy", "eth0").unwrap_err();
        assert!(matches!(refused, Error::Duplicate { .. }), "{refused}");
        assert_eq!(
            release(&config.store(), "dummy", "eth0").unwrap(),
            [ip("10.1.2.2")]
        );
        assert_eq!(
            rig.files("mynet"),
            files(&[("last_reserved_ip.0", "10.1.2.2")])
        );
    }
}

#[test]
fn h4_an_old_format_file_stays_while_the_interface_has_one_of_its_own() {
    let rig = Rig::new();
    let config = rig.config(json!({"subnet": "10.1.2.0/24"}));
    rig.put("mynet", "10.9.9.9", "dummy");
    assert_eq!(add(&config, "dummy", "eth0").unwrap(), ["10.1.2.2/24"]);
    assert_eq!(
        release(&config.store(), "dummy", "eth0").unwrap(),
        [ip("10.1.2.2")]
    );
    assert_eq!(
        release(&config.store(), "dummy", "eth0").unwrap(),
        [ip("10.9.9.9")]
    );
    assert_eq!(
        release(&config.store(), "dummy", "eth0").unwrap(),
        [] as [std::net::IpAddr; 0]
    );
}

#[test]
fn h5_del_of_an_unknown_id_succeeds() {
    for version in VERSIONS {
        let rig = Rig::new();
        let network = rig.network(version, "mynet", json!({"subnet": "10.1.2.0/24"}));
        let config = Config::parse("mynet", &network, "").unwrap();
        assert!(
            release(&config.store(), "dummy", "eth0")
                .unwrap()
                .is_empty()
        );
        assert!(
            !rig.data_dir().exists(),
            "DEL has no reason to make a store"
        );
        add(&config, "other", "eth0").unwrap();
        let before = rig.files("mynet");
        assert!(
            release(&config.store(), "dummy", "eth0")
                .unwrap()
                .is_empty()
        );
        assert!(
            release(&config.store(), "other", "eth1")
                .unwrap()
                .is_empty()
        );
        assert_eq!(rig.files("mynet"), before);
    }
}

#[test]
fn h7_first_use_prints_no_error() {
    for version in VERSIONS {
        let rig = Rig::new();
        let network = rig.network(version, "mynet", json!({"subnet": "10.1.2.0/24"}));
        let config = Config::parse("mynet", &network, "").unwrap();
        let events = own_store::events(|| {
            add(&config, "testing", "eth0").unwrap();
        });
        assert_eq!(events, [] as [String; 0], "{version}");
        rig.put("mynet", "10.1.2.7", "");
        let events = own_store::events(|| {
            add(&config, "second", "eth0").unwrap();
        });
        assert_eq!(
            events.len(),
            1,
            "the recorder works: a corrupt lease is worth a warning"
        );
    }
}

#[test]
fn h8_a_custom_address_by_config_args() {
    for version in VERSIONS {
        let rig = Rig::new();
        let mut network = rig.network(
            version,
            "mynet",
            json!({"ranges": [[{"subnet": "10.1.2.0/24"}]]}),
        );
        network["args"] = json!({"cni": {"ips": ["10.1.2.88"]}});
        let config = Config::parse("mynet", &network, "").unwrap();
        assert_eq!(add(&config, "dummy", "eth0").unwrap(), ["10.1.2.88/24"]);
        assert_eq!(
            rig.files("mynet"),
            files(&[
                ("10.1.2.88", "dummy\r\neth0"),
                ("last_reserved_ip.0", "10.1.2.88")
            ])
        );
    }
}

#[test]
fn h9_custom_addresses_from_several_ranges() {
    for version in VERSIONS {
        let rig = Rig::new();
        let ranges = json!({"ranges": [[{"subnet": "10.1.2.0/24"}], [{"subnet": "10.1.3.0/24"}]]});
        let mut network = rig.network(version, "mynet", ranges);
        network["args"] = json!({"cni": {"ips": ["10.1.2.88", "10.1.3.77"]}});
        let parsed = Config::parse("mynet", &network, "");
        if !has_several_addresses(version) {
            let refused = parsed.unwrap_err();
            assert_eq!(
                refused,
                ConfigError::TooManyAddresses {
                    version: version.to_owned()
                }
            );
            assert_eq!(
                refused.to_string(),
                format!(
                    "cniVersion: \"{version}\" does not support more than one address per family"
                )
            );
            continue;
        }
        assert_eq!(
            add(&parsed.unwrap(), "dummy", "eth0").unwrap(),
            ["10.1.2.88/24", "10.1.3.77/24"]
        );
        let expected = [
            ("10.1.2.88", "dummy\r\neth0"),
            ("10.1.3.77", "dummy\r\neth0"),
            ("last_reserved_ip.0", "10.1.2.88"),
            ("last_reserved_ip.1", "10.1.3.77"),
        ];
        assert_eq!(rig.files("mynet"), files(&expected));
    }
}

#[test]
fn h10_custom_addresses_of_several_protocols() {
    for version in VERSIONS {
        let rig = Rig::new();
        let ranges = json!({"ranges": [
            [{"subnet": "172.16.1.0/24"}, {"subnet": "10.1.2.0/24"}],
            [{"subnet": "2001:db8:1::/48"}],
        ]});
        let mut network = rig.network(version, "mynet", ranges);
        network["args"] = json!({"cni": {"ips": ["10.1.2.88", "2001:db8:1::999"]}});
        let config = Config::parse("mynet", &network, "").unwrap();
        assert_eq!(
            add(&config, "dummy", "eth0").unwrap(),
            ["10.1.2.88/24", "2001:db8:1::999/48"]
        );
        assert_eq!(rig.files("mynet")["2001:db8:1::999"], "dummy\r\neth0");
    }
}

#[test]
fn h11_an_unused_custom_address_fails() {
    for version in VERSIONS
        .into_iter()
        .filter(|version| has_several_addresses(version))
    {
        let rig = Rig::new();
        let ranges = json!({"ranges": [[{"subnet": "10.1.2.0/24"}], [{"subnet": "10.1.3.0/24"}]]});
        let mut network = rig.network(version, "mynet", ranges);
        for (ips, left) in [
            (["10.1.2.88", "10.1.2.77"], "10.1.2.77"),
            (["10.1.3.5", "192.0.2.1"], "192.0.2.1"),
        ] {
            network["args"] = json!({"cni": {"ips": ips}});
            let config = Config::parse("mynet", &network, "").unwrap();
            let refused = add(&config, "dummy", "eth0").unwrap_err();
            assert_eq!(
                refused.to_string(),
                format!("failed to allocate all requested addresses, left over: {left}")
            );
            assert_eq!(rig.files("mynet"), files(&[]));
        }
    }
}
