//! Random histories of several processes on one store, upstream's among them, against a
//! plain map.

use proptest::prelude::*;

use super::*;
use crate::{Error, Holder};

#[derive(Debug, Clone)]
enum Step {
    Add {
        id: u8,
        ifname: u8,
        requested: Option<u8>,
    },
    Del {
        id: u8,
        ifname: u8,
    },
    Check {
        id: u8,
        ifname: u8,
    },
    Gc {
        valid: Vec<(u8, u8)>,
    },
    UpstreamAdd {
        low: u8,
        id: u8,
        ifname: Option<u8>,
    },
    UpstreamDel {
        low: u8,
    },
    LastReserved {
        low: u8,
    },
    LoseIndex,
    DamageIndex {
        at: usize,
    },
}

fn step() -> impl Strategy<Value = Step> {
    let (id, ifname) = (0u8..6, 0u8..2);
    prop_oneof![
        8 => (id.clone(), ifname.clone(), proptest::option::weighted(0.3, 0u8..16)).prop_map(|(id, ifname, requested)| Step::Add { id, ifname, requested }),
        5 => (id.clone(), ifname.clone()).prop_map(|(id, ifname)| Step::Del { id, ifname }),
        2 => (id.clone(), ifname.clone()).prop_map(|(id, ifname)| Step::Check { id, ifname }),
        1 => proptest::collection::vec((id.clone(), ifname.clone()), 0..6).prop_map(|valid| Step::Gc { valid }),
        2 => (0u8..16, id, proptest::option::of(ifname)).prop_map(|(low, id, ifname)| Step::UpstreamAdd { low, id, ifname }),
        1 => (0u8..16).prop_map(|low| Step::UpstreamDel { low }),
        1 => (0u8..16).prop_map(|low| Step::LastReserved { low }),
        1 => Just(Step::LoseIndex),
        1 => (0usize..60_000).prop_map(|at| Step::DamageIndex { at }),
    ]
}

fn address(low: u8) -> IpAddr {
    ip(&format!("10.0.0.{low}"))
}

fn names(id: u8, ifname: u8) -> (String, String) {
    (format!("c{id}"), format!("eth{ifname}"))
}

/// Addresses a pod may have in 10.0.0.0/28 with its default gateway.
fn usable(address: IpAddr) -> bool {
    (2..15).any(|low| address == self::address(low))
}

type Model = BTreeMap<IpAddr, Holder>;

fn held(model: &Model, holder: &Holder) -> Vec<IpAddr> {
    model
        .iter()
        .filter(|(_, held)| *held == holder)
        .map(|(address, _)| *address)
        .collect()
}

fn held_or_old(model: &Model, id: &str, ifname: &str) -> Vec<IpAddr> {
    let own = held(model, &Holder::interface(id, ifname).unwrap());
    if own.is_empty() {
        held(model, &Holder::container(id))
    } else {
        own
    }
}

fn apply(rig: &Rig, model: &mut Model, step: &Step) -> Result<(), TestCaseError> {
    let store = rig.config.store();
    match step {
        Step::Add {
            id,
            ifname,
            requested,
        } => {
            let (id, ifname) = names(*id, *ifname);
            let mut config = rig.config.clone();
            config.requested = requested.map(address).into_iter().collect();
            let holder = Holder::interface(&id, &ifname).unwrap();
            // Only what lies in the range set counts, its gateway included.
            let mut all = held(model, &holder);
            all.extend(held(model, &Holder::container(&id)));
            let holds = all
                .iter()
                .any(|held| (1..15).any(|low| *held == address(low)));
            let requested = requested.map(address);
            match crate::allocate(&config, &id, &ifname) {
                Ok(allocation) => {
                    let got = allocation.ips[0].address.ip();
                    prop_assert!(usable(got), "{} is not a pod's", got);
                    prop_assert!(!holds, "a second address for {}", holder);
                    prop_assert!(requested.is_none_or(|requested| requested == got));
                    prop_assert_eq!(model.insert(got, holder), None, "{} twice", got);
                }
                Err(Error::Duplicate { .. }) => prop_assert!(holds),
                Err(Error::Exhausted { .. }) => {
                    prop_assert!((2..15).all(|low| model.contains_key(&address(low))))
                }
                Err(Error::Taken { address, .. }) => prop_assert!(model.contains_key(&address)),
                Err(Error::Unusable { address, .. }) => prop_assert!(!usable(address)),
                Err(Error::Unfulfilled { .. }) => {
                    prop_assert!(requested.is_some_and(|requested| !usable(requested)))
                }
                Err(error) => prop_assert!(false, "{}", error),
            }
        }
        Step::Del { id, ifname } => {
            let (id, ifname) = names(*id, *ifname);
            let expected = held_or_old(model, &id, &ifname);
            let mut released = crate::release(&store, &id, &ifname).unwrap();
            released.sort();
            prop_assert_eq!(&released, &expected);
            model.retain(|address, _| !released.contains(address));
        }
        Step::Check { id, ifname } => {
            let (id, ifname) = names(*id, *ifname);
            let mut found = crate::check(&store, &id, &ifname).unwrap_or_default();
            found.sort();
            prop_assert_eq!(found, held_or_old(model, &id, &ifname));
        }
        Step::Gc { valid } => {
            let valid: Vec<_> = valid
                .iter()
                .map(|(id, ifname)| names(*id, *ifname))
                .collect();
            crate::garbage_collect(&store, &valid).unwrap();
            model.retain(|_, holder| match holder {
                Holder::Interface {
                    container_id,
                    ifname,
                } => valid.contains(&(container_id.clone(), ifname.clone())),
                Holder::Container { container_id } => {
                    valid.iter().any(|(id, _)| id == container_id)
                }
                Holder::Corrupt { .. } => false,
            });
        }
        Step::UpstreamAdd { low, id, ifname } => {
            let holder = match ifname {
                Some(ifname) => Holder::interface(&names(*id, 0).0, &names(0, *ifname).1).unwrap(),
                None => Holder::container(&names(*id, 0).0),
            };
            fs::create_dir_all(store.directory()).unwrap();
            if fs::OpenOptions::new()
                .write(true)
                .create_new(true)
                .open(store.lease_path(address(*low)))
                .is_ok()
            {
                fs::write(store.lease_path(address(*low)), holder.contents()).unwrap();
                model.insert(address(*low), holder);
            }
        }
        Step::UpstreamDel { low } => {
            let _ = fs::remove_file(store.lease_path(address(*low)));
            model.remove(&address(*low));
        }
        Step::LastReserved { low } => {
            fs::create_dir_all(store.directory()).unwrap();
            fs::write(
                store.directory().join("last_reserved_ip.0"),
                address(*low).to_string(),
            )
            .unwrap();
        }
        Step::LoseIndex => {
            let _ = fs::remove_dir_all(store.index_directory());
        }
        Step::DamageIndex { at } => {
            let path = store.index_directory().join("index");
            if let Ok(mut bytes) = fs::read(&path) {
                let at = at % bytes.len();
                bytes[at] ^= 0x41;
                fs::write(&path, bytes).unwrap();
                return Ok(());
            }
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(80))]

    #[test]
    fn no_history_gives_an_address_twice(steps in proptest::collection::vec(step(), 1..60)) {
        let rig = Rig::new(&["10.0.0.0/28"]);
        let mut model = Model::new();
        for step in &steps {
            apply(&rig, &mut model, step)?;
            let listed: Model = rig.list().into_iter().map(|lease| (lease.address, lease.holder)).collect();
            prop_assert_eq!(&listed, &model, "after {:?}", step);
            // A damaged one is only found out when the damaged page is read.
            if !steps.iter().any(|step| matches!(step, Step::DamageIndex { .. })) {
                rig.index_is_valid();
            }
        }
    }
}
