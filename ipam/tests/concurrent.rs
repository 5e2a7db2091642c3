//! Many at once on one store, each with handles of its own.

#![allow(
    clippy::unwrap_used,
    reason = "a test fails by panicking, its own functions included"
)]

mod own_store;

use std::collections::BTreeSet;
use std::sync::{Barrier, Mutex};
use std::thread;

use ipam::{Error, list, release};
use own_store::{Rig, add};
use serde_json::json;

#[test]
fn eight_at_once_never_get_the_same_address() {
    let rig = Rig::new();
    let barrier = Barrier::new(8);
    let all = Mutex::new(Vec::new());
    thread::scope(|scope| {
        for worker in 0..8 {
            let (rig, barrier, all) = (&rig, &barrier, &all);
            scope.spawn(move || {
                barrier.wait();
                for round in 0..25 {
                    let config = rig.config(json!({"ranges": [[{"subnet": "10.0.0.0/24"}], [{"subnet": "2001:db8::/64"}]]}));
                    let added = add(&config, &format!("w{worker}r{round}"), "eth0").unwrap();
                    all.lock().unwrap().extend(added);
                }
            });
        }
    });
    let all = all.into_inner().unwrap();
    assert_eq!(all.len(), 2 * 8 * 25);
    assert_eq!(
        all.iter().collect::<BTreeSet<_>>().len(),
        all.len(),
        "an address was given twice"
    );
    // Round robin on a fresh store: exactly the first 200.
    assert_eq!(list(&rig.store("mynet")).unwrap().len(), all.len());
    assert!((2..202).all(|host| all.contains(&format!("10.0.0.{host}/24"))));
}

#[test]
fn adds_and_dels_at_once_on_a_range_that_is_nearly_full() {
    let rig = Rig::new();
    let held: Mutex<BTreeSet<String>> = Mutex::default();
    thread::scope(|scope| {
        for worker in 0..8 {
            let (rig, held) = (&rig, &held);
            scope.spawn(move || {
                let config = rig.config(json!({"subnet": "10.0.0.0/28"}));
                for round in 0..60 {
                    let id = format!("w{worker}r{round}");
                    match add(&config, &id, "eth0") {
                        Ok(addresses) => {
                            assert!(
                                held.lock().unwrap().insert(addresses[0].clone()),
                                "{addresses:?} is another's"
                            );
                            // Before the release: afterwards it may be another's rightly.
                            assert!(held.lock().unwrap().remove(&addresses[0]));
                            assert_eq!(release(&config.store(), &id, "eth0").unwrap().len(), 1);
                        }
                        Err(Error::Exhausted { .. }) => {}
                        Err(error) => panic!("{error}"),
                    }
                }
            });
        }
    });
    assert!(list(&rig.store("mynet")).unwrap().is_empty());
}

#[test]
fn the_last_address_goes_to_exactly_one() {
    for _ in 0..10 {
        let rig = Rig::new();
        let barrier = Barrier::new(8);
        let results: Vec<_> = thread::scope(|scope| {
            let workers: Vec<_> = (0..8)
                .map(|worker| {
                    let (rig, barrier) = (&rig, &barrier);
                    scope.spawn(move || {
                        let config = rig.config(json!({"subnet": "10.0.0.0/30"}));
                        barrier.wait();
                        add(&config, &format!("w{worker}"), "eth0")
                    })
                })
                .collect();
            workers
                .into_iter()
                .map(|worker| worker.join().unwrap())
                .collect()
        });
        assert_eq!(results.iter().filter(|result| result.is_ok()).count(), 1);
        assert_eq!(
            results
                .iter()
                .filter(|result| matches!(result, Err(Error::Exhausted { .. })))
                .count(),
            7
        );
    }
}
