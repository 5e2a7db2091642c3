//! Rows H12 to H20 of host-local: in which order addresses are given out.

#![allow(
    clippy::unwrap_used,
    reason = "a test fails by panicking, its own functions included"
)]

mod own_store;

use ipam::{Config, Error, release};
use own_store::{Rig, add, files, ip};
use serde_json::{Value, json};

/// Allocates for containers of different names until nothing is left.
fn take_all(config: &Config) -> Vec<String> {
    let mut taken = Vec::new();
    loop {
        match add(config, &format!("container{}", taken.len()), "eth0") {
            Ok(addresses) => taken.extend(
                addresses
                    .iter()
                    .map(|address| address.split('/').next().unwrap().to_owned()),
            ),
            Err(Error::Exhausted { .. }) => return taken,
            Err(error) => panic!("{error}"),
        }
    }
}

/// What is given out from these subnets when these addresses are taken and `last` was last.
fn next(subnets: &[&str], taken: &[&str], last: &str) -> Result<String, Error> {
    let rig = Rig::new();
    let set: Vec<Value> = subnets
        .iter()
        .map(|subnet| json!({"subnet": subnet}))
        .collect();
    let config = rig.config(json!({"ranges": [set]}));
    for address in taken {
        rig.put("mynet", address, "id\r\neth0");
    }
    if !last.is_empty() {
        rig.put("mynet", "last_reserved_ip.0", last);
    }
    let before = rig.files("mynet");
    let result = add(&config, "ID", "eth0");
    match &result {
        Ok(addresses) => {
            let address = addresses[0].split('/').next().unwrap();
            let mut expected = before;
            expected.insert(address.to_owned(), "ID\r\neth0".to_owned());
            expected.insert("last_reserved_ip.0".to_owned(), address.to_owned());
            assert_eq!(rig.files("mynet"), expected);
            Ok(address.to_owned())
        }
        Err(_) => {
            assert_eq!(rig.files("mynet"), before);
            Err(result.unwrap_err())
        }
    }
}

#[test]
fn h12_iterates_from_the_start() {
    let rig = Rig::new();
    let config = rig.config(json!({"subnet": "192.168.1.0/29"}));
    assert_eq!(
        take_all(&config),
        [
            "192.168.1.2",
            "192.168.1.3",
            "192.168.1.4",
            "192.168.1.5",
            "192.168.1.6"
        ]
    );
}

#[test]
fn h13_iterates_from_the_end() {
    let rig = Rig::new();
    let config = rig.config(json!({"subnet": "192.168.1.0/29"}));
    rig.put("mynet", "last_reserved_ip.0", "192.168.1.6");
    assert_eq!(
        take_all(&config),
        [
            "192.168.1.2",
            "192.168.1.3",
            "192.168.1.4",
            "192.168.1.5",
            "192.168.1.6"
        ]
    );
}

#[test]
fn h14_iterates_from_the_middle() {
    let rig = Rig::new();
    let config = rig.config(json!({"subnet": "192.168.1.0/29"}));
    rig.put("mynet", "last_reserved_ip.0", "192.168.1.3");
    assert_eq!(
        take_all(&config),
        [
            "192.168.1.4",
            "192.168.1.5",
            "192.168.1.6",
            "192.168.1.2",
            "192.168.1.3"
        ]
    );
}

#[test]
fn h15_round_robin() {
    for (subnets, taken, last, expected) in [
        // A fresh start.
        (&["10.0.0.0/29"][..], &[][..], "", "10.0.0.2"),
        (&["2001:db8:1::0/64"], &[], "", "2001:db8:1::2"),
        (&["10.0.0.0/30"], &[], "", "10.0.0.2"),
        (&["10.0.0.0/29"], &["10.0.0.2"], "", "10.0.0.3"),
        // After the last one.
        (&["10.0.0.0/29"], &[], "10.0.0.5", "10.0.0.6"),
        (
            &["10.0.0.0/29"],
            &["10.0.0.4", "10.0.0.5"],
            "10.0.0.3",
            "10.0.0.6",
        ),
        // Back to the beginning.
        (&["10.0.0.0/29"], &["10.0.0.6"], "10.0.0.5", "10.0.0.2"),
        // The last one is from elsewhere, or no address at all.
        (&["10.0.0.0/29"], &["10.0.0.2"], "10.0.0.128", "10.0.0.3"),
        (&["10.0.0.0/29"], &[], "2001:db8::1", "10.0.0.2"),
        (&["10.0.0.0/29"], &[], "nonsense", "10.0.0.2"),
        // All taken but the last one itself.
        (
            &["10.0.0.0/29"],
            &["10.0.0.2", "10.0.0.4", "10.0.0.5", "10.0.0.6"],
            "10.0.0.3",
            "10.0.0.3",
        ),
        // Several subnets: the first, the next, back to the first.
        (&["10.0.0.0/30", "10.0.1.0/30"], &[], "", "10.0.0.2"),
        (&["10.0.0.0/30", "10.0.1.0/30"], &[], "10.0.0.2", "10.0.1.2"),
        (
            &["10.0.0.0/30", "10.0.1.0/30", "10.0.2.0/30"],
            &[],
            "10.0.2.2",
            "10.0.0.2",
        ),
    ] {
        assert_eq!(
            next(subnets, taken, last).unwrap(),
            expected,
            "{subnets:?} {taken:?} {last:?}"
        );
    }
    let rig = Rig::new();
    let config = rig.config(json!({"subnet": "192.168.1.0/29"}));
    for expected in [
        "192.168.1.2/29",
        "192.168.1.3/29",
        "192.168.1.4/29",
        "192.168.1.5/29",
        "192.168.1.6/29",
        "192.168.1.2/29",
    ] {
        assert_eq!(add(&config, "ID", "eth0").unwrap(), [expected]);
        release(&config.store(), "ID", "eth0").unwrap();
    }
}

#[test]
fn h16_never_the_broadcast_address() {
    let rig = Rig::new();
    let config = rig.config(json!({"subnet": "192.168.1.0/29"}));
    for host in 2..7 {
        assert_eq!(
            add(&config, &format!("ID{host}"), "eth0").unwrap(),
            [format!("192.168.1.{host}/29")]
        );
    }
    assert!(matches!(
        add(&config, "ID8", "eth0"),
        Err(Error::Exhausted { .. })
    ));
}

#[test]
fn h16_never_network_broadcast_or_gateway_even_when_the_range_names_them() {
    let rig = Rig::new();
    let range = json!({"subnet": "192.168.1.0/29", "rangeStart": "192.168.1.0", "rangeEnd": "192.168.1.7", "gateway": "192.168.1.4"});
    let config = rig.config(range.clone());
    assert_eq!(
        take_all(&config),
        [
            "192.168.1.1",
            "192.168.1.2",
            "192.168.1.3",
            "192.168.1.5",
            "192.168.1.6"
        ]
    );
    for (address, role) in [
        ("192.168.1.0", "network address"),
        ("192.168.1.4", "gateway"),
        ("192.168.1.7", "broadcast address"),
    ] {
        let rig = Rig::new();
        let mut config = rig.config(range.clone());
        config.requested = vec![ip(address)];
        let refused = add(&config, "ID", "eth0").unwrap_err();
        assert_eq!(
            refused.to_string(),
            format!("requested address {address} is the {role} of its subnet")
        );
        assert_eq!(rig.files("mynet"), files(&[]));
    }
    // The gateway of one range of the set may lie in another one.
    let rig = Rig::new();
    let config = rig.config(json!({"ranges": [[
        {"subnet": "10.0.0.0/29", "rangeEnd": "10.0.0.3", "gateway": "10.0.0.5"},
        {"subnet": "10.0.0.0/29", "rangeStart": "10.0.0.4", "gateway": "10.0.0.5"},
    ]]}));
    assert_eq!(
        take_all(&config),
        ["10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.0.4", "10.0.0.6"]
    );
    // A v6 range may end with the subnet's last address, but not begin with its first.
    let rig = Rig::new();
    let config = rig.config(json!({"subnet": "2001:db8::/126", "rangeStart": "2001:db8::"}));
    assert_eq!(take_all(&config), ["2001:db8::2", "2001:db8::3"]);
}

#[test]
fn h17_a_requested_address_that_is_free() {
    let rig = Rig::new();
    let mut config = rig.config(json!({"subnet": "192.168.1.0/29"}));
    config.requested = vec![ip("192.168.1.5")];
    assert_eq!(add(&config, "ID", "eth0").unwrap(), ["192.168.1.5/29"]);
    assert_eq!(
        rig.files("mynet"),
        files(&[
            ("192.168.1.5", "ID\r\neth0"),
            ("last_reserved_ip.0", "192.168.1.5")
        ])
    );
}

#[test]
fn h17_a_requested_address_that_is_taken() {
    let rig = Rig::new();
    let mut config = rig.config(json!({"subnet": "192.168.1.0/29"}));
    config.requested = vec![ip("192.168.1.5")];
    add(&config, "ID", "eth0").unwrap();
    for id in ["ID", "other"] {
        let before = rig.files("mynet");
        let refused = add(&config, id, "eth0").unwrap_err();
        assert_eq!(
            refused.to_string(),
            "requested address 192.168.1.5 is not available in range set 0 (192.168.1.1-192.168.1.6), \
             container ID interface eth0 holds it"
        );
        assert_eq!(rig.files("mynet"), before);
    }
}

#[test]
fn h17_a_requested_address_before_start_or_after_end() {
    for (range, address) in [
        (
            json!({"subnet": "192.168.1.0/29", "rangeEnd": "192.168.1.4"}),
            "192.168.1.5",
        ),
        (
            json!({"subnet": "192.168.1.0/29", "rangeStart": "192.168.1.3"}),
            "192.168.1.2",
        ),
    ] {
        let rig = Rig::new();
        let mut config = rig.config(range);
        config.requested = vec![ip(address)];
        let refused = add(&config, "ID", "eth0").unwrap_err();
        assert_eq!(
            refused.to_string(),
            format!("failed to allocate all requested addresses, left over: {address}")
        );
        assert_eq!(rig.files("mynet"), files(&[]));
    }
}

#[test]
fn h18_exhaustion_names_the_range_set() {
    for (subnets, taken, ranges) in [
        (&["10.0.0.0/30"][..], &["10.0.0.2"][..], "10.0.0.1-10.0.0.2"),
        (
            &["10.0.0.0/29"],
            &["10.0.0.2", "10.0.0.3", "10.0.0.4", "10.0.0.5", "10.0.0.6"],
            "10.0.0.1-10.0.0.6",
        ),
        (
            &["10.0.0.0/30", "10.0.1.0/30"],
            &["10.0.0.2", "10.0.1.2"],
            "10.0.0.1-10.0.0.2,10.0.1.1-10.0.1.2",
        ),
    ] {
        for last in ["", taken[0], "192.0.2.1"] {
            let refused = next(subnets, taken, last).unwrap_err();
            assert_eq!(
                refused.to_string(),
                format!("no IP addresses available in range set 0: {ranges} of network mynet")
            );
        }
    }
}

#[test]
fn h18_an_exhausted_second_set_leaves_the_first_untouched() {
    let rig = Rig::new();
    let config =
        rig.config(json!({"ranges": [[{"subnet": "10.0.0.0/29"}], [{"subnet": "10.0.1.0/30"}]]}));
    assert_eq!(
        add(&config, "first", "eth0").unwrap(),
        ["10.0.0.2/29", "10.0.1.2/30"]
    );
    let before = rig.files("mynet");
    let refused = add(&config, "second", "eth0").unwrap_err();
    assert_eq!(
        refused.to_string(),
        "no IP addresses available in range set 1: 10.0.1.1-10.0.1.2 of network mynet"
    );
    assert_eq!(rig.files("mynet"), before, "not even the round robin moved");
    release(&config.store(), "first", "eth0").unwrap();
    assert_eq!(
        add(&config, "second", "eth0").unwrap(),
        ["10.0.0.3/29", "10.0.1.2/30"]
    );
}

#[test]
fn h19_last_reserved_at_range_end_goes_to_next_range() {
    let set = json!({"ranges": [[
        {"subnet": "192.168.1.0/24", "rangeStart": "192.168.1.10", "rangeEnd": "192.168.1.13"},
        {"subnet": "192.168.2.0/24", "rangeStart": "192.168.2.10", "rangeEnd": "192.168.2.13"},
    ]]});
    let rig = Rig::new();
    let mut config = rig.config(set);
    config.requested = vec![ip("192.168.1.13")];
    assert_eq!(add(&config, "ID", "eth0").unwrap(), ["192.168.1.13/24"]);
    config.requested.clear();
    assert_eq!(add(&config, "ID1", "eth0").unwrap(), ["192.168.2.10/24"]);
    // Once around, the first range's end included once it is free again.
    release(&config.store(), "ID", "eth0").unwrap();
    assert_eq!(
        take_all(&config),
        [
            "192.168.2.11",
            "192.168.2.12",
            "192.168.2.13",
            "192.168.1.10",
            "192.168.1.11",
            "192.168.1.12",
            "192.168.1.13"
        ]
    );
}

#[test]
fn h20_without_a_last_reserved_address_the_first_range_begins() {
    let rig = Rig::new();
    let config = rig.config(json!({"ranges": [[
        {"subnet": "192.168.1.0/24", "rangeStart": "192.168.1.10", "rangeEnd": "192.168.1.11"},
        {"subnet": "192.168.2.0/24", "rangeStart": "192.168.2.10", "rangeEnd": "192.168.2.11"},
    ]]}));
    assert_eq!(
        take_all(&config),
        [
            "192.168.1.10",
            "192.168.1.11",
            "192.168.2.10",
            "192.168.2.11"
        ]
    );
}
