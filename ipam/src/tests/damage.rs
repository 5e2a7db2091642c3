//! Lease files that are empty, cut off or nonsense.

use super::*;
use crate::{Error, Holder, garbage_collect};

fn put(rig: &Rig, name: &str, contents: &[u8]) {
    let directory = rig.config.store().directory().to_owned();
    fs::create_dir_all(&directory).unwrap();
    fs::write(directory.join(name), contents).unwrap();
}

#[test]
fn a_corrupt_lease_is_reported_kept_from_being_given_out_and_cleaned_by_gc() {
    let rig = Rig::new(&["10.0.0.0/28"]);
    let corrupt = [
        ("10.0.0.3", &b""[..]),
        ("10.0.0.4", b"\r\n"),
        ("10.0.0.5", b"\xff\xfe\x00"),
        ("10.0.0.6", b"a\r\neth0\r\neth1"),
        ("10.0.0.7", &[b'x'; 1 << 20]),
        ("10.0.0.8", b"two words"),
    ];
    for (name, contents) in corrupt {
        put(&rig, name, contents);
    }
    assert_eq!(rig.add("a").unwrap(), [ip("10.0.0.2")]);
    assert_eq!(rig.add("b").unwrap(), [ip("10.0.0.9")], "past all of them");
    let listed = rig.list();
    let is_corrupt = |lease: &&StoredLease| matches!(lease.holder, Holder::Corrupt { .. });
    // A long run of one letter is, for all that can be told, an id of the old format.
    assert_eq!(listed.iter().filter(is_corrupt).count(), corrupt.len() - 1);
    assert!(
        listed
            .iter()
            .all(|lease| lease.holder.to_string().len() < 5000)
    );
    let mut config = rig.config.clone();
    config.requested = vec![ip("10.0.0.3")];
    let refused = crate::allocate(&config, "c", "eth0").unwrap_err();
    assert!(
        refused
            .to_string()
            .ends_with("a corrupt file (\"\") holds it"),
        "{refused}"
    );

    let valid = [
        ("a".to_owned(), "eth0".to_owned()),
        ("b".to_owned(), "eth0".to_owned()),
    ];
    let mut collected: Vec<_> = garbage_collect(&rig.config.store(), &valid)
        .unwrap()
        .iter()
        .map(|lease| lease.address)
        .collect();
    collected.sort();
    assert_eq!(collected, corrupt.map(|(name, _)| ip(name)));
    assert_eq!(rig.list().len(), 2);
    assert!(rig.index_is_valid());
}

#[test]
fn a_directory_in_the_place_of_a_lease_is_an_error_of_gc_and_keeps_nothing_else() {
    let rig = Rig::new(&["10.0.0.0/28"]);
    rig.add("a").unwrap();
    let path = rig.config.store().lease_path(ip("10.0.0.3"));
    fs::create_dir(&path).unwrap();
    assert_eq!(rig.add("b").unwrap(), [ip("10.0.0.4")]);
    let refused = garbage_collect(&rig.config.store(), &[]).unwrap_err();
    assert!(
        matches!(&refused, Error::Io { path: named, .. } if *named == path),
        "{refused}"
    );
    assert_eq!(rig.list().len(), 1, "all others are gone");
}

#[test]
fn gc_keeps_valid_ones_of_both_formats_and_nothing_else() {
    let rig = Rig::new(&["10.0.0.0/28", "2001:db8::/64"]);
    for id in ["a", "b", "c"] {
        rig.add(id).unwrap();
    }
    put(&rig, "10.0.0.8", b"a");
    put(&rig, "10.0.0.9", b"old");
    put(&rig, "10.0.0.10", b"a\r\neth1");
    put(&rig, "not-an-address", b"gone\r\neth0");
    put(&rig, "::00", b"a name that no address has\r\neth0");
    fs::create_dir(rig.config.store().directory().join("folder")).unwrap();
    let valid = [
        (" a ".to_owned(), "eth0".to_owned()),
        ("c".to_owned(), "eth0".to_owned()),
    ];
    let mut collected: Vec<_> = garbage_collect(&rig.config.store(), &valid).unwrap();
    collected.sort_by_key(|lease| lease.address);
    let addresses: Vec<_> = collected.iter().map(|lease| lease.address).collect();
    assert_eq!(
        addresses,
        ["10.0.0.3", "10.0.0.9", "10.0.0.10", "2001:db8::3"].map(ip)
    );
    let left: Vec<_> = rig.list().iter().map(|lease| lease.address).collect();
    assert_eq!(
        left,
        [
            "10.0.0.2",
            "10.0.0.4",
            "10.0.0.8",
            "2001:db8::2",
            "2001:db8::4"
        ]
        .map(ip)
    );
    assert!(
        rig.files().contains_key("not-an-address"),
        "what is no lease is not ours to remove"
    );
    assert!(rig.index_is_valid());
    assert!(
        garbage_collect(&rig.config.store(), &valid)
            .unwrap()
            .is_empty()
    );
    assert_eq!(garbage_collect(&rig.config.store(), &[]).unwrap().len(), 5);
    assert!(
        garbage_collect(&crate::Store::at(rig.directory.path(), "none"), &[])
            .unwrap()
            .is_empty()
    );
}
