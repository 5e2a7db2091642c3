//! Rows H31 to H37 of host-local: ranges, resolv.conf, the lock.

#![allow(
    clippy::unwrap_used,
    reason = "a test fails by panicking, its own functions included"
)]

mod own_store;

use std::fs;
use std::sync::mpsc;
use std::thread;

use ipam::{Range, RangeError, RangeSet, allocate};
use own_store::{Rig, add, ip};
use serde_json::json;

fn range(subnet: &str) -> Result<Range, RangeError> {
    Range::new(subnet.parse().unwrap(), None, None, None)
}

fn between(subnet: &str, start: &str, end: &str) -> Result<Range, RangeError> {
    let address = |text: &str| (!text.is_empty()).then(|| ip(text));
    Range::new(subnet.parse().unwrap(), address(start), address(end), None)
}

fn message<T: std::fmt::Debug>(result: Result<T, RangeError>) -> String {
    result.unwrap_err().to_string()
}

#[test]
fn h31_defaults() {
    for (subnet, start, end) in [
        ("192.0.2.0/24", "192.0.2.1", "192.0.2.254"),
        ("192.0.2.0/25", "192.0.2.1", "192.0.2.126"),
        ("192.0.2.0/30", "192.0.2.1", "192.0.2.2"),
        ("0.0.0.0/0", "0.0.0.1", "255.255.255.254"),
        (
            "2001:DB8:1::/64",
            "2001:db8:1::1",
            "2001:db8:1::ffff:ffff:ffff:ffff",
        ),
        ("2001:db8:1::/126", "2001:db8:1::1", "2001:db8:1::3"),
        ("::/0", "::1", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
    ] {
        let expected = Range {
            subnet: subnet.parse().unwrap(),
            start: ip(start),
            end: ip(end),
            gateway: ip(start),
        };
        assert_eq!(range(subnet).unwrap(), expected);
    }
}

#[test]
fn h31_given_values_stay() {
    let given = Range::new(
        "192.0.2.0/24".parse().unwrap(),
        Some(ip("192.0.2.40")),
        Some(ip("192.0.2.50")),
        Some(ip("192.0.2.254")),
    );
    let given = given.unwrap();
    assert_eq!(
        (given.start, given.end, given.gateway),
        (ip("192.0.2.40"), ip("192.0.2.50"), ip("192.0.2.254"))
    );
    let outside = Range::new(
        "2001:db8::/64".parse().unwrap(),
        None,
        None,
        Some(ip("fe80::1")),
    )
    .unwrap();
    assert_eq!(
        outside.gateway,
        ip("fe80::1"),
        "a gateway may be outside, as upstream allows"
    );
}

#[test]
fn h32_host_bits_are_refused() {
    for (subnet, network) in [
        ("192.0.2.12/24", "192.0.2.0"),
        ("192.168.127.0/23", "192.168.126.0"),
        ("2001:db8:1:0:24:19ff:fee1:c44a/64", "2001:db8:1::"),
        ("2001:db8:24:19ff::/63", "2001:db8:24:19fe::"),
    ] {
        let length = subnet.split('/').nth(1).unwrap();
        let expected = format!(
            "{subnet} has host bits set, the network address for length {length} is {network}"
        );
        assert_eq!(message(range(subnet)), expected);
    }
}

#[test]
fn h33_too_small() {
    for subnet in [
        "192.0.2.0/31",
        "192.0.2.0/32",
        "2001:db8::/127",
        "2001:db8::/128",
    ] {
        assert_eq!(
            message(range(subnet)),
            format!("network {subnet} is too small to allocate from")
        );
    }
    for subnet in ["192.0.2.0/30", "2001:db8::/126"] {
        assert!(range(subnet).is_ok());
    }
}

#[test]
fn h34_bad_start_and_end() {
    for (start, end, expected) in [
        (
            "192.0.3.0",
            "",
            "rangeStart 192.0.3.0 is not in network 192.0.2.0/24",
        ),
        (
            "",
            "192.0.4.0",
            "rangeEnd 192.0.4.0 is not in network 192.0.2.0/24",
        ),
        (
            "2001:db8::1",
            "",
            "rangeStart 2001:db8::1 is not in network 192.0.2.0/24",
        ),
        (
            "",
            "2001:db8::1",
            "rangeEnd 2001:db8::1 is not in network 192.0.2.0/24",
        ),
        (
            "192.0.2.50",
            "192.0.2.40",
            "rangeStart 192.0.2.50 is after rangeEnd 192.0.2.40 in network 192.0.2.0/24",
        ),
        // The defaults count: upstream accepts these and gives out what is not in the subnet.
        (
            "192.0.2.255",
            "",
            "rangeStart 192.0.2.255 is after rangeEnd 192.0.2.254 in network 192.0.2.0/24",
        ),
        (
            "",
            "192.0.2.0",
            "rangeStart 192.0.2.1 is after rangeEnd 192.0.2.0 in network 192.0.2.0/24",
        ),
    ] {
        assert_eq!(message(between("192.0.2.0/24", start, end)), expected);
    }
}

#[test]
fn h35_membership() {
    let v4 = between("192.0.2.0/24", "192.0.2.40", "192.0.2.50").unwrap();
    for (address, inside) in [
        ("192.0.3.0", false),
        ("192.0.2.39", false),
        ("192.0.2.40", true),
        ("192.0.2.50", true),
        ("::ffff:192.0.2.45", true),
        ("192.0.2.51", false),
        ("::c000:22d", false),
    ] {
        assert_eq!(v4.contains(ip(address)), inside, "{address}");
    }
    let v6 = between("2001:db8:1::/64", "2001:db8:1::40", "2001:db8:1::50").unwrap();
    for (address, inside) in [
        ("2001:db8:2::", false),
        ("2001:db8:1::39", false),
        ("2001:db8:1::40", true),
        ("2001:db8:1::50", true),
        ("2001:db8:1::51", false),
    ] {
        assert_eq!(v6.contains(ip(address)), inside, "{address}");
    }
    let set = RangeSet::new(vec![
        range("192.168.0.0/24").unwrap(),
        range("172.16.1.0/24").unwrap(),
    ])
    .unwrap();
    assert_eq!(set.range_for(ip("192.168.0.55")), Some(&set[0]));
    assert_eq!(set.range_for(ip("172.16.1.55")), Some(&set[1]));
    assert!(!set.contains(ip("192.168.99.99")));
    assert_eq!(
        set.to_string(),
        "192.168.0.1-192.168.0.254,172.16.1.1-172.16.1.254"
    );
}

#[test]
fn h35_overlap() {
    for (first, second, expected) in [
        (range("10.0.0.0/24"), range("10.0.1.0/24"), false),
        (range("0.0.0.0/24"), range("::/24"), false),
        (range("10.0.0.0/24"), range("10.0.0.0/24"), true),
        (range("10.0.0.0/20"), range("10.0.1.0/24"), true),
        (
            between("10.0.0.0/24", "", "10.0.0.127"),
            between("10.0.0.0/24", "10.0.0.128", ""),
            false,
        ),
        (
            between("10.0.0.0/24", "", "10.0.0.127"),
            between("10.0.0.0/24", "10.0.0.127", ""),
            true,
        ),
    ] {
        let (first, second) = (first.unwrap(), second.unwrap());
        assert_eq!(first.overlaps(&second), expected, "{first} {second}");
        assert_eq!(second.overlaps(&first), expected, "{second} {first}");
        if first.start.is_ipv4() == second.start.is_ipv4() {
            assert_eq!(
                RangeSet::new(vec![first.clone(), second.clone()]).is_err(),
                expected
            );
        }
        let (one, other) = (
            RangeSet::new(vec![first]).unwrap(),
            RangeSet::new(vec![second]).unwrap(),
        );
        assert_eq!(one.overlap(&other).is_some(), expected);
        assert_eq!(other.overlap(&one).is_some(), expected);
    }
    let inner = RangeSet::new(vec![
        range("192.168.0.0/20").unwrap(),
        range("192.168.2.0/24").unwrap(),
    ]);
    assert_eq!(
        message(inner),
        "ranges 192.168.0.1-192.168.15.254 and 192.168.2.1-192.168.2.254 overlap"
    );
}

#[test]
fn h36_resolv_conf() {
    for (contents, expected) in [
        (
            "\n\t\tnameserver 192.0.2.0\n\t\tnameserver 192.0.2.1\n\t\t",
            json!({"nameservers": ["192.0.2.0", "192.0.2.1"]}),
        ),
        (
            "nameserver 192.0.2.0\n;nameserver 192.0.2.1\n",
            json!({"nameservers": ["192.0.2.0"]}),
        ),
        (
            "nameserver 192.0.2.0\nnameserver 192.0.2.2\ndomain example.com\n;nameserver comment\n#nameserver comment\n\
             search example.net example.org\nsearch example.gov\noptions one two three\noptions four\n",
            json!({
                "nameservers": ["192.0.2.0", "192.0.2.2"],
                "domain": "example.com",
                "search": ["example.net", "example.org", "example.gov"],
                "options": ["one", "two", "three", "four"],
            }),
        ),
        ("", json!({})),
        (
            "nameserver\nsearch\n  # x\nsortlist 10.0.0.0\n\u{fffd}\nnameserver 192.0.2.9 trailing",
            json!({"nameservers": ["192.0.2.9"]}),
        ),
    ] {
        let rig = Rig::new();
        let path = rig.data_dir().with_file_name("resolv.conf");
        fs::write(&path, contents).unwrap();
        let config = rig.config(json!({"subnet": "10.0.0.0/24", "resolvConf": path}));
        let dns = allocate(&config, "id", "eth0").unwrap().dns;
        assert_eq!(serde_json::to_value(&dns).unwrap(), expected);
        assert_eq!(dns.is_empty(), expected == json!({}));
    }
}

#[test]
fn h36_a_resolv_conf_that_is_not_there_changes_nothing() {
    let rig = Rig::new();
    let path = rig.data_dir().with_file_name("none");
    let config = rig.config(json!({"subnet": "10.0.0.0/24", "resolvConf": path}));
    let refused = allocate(&config, "id", "eth0").unwrap_err();
    assert_eq!(
        refused.to_string(),
        format!(
            "cannot read {}: No such file or directory (os error 2)",
            path.display()
        )
    );
    assert!(!rig.data_dir().exists());
}

#[test]
fn h37_the_lock_is_a_file_named_lock_in_the_networks_folder() {
    let rig = Rig::new();
    let config = rig.config(json!({"subnet": "10.0.0.0/24"}));
    add(&config, "id", "eth0").unwrap();
    let path = rig.data_dir().join("mynet").join("lock");
    assert_eq!(fs::metadata(&path).unwrap().len(), 0);
    // Held by another program, by flock, as upstream holds it: all wait.
    let peer = fs::File::open(&path).unwrap();
    peer.lock().unwrap();
    let (sent, received) = mpsc::channel();
    let waiting = thread::spawn(move || {
        sent.send("before").unwrap();
        let added = add(&config, "other", "eth0").unwrap();
        sent.send("after").unwrap();
        added
    });
    assert_eq!(received.recv().unwrap(), "before");
    own_store::until_blocked_on(&path);
    assert!(
        received.try_recv().is_err(),
        "ADD went on while another held the lock"
    );
    assert!(!rig.data_dir().join("mynet").join("10.0.0.3").exists());
    peer.unlock().unwrap();
    assert_eq!(waiting.join().unwrap(), ["10.0.0.3/24"]);
    assert_eq!(received.recv().unwrap(), "after");
}

#[test]
fn h37_a_folder_that_is_a_file_is_an_error_with_its_path() {
    let rig = Rig::new();
    fs::create_dir_all(rig.data_dir()).unwrap();
    let path = rig.data_dir().join("mynet");
    fs::write(&path, "in the way").unwrap();
    let config = rig.config(json!({"subnet": "10.0.0.0/24"}));
    let expected = format!(
        "cannot open {}: Not a directory (os error 20)",
        path.join("lock").display()
    );
    assert_eq!(
        add(&config, "id", "eth0").unwrap_err().to_string(),
        expected
    );
    assert_eq!(
        ipam::release(&config.store(), "id", "eth0")
            .unwrap_err()
            .to_string(),
        expected
    );
    assert_eq!(
        ipam::status(&config.store()).unwrap_err().to_string(),
        expected
    );
    assert_eq!(
        ipam::list(&config.store()).unwrap_err().to_string(),
        expected
    );
    assert_eq!(fs::read_to_string(path).unwrap(), "in the way");
}
