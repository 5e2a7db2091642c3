//! Records on disk: what survives, what is refused, what hides nothing.

use std::os::unix::fs::PermissionsExt;

use netlink::MacAddr;

use super::*;
use crate::record::{NetnsRef, Phase, Port, SwitchPort};
use crate::strategy::Strategy;

fn record(container_id: &str, ifname: &str) -> Attachment {
    let netns = NetnsRef {
        path: "/run/netns/p".into(),
        dev: 4,
        inode: 99,
    };
    let switch = SwitchPort::new("/run/db.sock", "br0", crate::record::Datapath::Kernel);
    let port = Port::on_switch(Strategy::Bond, switch).unwrap();
    Attachment::new(container_id, ifname, "net", netns, port, MacAddr([2; 6]))
}

fn store() -> (tempfile::TempDir, Store) {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).unwrap();
    (dir, store)
}

#[test]
fn what_was_written_is_read_and_listed() {
    let (_dir, store) = store();
    let mut one = record("id.with.dots", "eth0");
    store.write(&one).unwrap();
    assert_eq!(store.read(&one.key()).unwrap(), Some(one.clone()));
    one.phase = Phase::Ready;
    one.port.switch_mut().unwrap().ofport = Some(7);
    store.write(&one).unwrap();
    let listing = store.list().unwrap();
    assert_eq!(listing.attachments, [one.clone()]);
    assert!(listing.broken.is_empty());
    assert!(store.remove(&one.key()).unwrap());
    assert!(!store.remove(&one.key()).unwrap());
    assert_eq!(store.read(&one.key()).unwrap(), None);
    let left: Vec<_> = fs::read_dir(store.directory()).unwrap().collect();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn the_file_is_where_the_contract_says_and_for_root_alone() {
    let (dir, store) = store();
    store.write(&record("abc", "eth0")).unwrap();
    let path = dir.path().join("attachments/abc.eth0.json");
    assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
}

#[test]
fn a_record_cut_off_at_any_byte_hides_nothing() {
    let (_dir, store) = store();
    let good = record("good", "eth0");
    let bad = record("bad", "eth0");
    store.write(&good).unwrap();
    store.write(&bad).unwrap();
    let path = store.path(&bad.key());
    let whole = fs::read(&path).unwrap();
    for length in 0..whole.len() {
        fs::write(&path, &whole[..length]).unwrap();
        let listing = store.list().unwrap();
        assert_eq!(
            listing.attachments,
            std::slice::from_ref(&good),
            "at {length}"
        );
        assert_eq!(listing.broken.len(), 1, "at {length}");
        let message = listing.broken[0].to_string();
        assert!(message.contains("bad.eth0.json"), "{message}");
        assert!(store.read(&bad.key()).is_err(), "at {length}");
    }
    // A corrupt record can be replaced and removed like any other.
    store.write(&bad).unwrap();
    assert_eq!(store.list().unwrap().attachments.len(), 2);
    fs::write(&path, "{").unwrap();
    assert!(store.remove(&bad.key()).unwrap());
}

#[test]
fn unknown_fields_are_tolerated_and_newer_versions_are_not() {
    let (_dir, store) = store();
    let one = record("abc", "eth0");
    store.write(&one).unwrap();
    let path = store.path(&one.key());
    let mut json: serde_json::Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    json["colour"] = "red".into();
    json["port"]["queue"] = 7.into();
    fs::write(&path, json.to_string()).unwrap();
    assert_eq!(store.read(&one.key()).unwrap(), Some(one.clone()));

    // What a newer release cannot be read by is refused before its fields are.
    fs::write(&path, r#"{"version": 2, "phase": "hibernating"}"#).unwrap();
    let error = store.read(&one.key()).unwrap_err();
    assert!(
        matches!(error, StoreError::Version { found: 2, .. }),
        "{error}"
    );
    assert!(error.to_string().contains("abc.eth0.json"), "{error}");
}

#[test]
fn fields_that_came_later_may_be_missing() {
    let (_dir, store) = store();
    let text = r#"{"version": 1, "phase": "ready", "container_id": "abc", "ifname": "eth0",
        "network": "net", "netns": {"path": "/run/netns/p", "dev": 4, "inode": 99},
        "port_name": "brt", "port": {"strategy": "routed", "host_mac": "02:00:00:00:00:01"},
        "mac": "02:00:00:00:00:02"}"#;
    let key = Key::new("abc", "eth0");
    fs::write(store.path(&key), text).unwrap();
    let record = store.read(&key).unwrap().unwrap();
    assert_eq!(record.strategy(), Strategy::Routed);
    assert!(record.addresses.is_empty());
}

#[test]
fn two_attachments_that_meet_in_one_file_name_are_kept_apart() {
    let (_dir, store) = store();
    let one = record("a.b", "c");
    let two = record("a", "b.c");
    assert_eq!(store.path(&one.key()), store.path(&two.key()));
    store.write(&one).unwrap();
    for error in [
        store.write(&two).unwrap_err(),
        store.read(&two.key()).unwrap_err(),
        store.remove(&two.key()).unwrap_err(),
    ] {
        assert!(matches!(error, StoreError::Foreign { .. }), "{error}");
    }
    assert_eq!(store.list().unwrap().attachments, [one]);
}

#[test]
fn a_record_in_the_wrong_file_is_reported() {
    let (_dir, store) = store();
    let one = record("abc", "eth0");
    store.write(&one).unwrap();
    fs::rename(
        store.path(&one.key()),
        store.path(&Key::new("other", "eth0")),
    )
    .unwrap();
    let listing = store.list().unwrap();
    assert!(listing.attachments.is_empty());
    assert!(matches!(listing.broken[..], [StoreError::Foreign { .. }]));
}

#[test]
fn leftovers_of_a_crash_are_no_records() {
    let (_dir, store) = store();
    fs::write(store.directory().join(".abc.eth0.4711"), "{\"ver").unwrap();
    let listing = store.list().unwrap();
    assert!(listing.attachments.is_empty() && listing.broken.is_empty());
}

#[test]
fn no_directory_is_an_empty_store() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::at(&dir.path().join("never"));
    assert!(store.list().unwrap().attachments.is_empty());
    assert_eq!(store.read(&Key::new("a", "b")).unwrap(), None);
    let error = store.write(&record("a", "b")).unwrap_err();
    assert!(error.to_string().contains("never"), "{error}");
}

#[test]
fn a_lock_keeps_others_out_until_it_is_dropped_or_retired() {
    let (_dir, store) = store();
    let key = Key::new("abc", "eth0");
    let lock = store.try_lock(&key).unwrap().unwrap();
    assert!(store.try_lock(&key).unwrap().is_none());
    assert!(store.try_lock(&Key::new("abc", "eth1")).unwrap().is_some());
    drop(lock);
    let lock = store.try_lock(&key).unwrap().unwrap();
    lock.retire();
    assert!(!store.locks.join("abc.eth0").exists());
    assert!(store.try_lock(&key).unwrap().is_some());
}

#[test]
fn a_lock_that_is_not_let_go_is_an_error_that_says_so() {
    let (_dir, store) = store();
    let key = Key::new("abc", "eth0");
    let _held = store.try_lock(&key).unwrap().unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .unwrap();
    let error = runtime
        .block_on(store.lock(&key, Duration::from_millis(10)))
        .unwrap_err();
    assert!(matches!(error, StoreError::Locked { .. }), "{error}");
    assert!(error.to_string().contains("abc/eth0"), "{error}");
}

#[test]
fn a_lock_taken_while_its_file_is_retired_guards_the_next_file() {
    let (_dir, store) = store();
    let key = Key::new("abc", "eth0");
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..200 {
                    if let Some(lock) = store.try_lock(&key).unwrap() {
                        // Whoever holds the lock owns this file alone.
                        let witness = store.locks.join("witness");
                        fs::File::create_new(&witness).expect("two hold the lock");
                        fs::remove_file(&witness).unwrap();
                        lock.retire();
                    }
                }
            });
        }
    });
}
