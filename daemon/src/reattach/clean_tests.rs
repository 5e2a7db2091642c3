//! Only what is surely dead is cleaned.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use attachment::record::{NetnsRef, Port, RoutedPort};

use super::*;

const BOOT: u64 = 2_000_000_000;

fn record(container_id: &str, inode: u64) -> Attachment {
    let netns = NetnsRef {
        path: "/run/netns/x".into(),
        dev: 1,
        inode,
    };
    let mac: netlink::MacAddr = "02:00:00:00:00:01".parse().expect("MAC");
    let port = Port::Routed(RoutedPort { host_mac: mac });
    Attachment::new(container_id, "eth0", "net", netns, port, mac)
}

/// Writes a lease as host-local does, with the age of its file.
fn lease(ipam_dir: &Path, address: &str, contents: &str, taken_at: u64) {
    let network = ipam_dir.join("net");
    std::fs::create_dir_all(&network).expect("mkdir");
    let path = network.join(address);
    std::fs::write(&path, contents).expect("write");
    let time: SystemTime = UNIX_EPOCH + Duration::from_secs(taken_at);
    let file = std::fs::File::options()
        .write(true)
        .open(&path)
        .expect("open");
    file.set_modified(time).expect("set time");
}

fn leased(data_dir: &Path, name: &str) -> [Leased; 1] {
    [Leased {
        name: name.to_owned(),
        data_dir: data_dir.to_owned(),
    }]
}

#[test]
fn leases_from_before_the_boot_go_and_younger_ones_stay() {
    let dir = tempfile::tempdir().expect("temporary directory");
    lease(dir.path(), "10.1.0.2", "dead\r\neth0", BOOT - 10);
    lease(dir.path(), "10.1.0.3", "older", BOOT - 10);
    lease(dir.path(), "10.1.0.4", "recorded\r\neth0", BOOT - 10);
    lease(dir.path(), "10.1.0.5", "young\r\neth0", BOOT + 10);
    let records = [record("recorded", 1)];
    let (released, errors) = old_leases(&leased(dir.path(), "net"), &records, BOOT);
    assert!(errors.is_empty(), "{errors:?}");
    let released: Vec<_> = released.iter().map(|(_, a)| a.to_string()).collect();
    assert_eq!(released, ["10.1.0.2", "10.1.0.3"]);
    assert!(dir.path().join("net/10.1.0.4").exists());
    assert!(dir.path().join("net/10.1.0.5").exists());
}

#[test]
fn networks_of_others_are_not_looked_at() {
    let dir = tempfile::tempdir().expect("temporary directory");
    lease(dir.path(), "10.1.0.2", "dead\r\neth0", BOOT - 10);
    let (released, _) = old_leases(&leased(dir.path(), "other"), &[], BOOT);
    assert!(released.is_empty());
    assert!(dir.path().join("net/10.1.0.2").exists());
}

#[test]
fn a_record_goes_with_its_leases() {
    let dir = tempfile::tempdir().expect("temporary directory");
    let store = Store::open(dir.path()).expect("store");
    let record = record("c1", 1);
    store.write(&record).expect("write");
    lease(dir.path(), "10.1.0.2", "c1\r\neth0", BOOT);
    lease(dir.path(), "10.1.0.3", "c2\r\neth0", BOOT);
    let released = clean_record(&store, dir.path(), &record).expect("cleaned");
    assert_eq!(released.len(), 1);
    assert!(!store.path(&record.key()).exists());
    assert!(dir.path().join("net/10.1.0.3").exists());
}

#[test]
fn a_record_that_was_written_anew_stays() {
    let dir = tempfile::tempdir().expect("temporary directory");
    let store = Store::open(dir.path()).expect("store");
    let (old, new) = (record("c1", 1), record("c1", 2));
    store.write(&new).expect("write");
    assert!(
        clean_record(&store, dir.path(), &old)
            .expect("looked")
            .is_empty()
    );
    assert!(store.path(&new.key()).exists());
}

#[test]
fn a_locked_attachment_is_left_to_its_plugin() {
    let dir = tempfile::tempdir().expect("temporary directory");
    let store = Store::open(dir.path()).expect("store");
    let record = record("c1", 1);
    store.write(&record).expect("write");
    let _lock = store.try_lock(&record.key()).expect("lock").expect("free");
    let error = clean_record(&store, dir.path(), &record).expect_err("locked");
    assert!(matches!(error, CleanError::Busy(_)), "{error}");
    assert!(store.path(&record.key()).exists());
}
