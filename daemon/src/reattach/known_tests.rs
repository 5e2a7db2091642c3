//! Records that come, go, change and break.

use attachment::record::{NetnsRef, Port, RoutedPort};

use super::*;

fn record(container_id: &str, ifname: &str) -> Attachment {
    let netns = NetnsRef {
        path: "/run/netns/x".into(),
        dev: 1,
        inode: 2,
    };
    let mac: netlink::MacAddr = "02:00:00:00:00:01".parse().expect("MAC");
    let port = Port::Routed(RoutedPort { host_mac: mac });
    Attachment::new(container_id, ifname, "net", netns, port, mac)
}

fn file(store: &Store, key: &Key) -> OsString {
    let path = store.path(key);
    path.file_name().expect("file").to_owned()
}

#[test]
fn a_file_is_followed_through_its_life() {
    let dir = tempfile::tempdir().expect("temporary directory");
    let store = Store::open(dir.path()).expect("store");
    let mut known = Known::default();
    let record = record("c1", "eth0");
    let key = record.key();
    let name = file(&store, &key);
    assert_eq!(known.refresh(&store, &name), Change::Nothing);

    store.write(&record).expect("write");
    assert_eq!(known.refresh(&store, &name), Change::Record(key.clone()));
    assert!(known.by_port(&record.port_name).is_some());

    std::fs::write(store.path(&key), "{\"version\":1").expect("cut off");
    assert!(matches!(known.refresh(&store, &name), Change::Corrupt(_)));
    assert_eq!(known.broken().len(), 1);
    assert!(known.by_key(&key).is_some(), "the last good state stays");

    std::fs::remove_file(store.path(&key)).expect("remove");
    assert_eq!(known.refresh(&store, &name), Change::Removed(key.clone()));
    assert!(known.by_key(&key).is_none());
    assert!(known.broken().is_empty());
}

#[test]
fn dots_in_ids_and_interface_names_are_no_obstacle() {
    let dir = tempfile::tempdir().expect("temporary directory");
    let store = Store::open(dir.path()).expect("store");
    let mut known = Known::default();
    for (id, ifname) in [("a.b", "eth0"), ("a", "eth0.100")] {
        let record = record(id, ifname);
        store.write(&record).expect("write");
        let name = file(&store, &record.key());
        assert_eq!(known.refresh(&store, &name), Change::Record(record.key()));
    }
}

#[test]
fn a_writers_hidden_file_is_nothing() {
    let dir = tempfile::tempdir().expect("temporary directory");
    let store = Store::open(dir.path()).expect("store");
    std::fs::write(store.directory().join(".c1.eth0.7"), "{").expect("write");
    let mut known = Known::default();
    assert_eq!(
        known.refresh(&store, OsStr::new(".c1.eth0.7")),
        Change::Nothing
    );
}

#[test]
fn reading_everything_tells_the_good_from_the_broken() {
    let dir = tempfile::tempdir().expect("temporary directory");
    let store = Store::open(dir.path()).expect("store");
    store.write(&record("c1", "eth0")).expect("write");
    std::fs::write(store.directory().join("c2.eth0.json"), "").expect("write");
    let mut known = Known::default();
    known.reload(&store).expect("read");
    assert_eq!(known.all().len(), 1);
    assert_eq!(known.broken().len(), 1);
}
