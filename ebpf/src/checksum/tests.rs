//! Corrections against sums from scratch.

use std::vec::Vec;

use proptest::prelude::*;

use super::*;

/// RFC 1071, as it is written there.
fn scratch(words: &[u16]) -> u16 {
    let mut sum: u64 = words.iter().map(|word| u64::from(*word)).sum();
    while sum > 0xffff {
        sum = (sum >> 16) + (sum & 0xffff);
    }
    !(sum as u16)
}

fn words(bytes: &[u8]) -> Vec<u16> {
    bytes
        .chunks_exact(2)
        .map(|pair| u16::from_be_bytes([pair[0], pair[1]]))
        .collect()
}

proptest! {
    #[test]
    fn a_correction_is_the_sum_from_scratch(
        mut bytes in prop::collection::vec(any::<u8>(), 40..=40),
        at in 0..8_usize,
        new in any::<[u8; 4]>(),
        half_at in 0..16_usize,
        new_half in any::<[u8; 2]>(),
        new_address in any::<[u8; 16]>(),
    ) {
        // Something that never changes: the sum is not zero, of which there would be two.
        bytes.extend([0x12, 0x34]);
        let before = scratch(&words(&bytes)).to_be_bytes();
        let at = at * 4;
        let old: [u8; 4] = bytes[at..at + 4].try_into().unwrap();
        bytes[at..at + 4].copy_from_slice(&new);
        let mut delta = word(u32::from_ne_bytes(old), u32::from_ne_bytes(new));
        let half_at = half_at * 2;
        let old: [u8; 2] = bytes[half_at..half_at + 2].try_into().unwrap();
        bytes[half_at..half_at + 2].copy_from_slice(&new_half);
        delta = add(delta, half(old, new_half));
        let old: [u8; 16] = bytes[16..32].try_into().unwrap();
        bytes[16..32].copy_from_slice(&new_address);
        let ip = |it: [u8; 16]| Address::from(core::net::IpAddr::from(it));
        delta = add(delta, address(&ip(old), &ip(new_address)));
        let right = scratch(&words(&bytes)).to_be_bytes();
        prop_assert_eq!(corrected(before, delta), right);
        let or_none = corrected_or_none(before, delta);
        match (before, right) {
            ([0, 0], _) => prop_assert_eq!(or_none, [0, 0]),
            (_, [0, 0]) => prop_assert_eq!(or_none, [0xff, 0xff]),
            _ => prop_assert_eq!(or_none, right),
        }
    }

    #[test]
    fn no_change_changes_nothing(old in any::<[u8; 2]>(), same in any::<u32>()) {
        prop_assume!(old != [0xff, 0xff]);
        prop_assert_eq!(corrected(old, 0), old);
        prop_assert_eq!(corrected(old, word(same, same)), old);
    }
}

#[test]
fn carries_are_added_in() {
    assert_eq!(add(u32::MAX, 1), 1);
    assert_eq!(add(u32::MAX, u32::MAX), u32::MAX);
    assert_eq!(add(0, 0), 0);
    // A sum of all ones is a checksum of zero, which UDP writes as all ones.
    let delta = half([0, 0], 0xfffe_u16.to_be_bytes());
    let before = 0xfffe_u16.to_be_bytes();
    assert_eq!(corrected(before, delta), [0, 0]);
    assert_eq!(corrected_or_none(before, delta), [0xff, 0xff]);
    assert_eq!(corrected_or_none([0, 0], delta), [0, 0]);
}
