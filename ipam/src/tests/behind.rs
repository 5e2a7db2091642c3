//! Changes made behind the index: by upstream's host-local, by operators, by tools.

use super::*;
use crate::Error;

/// Adds as upstream's plugin does to the disk, knowing nothing of an index.
fn upstream_adds(rig: &Rig, address: &str, contents: &str) {
    let store = rig.config.store();
    let path = store.lease_path(ip(address));
    fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .open(&path)
        .unwrap();
    fs::write(&path, contents).unwrap();
    fs::write(store.directory().join("last_reserved_ip.0"), address).unwrap();
}

fn upstream_removes(rig: &Rig, address: &str) {
    fs::remove_file(rig.config.store().lease_path(ip(address))).unwrap();
}

#[test]
fn every_change_of_upstreams_is_noticed_however_soon() {
    let rig = Rig::new(&["10.0.0.0/16"]);
    // Many rounds, so that both changes of some fall into one tick of the kernel's clock.
    for round in 0u32..300 {
        let ours = rig.add("ours").unwrap()[0];
        assert!(rig.index_is_valid());
        let theirs =
            IpAddr::V4((u32::from_be_bytes([10, 0, 128, 0]) + 3 * round).into()).to_string();
        upstream_adds(&rig, &theirs, &format!("theirs{round}\r\neth0"));
        assert!(!rig.index_is_valid(), "round {round}");
        assert_eq!(
            crate::check(&rig.config.store(), &format!("theirs{round}"), "eth0").unwrap(),
            [ip(&theirs)]
        );
        assert!(rig.index_is_valid());
        upstream_removes(&rig, &ours.to_string());
        assert!(!rig.index_is_valid(), "round {round}");
        assert!(rig.del("ours").unwrap().is_empty());
        assert_eq!(rig.del(&format!("theirs{round}")).unwrap(), [ip(&theirs)]);
    }
}

#[test]
fn upstreams_leases_are_not_given_out_and_its_round_robin_goes_on() {
    let rig = Rig::new(&["10.0.0.0/29"]);
    assert_eq!(rig.add("a").unwrap(), [ip("10.0.0.2")]);
    upstream_adds(&rig, "10.0.0.3", "b\r\neth0");
    upstream_adds(&rig, "10.0.0.4", "c\r\neth0");
    assert_eq!(rig.add("d").unwrap(), [ip("10.0.0.5")]);
    assert!(matches!(rig.add("c"), Err(Error::Duplicate { .. })));
    upstream_removes(&rig, "10.0.0.3");
    assert_eq!(rig.add("e").unwrap(), [ip("10.0.0.6")]);
    assert_eq!(rig.add("f").unwrap(), [ip("10.0.0.3")]);
    assert!(matches!(rig.add("g"), Err(Error::Exhausted { .. })));
    upstream_removes(&rig, "10.0.0.2");
    assert_eq!(rig.add("g").unwrap(), [ip("10.0.0.2")]);
}

#[test]
fn the_index_may_be_deleted_replaced_or_made_unusable_at_any_time() {
    let rig = Rig::new(&["10.0.0.0/24"]);
    let store = rig.config.store();
    let index = store.index_directory().join("index");
    let damage: [&dyn Fn(); 6] = [
        &|| fs::remove_file(&index).unwrap(),
        &|| fs::remove_dir_all(store.index_directory().parent().unwrap()).unwrap(),
        &|| fs::write(&index, "").unwrap(),
        &|| fs::write(&index, vec![0xff; 60_000]).unwrap(),
        &|| {
            fs::write(
                &index,
                vec![0; fs::metadata(&index).unwrap().len() as usize],
            )
            .unwrap()
        },
        &|| {
            let mut bytes = fs::read(&index).unwrap();
            bytes[512..].fill(0x55);
            fs::write(&index, bytes).unwrap();
        },
    ];
    for (round, damage) in damage.iter().enumerate() {
        rig.add(&format!("a{round}")).unwrap();
        rig.add(&format!("b{round}")).unwrap();
        assert!(rig.index_is_valid());
        damage();
        assert!(
            matches!(rig.add(&format!("a{round}")), Err(Error::Duplicate { .. })),
            "round {round}"
        );
        damage();
        assert_eq!(
            rig.del(&format!("b{round}")).unwrap().len(),
            1,
            "round {round}"
        );
        assert!(rig.index_is_valid());
    }
    assert_eq!(rig.list().len(), damage.len());
}

#[test]
fn an_index_that_cannot_be_kept_is_no_error() {
    let rig = Rig::new(&["10.0.0.0/24"]);
    let store = rig.config.store();
    let beside = store.index_directory().parent().unwrap();
    fs::create_dir_all(beside.parent().unwrap()).unwrap();
    fs::write(beside, "a file where the directory would be").unwrap();
    assert_eq!(rig.add("a").unwrap(), [ip("10.0.0.2")]);
    assert_eq!(rig.add("b").unwrap(), [ip("10.0.0.3")]);
    assert!(!rig.index_is_valid());
    assert_eq!(rig.del("a").unwrap(), [ip("10.0.0.2")]);
    assert_eq!(rig.list().len(), 1);
}

#[test]
fn a_store_that_is_cleared_or_moved_is_another_store() {
    let rig = Rig::new(&["10.0.0.0/24"]);
    let store = rig.config.store();
    for id in ["a", "b", "c"] {
        rig.add(id).unwrap();
    }
    fs::remove_dir_all(store.directory()).unwrap();
    assert!(rig.del("a").unwrap().is_empty());
    assert!(!store.directory().exists());
    assert_eq!(
        rig.add("a").unwrap(),
        [ip("10.0.0.2")],
        "from the beginning"
    );
    // A copy, as a backup or `cp -a` would put it back, with the times of the original.
    rig.add("b").unwrap();
    let times = fs::metadata(store.directory()).unwrap().modified().unwrap();
    let copy = store.directory().with_extension("copy");
    fs::create_dir(&copy).unwrap();
    fs::write(copy.join("10.0.0.9"), "z\r\neth0").unwrap();
    fs::rename(store.directory(), store.directory().with_extension("old")).unwrap();
    fs::rename(&copy, store.directory()).unwrap();
    fs::File::open(store.directory())
        .unwrap()
        .set_times(fs::FileTimes::new().set_modified(times))
        .unwrap();
    assert!(!rig.index_is_valid());
    assert_eq!(rig.del("z").unwrap(), [ip("10.0.0.9")]);
    assert!(rig.del("b").unwrap().is_empty());
}

#[test]
fn a_lock_deleted_under_a_waiter_is_not_the_lock() {
    let rig = Rig::new(&["10.0.0.0/24"]);
    let store = rig.config.store();
    rig.add("a").unwrap();
    let path = store.directory().join("lock");
    let held = fs::File::open(&path).unwrap();
    held.lock().unwrap();
    fs::remove_file(&path).unwrap();
    assert_eq!(
        rig.add("b").unwrap(),
        [ip("10.0.0.3")],
        "nobody holds the lock that is there now"
    );
    assert!(path.exists());
}

#[test]
fn a_table_grows_as_leases_come() {
    let rig = Rig::new(&["10.0.0.0/16"]);
    for number in 0..700 {
        rig.add(&format!("c{number}")).unwrap();
    }
    assert!(rig.index_is_valid());
    assert_eq!(rig.list().len(), 700);
    for number in (0..700).step_by(7) {
        assert_eq!(rig.del(&format!("c{number}")).unwrap().len(), 1);
    }
    assert!(rig.index_is_valid());
}
