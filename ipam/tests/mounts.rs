//! Real file systems: full, read-only, or with coarse time stamps, each in a mount
//! namespace of the test's own.

#![allow(
    clippy::unwrap_used,
    reason = "a test fails by panicking, its own functions included"
)]

mod own_store;

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::thread;

use ipam::{Config, Error, check, garbage_collect, list, release, status};
use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};
use own_store::{Rig, add, ip};
use serde_json::json;

fn on_tmpfs(options: &'static str, test: impl FnOnce(&Rig, &Path) + Send + 'static) {
    mounted("tmpfs", options, test);
}

/// Runs on a thread whose mounts nobody else sees, with a file system as the data
/// directory's parent. The mount goes away with the thread.
fn mounted(
    kind: &'static str,
    options: &'static str,
    test: impl FnOnce(&Rig, &Path) + Send + 'static,
) {
    let body = move || {
        unshare(CloneFlags::CLONE_NEWNS).expect("a mount namespace needs root");
        mount(
            None::<&str>,
            "/",
            None::<&str>,
            MsFlags::MS_REC | MsFlags::MS_PRIVATE,
            None::<&str>,
        )
        .unwrap();
        let rig = Rig::new();
        let mount_point = rig.data_dir().parent().unwrap().to_owned();
        mount(
            Some(kind),
            &mount_point,
            Some(kind),
            MsFlags::empty(),
            Some(options),
        )
        .unwrap();
        test(&rig, &mount_point);
        nix::mount::umount(&mount_point).unwrap();
    };
    if let Err(panic) = thread::spawn(body).join() {
        std::panic::resume_unwind(panic);
    }
}

fn remount(mount_point: &Path, flags: MsFlags) {
    mount(
        None::<&str>,
        mount_point,
        None::<&str>,
        MsFlags::MS_REMOUNT | flags,
        None::<&str>,
    )
    .unwrap();
}

fn assert_io(error: &Error, under: &Path, errno: i32) {
    let Error::Io { path, source, .. } = error else {
        panic!("{error}")
    };
    assert!(path.starts_with(under), "{error}");
    assert_eq!(source.raw_os_error(), Some(errno), "{error}");
}

/// Writes until nothing more fits.
fn fill(mount_point: &Path) {
    use std::io::Write;
    let mut file = fs::File::create(mount_point.join("filler")).unwrap();
    while file.write_all(&[1; 4096]).is_ok() {}
}

#[test]
fn a_full_disk_leaves_no_lease_and_a_clear_error() {
    on_tmpfs("size=512k", |rig, mount_point| {
        let config = rig.config(
            json!({"ranges": [[{"subnet": "10.0.0.0/24"}], [{"subnet": "2001:db8::/64"}]]}),
        );
        add(&config, "first", "eth0").unwrap();
        let before = rig.files("mynet");
        fill(mount_point);
        assert_io(
            &add(&config, "second", "eth0").unwrap_err(),
            &rig.data_dir(),
            nix::libc::ENOSPC,
        );
        assert_eq!(rig.files("mynet"), before);
        assert_io(
            &status(&config.store()).unwrap_err(),
            &rig.data_dir(),
            nix::libc::ENOSPC,
        );
        assert_eq!(rig.files("mynet"), before);
        // Giving back needs no room.
        assert_eq!(check(&config.store(), "first", "eth0").unwrap().len(), 2);
        assert_eq!(release(&config.store(), "first", "eth0").unwrap().len(), 2);
        fs::remove_file(mount_point.join("filler")).unwrap();
        status(&config.store()).unwrap();
        assert_eq!(
            add(&config, "second", "eth0").unwrap(),
            ["10.0.0.3/24", "2001:db8::3/64"]
        );
    });
}

#[test]
fn a_disk_that_fills_up_between_two_leases_takes_the_first_one_back() {
    // A lease is an inode and a page; so the number of inodes left chooses where it fails.
    for inodes in 4..14 {
        on_tmpfs(
            Box::leak(format!("size=1m,nr_inodes={inodes}").into_boxed_str()),
            |rig, mount_point| {
                let config = rig.config(
                    json!({"ranges": [[{"subnet": "10.0.0.0/24"}], [{"subnet": "2001:db8::/64"}]]}),
                );
                match add(&config, "id", "eth0") {
                    Ok(addresses) => assert_eq!(addresses, ["10.0.0.2/24", "2001:db8::2/64"]),
                    Err(error) => {
                        assert_io(&error, mount_point, nix::libc::ENOSPC);
                        assert!(
                            rig.files("mynet")
                                .keys()
                                .all(|name| name.starts_with("last_reserved_ip.")),
                            "{:?}",
                            rig.files("mynet")
                        );
                    }
                }
            },
        );
    }
}

#[test]
fn a_full_disk_from_the_start_is_named_too() {
    on_tmpfs("size=4k,nr_inodes=2", |rig, mount_point| {
        fs::write(mount_point.join("filler"), "x").unwrap();
        let config = rig.config(json!({"subnet": "10.0.0.0/24"}));
        let refused = add(&config, "id", "eth0").unwrap_err();
        assert_io(&refused, &rig.data_dir(), nix::libc::ENOSPC);
        let expected = format!(
            "cannot make directory {}/mynet: No space left on device (os error 28)",
            rig.data_dir().display()
        );
        assert_eq!(refused.to_string(), expected);
    });
}

#[test]
fn a_read_only_store_can_be_checked_and_nothing_else() {
    on_tmpfs("size=1m", |rig, mount_point| {
        let config = rig.config(json!({"subnet": "10.0.0.0/24"}));
        let store = config.store();
        add(&config, "id", "eth0").unwrap();
        let before = rig.files("mynet");
        for keep_index in [true, false] {
            if !keep_index {
                fs::remove_dir_all(store.index_directory()).unwrap();
            }
            remount(mount_point, MsFlags::MS_RDONLY);
            assert_eq!(check(&store, "id", "eth0").unwrap(), [ip("10.0.0.2")]);
            assert_eq!(list(&store).unwrap().len(), 1);
            for refused in [
                add(&config, "other", "eth0").unwrap_err(),
                release(&store, "id", "eth0").unwrap_err(),
                garbage_collect(&store, &[]).unwrap_err(),
                status(&store).unwrap_err(),
            ] {
                assert_io(&refused, &rig.data_dir(), nix::libc::EROFS);
            }
            assert!(release(&store, "unknown", "eth0").unwrap().is_empty());
            let other = rig.store("other");
            assert_io(
                &status(&other).unwrap_err(),
                &rig.data_dir(),
                nix::libc::EROFS,
            );
            assert_eq!(rig.files("mynet"), before);
            remount(mount_point, MsFlags::empty());
        }
        status(&store).unwrap();
        assert_eq!(release(&store, "id", "eth0").unwrap(), [ip("10.0.0.2")]);
    });
}

/// tmpfs and the large file systems have fine time stamps in new kernels, which would hide
/// what this is about; ramfs has not, like everything before Linux 6.13.
#[test]
fn upstreams_changes_within_one_tick_of_the_clock_are_noticed() {
    mounted("ramfs", "mode=755", |rig, _| {
        let config = rig.config(json!({"subnet": "10.0.0.0/16"}));
        let store = config.store();
        let directory = rig.data_dir().join("mynet");
        let changed = || {
            let metadata = fs::metadata(&directory).unwrap();
            (metadata.ctime(), metadata.ctime_nsec())
        };
        let mut same_tick = 0;
        for round in 0..100 {
            let id = format!("ours{round}");
            add(&config, &id, "eth0").unwrap();
            // Ours touched the directory last when it set its mark.
            let before = changed();
            // Upstream's ADD, as soon as can be.
            fs::write(
                directory.join("10.0.200.1"),
                format!("theirs{round}\r\neth0"),
            )
            .unwrap();
            same_tick += u32::from(changed() == before);
            assert_eq!(
                check(&store, &format!("theirs{round}"), "eth0").unwrap(),
                [ip("10.0.200.1")],
                "round {round}"
            );
            // And its DEL of ours.
            fs::remove_file(store.lease_path(check(&store, &id, "eth0").unwrap()[0])).unwrap();
            assert!(release(&store, &id, "eth0").unwrap().is_empty());
            assert_eq!(
                release(&store, &format!("theirs{round}"), "eth0")
                    .unwrap()
                    .len(),
                1
            );
        }
        assert!(
            same_tick > 0,
            "no two changes within one tick: nothing was tested"
        );
    });
}

/// A directory made within the same tick as its first lease carries no other stamp after
/// it than before; that must not pass for a file system without stamps.
#[test]
fn the_index_is_kept_from_the_first_lease_on() {
    mounted("ramfs", "mode=755", |rig, _| {
        for number in 0..30 {
            let name = format!("net{number}");
            let network = rig.network("1.0.0", &name, json!({"subnet": "10.0.0.0/24"}));
            let config = Config::parse(&name, &network, "").unwrap();
            add(&config, "id", "eth0").unwrap();
            assert!(config.store().index_directory().join("index").exists());
        }
    });
}
