//! That every node says the same, and that all bits count.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use ::tests::packet::{Packet, Protocol};
use proptest::prelude::*;

use super::*;
use crate::arbitrary;
use crate::choice::slot;

fn key(from: &str, to: &str, protocol: Protocol) -> FlowKey {
    let (from, to): (SocketAddr, SocketAddr) = (from.parse().unwrap(), to.parse().unwrap());
    arbitrary::key(&Packet::new(protocol, from, to))
}

#[test]
fn it_is_the_same_everywhere_and_always() {
    // From another implementation of MurmurHash3, without its length at the end. A change of these sends clients of a
    // running cluster to other backends.
    let v4 = key("192.0.2.1:4000", "10.96.0.1:80", Protocol::Tcp);
    assert_eq!(flow(&v4), 0x9115_1db8);
    let v6 = key("[2001:db8::1]:4000", "[fd00:96::1]:53", Protocol::Udp);
    assert_eq!(flow(&v6), 0xc388_5bca);
}

proptest! {
    #[test]
    fn any_part_makes_it_another(
        from in arbitrary::end(true),
        to in arbitrary::end(true),
        bit in 0..16_u32,
    ) {
        let it = key(&std::format!("{from}"), &std::format!("{to}"), Protocol::Tcp);
        let mut others = [it; 5];
        others[0].source.0[3] ^= 1_u32 << bit;
        others[1].destination.0[3] ^= 1_u32 << bit;
        others[2].source_port_be ^= 1_u16 << bit;
        others[3].destination_port_be ^= 1_u16 << bit;
        others[4].protocol = 17;
        for other in others {
            prop_assert_ne!(flow(&it), flow(&other));
        }
    }
}

#[test]
fn clients_are_spread() {
    // Ports of one client, as a benchmark or a proxy has them.
    let mut shares: BTreeMap<u32, u32> = BTreeMap::new();
    for port in 10_000..20_000 {
        let from = std::format!("192.0.2.1:{port}");
        let hash = flow(&key(&from, "10.96.0.1:80", Protocol::Tcp));
        *shares.entry(slot(hash, 10)).or_default() += 1;
    }
    let even = shares.values().all(|share| (900..1100).contains(share));
    assert!(shares.len() == 10 && even, "{shares:?}");
}
