//! The tables against simple models, and a dump for tests that compare with a scan.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use proptest::prelude::*;

use super::*;
use crate::address;

/// Everything an index says: hash and address of each key, and the addresses taken.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Dump {
    keys: Vec<(u64, u128)>,
    taken: BTreeSet<u128>,
}

impl Index {
    pub(crate) fn dump(&mut self) -> Result<Dump, Unusable> {
        let keys = keys::all(&mut self.pages, self.shape)?;
        let taken = occupancy::all(&mut self.pages, self.shape)?;
        assert_eq!(
            keys.len(),
            self.shape.keys_used as usize,
            "the number of keys is kept"
        );
        Ok(Dump { keys, taken })
    }
}

/// What an index of these leases must say.
pub(crate) fn expected(leases: &[StoredLease]) -> Dump {
    let mut dump = Dump::default();
    for lease in leases {
        dump.taken.insert(number(lease.address));
        if !matches!(lease.holder, Holder::Corrupt { .. }) {
            dump.keys.push((hash(&lease.holder), number(lease.address)));
        }
    }
    dump.keys.sort_unstable();
    dump
}

fn ip(text: &str) -> IpAddr {
    address::parse(text).unwrap()
}

fn leases(count: u32) -> Vec<StoredLease> {
    let lease = |number: u32| StoredLease {
        address: IpAddr::V4((0x0a00_0000 + number).into()),
        holder: Holder::interface(&format!("container{number}"), "eth0").unwrap(),
    };
    (0..count).map(lease).collect()
}

#[test]
fn families_share_one_number_space_without_meeting() {
    for text in [
        "0.0.0.0",
        "10.0.0.1",
        "255.255.255.255",
        "::",
        "::a00:1",
        "2001:db8::1",
        "ffff::",
    ] {
        assert_eq!(address(number(ip(text))), ip(text));
    }
    assert_ne!(number(ip("10.0.0.1")), number(ip("::a00:1")));
}

#[test]
fn an_index_of_many_leases_finds_each() {
    for count in [0, 1, 640, 641, 4000, 20_000] {
        let leases = leases(count);
        let mut index = Index::build(&leases).unwrap();
        assert_eq!(index.dump().unwrap(), expected(&leases));
        for lease in leases.iter().step_by(37) {
            assert_eq!(index.find(&lease.holder).unwrap(), [lease.address]);
        }
        let (first, last) = (ip("10.0.0.0"), ip("10.0.255.255"));
        let free = index.next_free(first, last).unwrap();
        assert_eq!(free, Some(IpAddr::V4((0x0a00_0000 + count).into())));
    }
}

#[test]
fn a_crowded_table_asks_to_be_built_anew() {
    let mut index = Index::build(&[]).unwrap();
    let all = leases(2000);
    let crowded = all
        .iter()
        .position(|lease| index.insert(lease.address, &lease.holder).is_err());
    assert_eq!(crowded, Some(640), "half of 64 buckets of 20");
    let mut index = Index::build(&all[..=640]).unwrap();
    assert!(
        all[641..1200]
            .iter()
            .all(|lease| index.insert(lease.address, &lease.holder).is_ok())
    );
    // Few leases, each in a chunk of its own.
    let mut index = Index::build(&[]).unwrap();
    let holder = Holder::container("a");
    let crowded = (0u32..100).position(|chunk| {
        index
            .insert(IpAddr::V4((chunk << 11).into()), &holder)
            .is_err()
    });
    assert_eq!(crowded, Some(16), "half of 32 chunks");
}

#[test]
fn the_end_of_a_family_is_the_end_of_the_search() {
    let mut index = Index::build(&[]).unwrap();
    let (first, last) = (
        ip("ffff:ffff:ffff:ffff:ffff:ffff:ffff:f800"),
        ip("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
    );
    for low in 0xf800..=0xffffu32 {
        let IpAddr::V6(base) = first else {
            unreachable!()
        };
        let address = IpAddr::V6((base.to_bits() & !0xffff | u128::from(low)).into());
        index
            .insert(
                address,
                &Holder::Corrupt {
                    contents: String::new(),
                },
            )
            .unwrap();
    }
    assert_eq!(index.next_free(first, last).unwrap(), None);
    assert_eq!(
        index
            .next_free(ip("255.255.255.255"), ip("255.255.255.255"))
            .unwrap(),
        Some(ip("255.255.255.255"))
    );
    index
        .insert(ip("255.255.255.255"), &Holder::container("a"))
        .unwrap();
    assert_eq!(
        index
            .next_free(ip("255.255.255.255"), ip("255.255.255.255"))
            .unwrap(),
        None
    );
}

#[test]
fn any_damaged_byte_is_noticed() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("index");
    let mark = Mark::of(&File::open(directory.path()).unwrap()).unwrap();
    let leases = leases(20);
    let mut index = Index::build(&leases).unwrap();
    index.write(&path).unwrap();
    assert!(
        Index::load(&path, &mark).is_none(),
        "not valid before it is noted"
    );
    index.note(&mark).unwrap();
    assert_eq!(
        Index::load(&path, &mark).unwrap().dump().unwrap(),
        expected(&leases)
    );

    let good = fs::read(&path).unwrap();
    for at in (0..good.len()).step_by(101).chain(0..64) {
        let mut bad = good.clone();
        bad[at] ^= 0x10;
        fs::write(&path, &bad).unwrap();
        let noticed = Index::load(&path, &mark).is_none_or(|mut index| index.dump().is_err());
        assert!(noticed, "byte {at}");
    }
    for length in [0, 1, 511, 512, 513, good.len() - 512, good.len() - 1] {
        fs::write(&path, &good[..length]).unwrap();
        assert!(Index::load(&path, &mark).is_none(), "cut at {length}");
    }
    // A page of zeros, such as a lost one, and two pages swapped.
    for (from, to) in [(None, 5), (Some(7), 6)] {
        let mut bad = good.clone();
        let page: Vec<u8> = from.map_or(vec![0; 512], |from: usize| {
            good[from * 512..(from + 1) * 512].to_vec()
        });
        bad[to * 512..(to + 1) * 512].copy_from_slice(&page);
        fs::write(&path, &bad).unwrap();
        assert!(Index::load(&path, &mark).unwrap().dump().is_err());
    }
    // Sizes that would make a search run forever or out of the file.
    fs::write(&path, &good).unwrap();
    for shape in [
        Shape {
            buckets: 0,
            ..index.shape
        },
        Shape {
            chunks: 0,
            ..index.shape
        },
        Shape {
            buckets: u32::MAX,
            ..index.shape
        },
    ] {
        index.shape = shape;
        index.note(&mark).unwrap();
        assert!(Index::load(&path, &mark).is_none(), "{shape:?}");
    }
}

#[test]
fn a_mark_survives_its_encoding_and_is_lost_by_any_change() {
    let directory = tempfile::tempdir().unwrap();
    let handle = File::open(directory.path()).unwrap();
    let renew = |change| Mark::of(&handle).unwrap().renew(&handle, change).unwrap();
    let now = || Mark::of(&handle).unwrap();
    // As many rounds as needed to have some within one tick of the clock.
    for round in 0..500 {
        let name = directory.path().join(format!("file{}", round / 2));
        let mark = renew(crate::session::Change::No).unwrap();
        assert_eq!(Mark::decode(&mark.encode()), mark);
        assert_eq!(now(), mark);
        if round % 2 == 0 {
            fs::write(&name, "").unwrap();
        } else {
            fs::remove_file(&name).unwrap();
        }
        assert_ne!(now(), mark, "round {round}");
    }
    let mark = renew(crate::session::Change::No).unwrap();
    let times = fs::FileTimes::new().set_modified(handle.metadata().unwrap().modified().unwrap());
    fs::write(directory.path().join("file"), "").unwrap();
    handle.set_times(times).unwrap();
    // Put back by a tool, though the change time cannot be: unless all of this happened
    // within one tick of the coarse clock.
    let again = now();
    assert_eq!(again.modified, mark.modified);
    // A surely changed directory that carries no stamp of it: no mark to rely on.
    assert_eq!(
        again.renew(&handle, crate::session::Change::Yes).unwrap(),
        None
    );
    assert!(
        again
            .renew(&handle, crate::session::Change::Perhaps)
            .unwrap()
            .is_some()
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Against a map and a set: inserts, removals, searches, in few chunks and buckets.
    #[test]
    fn behaves_like_a_map(steps in proptest::collection::vec((0u8..4, 0u32..6000, 0u8..40), 1..400)) {
        let mut index = Index::build(&[]).unwrap();
        let mut model: BTreeMap<IpAddr, Holder> = BTreeMap::new();
        for (step, low, who) in steps {
            let address = IpAddr::V4((0x0a00_0000 + low).into());
            let holder = Holder::interface(&format!("c{who}"), "eth0").unwrap();
            match step {
                0 | 1 if !model.contains_key(&address) && model.len() < 600 => {
                    index.insert(address, &holder).unwrap();
                    model.insert(address, holder);
                }
                2 => {
                    let taken = model.range(address..).next().map(|(address, holder)| (*address, holder.clone()));
                    if let Some((address, holder)) = taken {
                        index.remove(address, &holder).unwrap();
                        model.remove(&address);
                    }
                }
                _ => {
                    let mut found = index.find(&holder).unwrap();
                    found.sort();
                    let expected: Vec<_> = model.iter().filter(|(_, held)| **held == holder).map(|(ip, _)| *ip).collect();
                    prop_assert_eq!(found, expected);
                    let last = IpAddr::V4(0x0a00_1800u32.into());
                    let free = (low..=0x1800).map(|low| IpAddr::V4((0x0a00_0000 + low).into())).find(|ip| !model.contains_key(ip));
                    prop_assert_eq!(index.next_free(address, last).unwrap(), free);
                }
            }
        }
        let leases: Vec<_> = model.into_iter().map(|(address, holder)| StoredLease { address, holder }).collect();
        prop_assert_eq!(index.dump().unwrap(), expected(&leases));
    }

    /// Overflowing buckets: all keys hash to one.
    #[test]
    fn full_buckets_overflow_into_the_next(removed in proptest::collection::vec(any::<bool>(), 90)) {
        let mut index = Index::build(&[]).unwrap();
        for address in 0..90u128 {
            keys::insert(&mut index.pages, index.shape, 7, address).unwrap();
        }
        for (address, removed) in removed.iter().enumerate() {
            if *removed {
                prop_assert!(keys::remove(&mut index.pages, index.shape, 7, address as u128).unwrap());
                prop_assert!(!keys::remove(&mut index.pages, index.shape, 7, address as u128).unwrap());
            }
        }
        let mut found = keys::find(&mut index.pages, index.shape, 7).unwrap();
        found.sort_unstable();
        let kept: Vec<u128> = (0..90).filter(|address| !removed[*address as usize]).collect();
        prop_assert_eq!(found, kept);
    }
}
