//! A kill, and an error, before every single system call of every verb.

use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};

use super::*;
use crate::Holder;
use crate::disk::TEMPORARY;
use crate::disk::fault::{self, Fault};

/// The verbs under test; each acts on container `victim`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verb {
    Add,
    Del,
    Gc,
    Check,
    Status,
}

/// What was there before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Before {
    Nothing,
    /// Leases and a valid index.
    Leases,
    /// Leases, and an index that someone else's change made stale.
    Stale,
}

const SUBNETS: [&str; 2] = ["10.0.0.0/28", "2001:db8::/64"];
const KEPT: [&str; 2] = ["kept1", "kept2"];

fn prepare(verb: Verb, before: Before) -> Rig {
    let rig = Rig::new(&SUBNETS);
    if before != Before::Nothing {
        for id in KEPT {
            rig.add(id).unwrap();
        }
    }
    if verb != Verb::Add {
        rig.add("victim").unwrap();
    }
    if before == Before::Stale {
        fs::write(
            rig.config.store().lease_path(ip("10.0.0.9")),
            "kept1\r\neth9",
        )
        .unwrap();
    }
    rig
}

fn run(rig: &Rig, verb: Verb) -> Result<(), crate::Error> {
    let store = rig.config.store();
    let valid: Vec<_> = KEPT
        .iter()
        .map(|id| ((*id).to_owned(), "eth0".to_owned()))
        .chain([("kept1".into(), "eth9".into())])
        .collect();
    match verb {
        Verb::Add => rig.add("victim").map(|_| ()),
        Verb::Del => rig.del("victim").map(|_| ()),
        Verb::Gc => crate::garbage_collect(&store, &valid).map(|_| ()),
        Verb::Check => crate::check(&store, "victim", "eth0").map(|_| ()),
        Verb::Status => crate::status(&store),
    }
}

fn others(rig: &Rig) -> Vec<StoredLease> {
    let of_victim = |holder: &Holder| matches!(holder, Holder::Interface { container_id, .. } if container_id == "victim");
    rig.list()
        .into_iter()
        .filter(|lease| !of_victim(&lease.holder))
        .collect()
}

/// Whatever happened, the store is whole, and DEL and ADD work.
fn assert_whole(rig: &Rig, others_before: &[StoredLease], context: &str) {
    for (name, contents) in rig.files() {
        let contents = String::from_utf8(contents).unwrap();
        if name.starts_with("last_reserved_ip.") {
            assert!(
                address::parse(&contents).is_some(),
                "{context}: {name} holds {contents:?}"
            );
        } else if name != TEMPORARY {
            assert!(
                contents.ends_with("\r\neth0") || contents.ends_with("\r\neth9"),
                "{context}: {name} holds {contents:?}"
            );
        }
    }
    rig.index_is_valid();
    assert_eq!(others(rig), others_before, "{context}");

    rig.del("victim").unwrap();
    assert_eq!(rig.list(), others_before, "{context}: leaked after DEL");
    rig.index_is_valid();
    let added = rig.add("victim").unwrap();
    assert_eq!(added.len(), 2, "{context}");
    assert!(rig.index_is_valid(), "{context}: the index is back");
    assert!(
        !rig.files().contains_key(TEMPORARY),
        "{context}: a temporary file stays"
    );
    let addresses: BTreeSet<_> = rig.list().iter().map(|lease| lease.address).collect();
    assert_eq!(addresses.len(), others_before.len() + 2, "{context}");
    run(rig, Verb::Gc).unwrap();
    assert_eq!(rig.list(), others_before, "{context}: leaked after GC");
    assert!(rig.index_is_valid(), "{context}");
}

/// Runs a verb again and again, with the fault one call later each time, until it gets
/// through without one. Gives the calls that had a fault.
fn at_every_call(verb: Verb, before: Before, fault: Fault) -> Vec<&'static str> {
    for call in 0.. {
        let rig = prepare(verb, before);
        let others_before = others(&rig);
        let leases_before = rig.list();
        if before == Before::Stale {
            // Listing has cleaned nothing, and the index is stale still.
            assert!(!rig.index_is_valid());
        }
        fault::arm(call, fault);
        let result = catch_unwind(AssertUnwindSafe(|| run(&rig, verb)));
        let calls = fault::disarm();
        let context = format!("{verb:?} {before:?} {fault:?} before call {call} of {calls:?}");
        match result {
            Ok(Ok(())) if calls.len() <= call => return calls,
            Ok(Err(error)) => {
                assert!(
                    error.to_string().starts_with("cannot "),
                    "{context}: {error}"
                );
                assert!(
                    error
                        .to_string()
                        .contains(rig.directory.path().to_str().unwrap()),
                    "{context}: {error}"
                );
                if verb == Verb::Add {
                    assert_eq!(
                        rig.list(),
                        leases_before,
                        "{context}: a failed ADD leaves no lease"
                    );
                }
            }
            // Only what concerns the index may fail without anyone hearing of it.
            Ok(Ok(())) => assert!(
                ![
                    "open unnamed",
                    "write unnamed",
                    "link",
                    "rename",
                    "overwrite"
                ]
                .contains(&calls[call]),
                "{context}: the error is lost"
            ),
            Err(_) => assert!(matches!(fault, Fault::Kill), "{context}"),
        }
        assert_whole(&rig, &others_before, &context);
    }
    unreachable!()
}

fn all_verbs(fault: Fault) -> BTreeSet<&'static str> {
    let mut calls = BTreeSet::new();
    for verb in [Verb::Add, Verb::Del, Verb::Gc, Verb::Check, Verb::Status] {
        for before in [Before::Nothing, Before::Leases, Before::Stale] {
            calls.extend(at_every_call(verb, before, fault));
        }
    }
    calls
}

const ALWAYS: [&str; 13] = [
    "overwrite",
    "remove index",
    "make directory",
    "open temporary",
    "write temporary",
    "rename",
    "remove",
    "write page",
    "create index",
    "write index",
    "rename index",
    "renew mark",
    "set mark",
];
const UNNAMED: [&str; 3] = ["open unnamed", "write unnamed", "link"];

#[test]
fn killed_at_every_call() {
    let calls = all_verbs(Fault::Kill);
    assert!(
        ALWAYS
            .iter()
            .chain(&UNNAMED)
            .all(|call| calls.contains(call)),
        "{calls:?}"
    );
}

#[test]
fn killed_at_every_call_without_unnamed_files() {
    fault::without_unnamed_files(true);
    let calls = all_verbs(Fault::Kill);
    fault::without_unnamed_files(false);
    assert!(ALWAYS.iter().all(|call| calls.contains(call)), "{calls:?}");
    assert!(!calls.contains("link"), "{calls:?}");
}

#[test]
fn every_call_fails_for_a_full_disk() {
    all_verbs(Fault::Errno(nix::libc::ENOSPC));
}

#[test]
fn every_call_fails_for_a_full_disk_without_unnamed_files() {
    fault::without_unnamed_files(true);
    all_verbs(Fault::Errno(nix::libc::ENOSPC));
    fault::without_unnamed_files(false);
}

#[test]
fn links_that_do_not_work_are_gone_around() {
    for errno in [
        nix::libc::EPERM,
        nix::libc::ENOENT,
        nix::libc::EXDEV,
        nix::libc::EOPNOTSUPP,
    ] {
        let rig = Rig::new(&SUBNETS);
        rig.add("first").unwrap();
        fault::arm(2, Fault::Errno(errno));
        let added = rig.add("victim");
        let calls = fault::disarm();
        assert_eq!(calls[2], "link");
        assert_eq!(added.unwrap(), [ip("10.0.0.3"), ip("2001:db8::3")]);
        assert_eq!(rig.files()["10.0.0.3"], b"victim\r\neth0");
        assert!(rig.index_is_valid());
    }
}
