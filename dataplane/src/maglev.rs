//! Maglev tables: which of a set's backends a hash of a client belongs to, such that every node
//! says the same, and a backend more or less moves few clients but its own.
//!
//! Eisenbud et al., "Maglev: A Fast and Reliable Software Network Load Balancer", NSDI 2016,
//! section 3.4. The size of the table grows with the set, in steps, so that a Service of three
//! backends does not cost what one of a thousand does.

use abi::{Backend, MAGLEV_PART, MaglevPart};

/// Sizes, all prime, and up to how many backends each is taken: a backend's share is then within
/// about a hundredth of the others'.
const SIZES: [(usize, u32); 5] = [
    (2, 251),
    (10, 1_021),
    (40, 4_093),
    (160, 16_381),
    (u16::MAX as usize, 65_521),
];

/// The size of the table for that many backends; 0 if there are none, or more than entries can
/// name.
pub fn size(backends: usize) -> u32 {
    if backends == 0 {
        return 0;
    }
    let step = SIZES.iter().find(|(most, _)| backends <= *most);
    step.map_or(0, |(_, size)| *size)
}

/// The table: for each entry the slot of a backend.
pub fn table(backends: &[Backend]) -> Vec<u16> {
    let size = size(backends.len()) as usize;
    let Some(modulus) = u64::try_from(size).ok().filter(|size| *size > 1) else {
        return Vec::new();
    };
    let walks: Vec<(u64, u64)> = backends
        .iter()
        .map(|backend| {
            let (a, b) = (hash(backend, 0x5bd1_e995), hash(backend, 0xb979_37f4));
            (a % modulus, b % (modulus - 1) + 1)
        })
        .collect();
    let mut next: Vec<u64> = walks.iter().map(|(offset, _)| *offset).collect();
    let mut entries: Vec<Option<u16>> = vec![None; size];
    let mut left = size;
    'filling: loop {
        for (slot, (_, skip)) in walks.iter().enumerate() {
            // A prime size: each walk comes by every entry.
            while entries[next[slot] as usize].is_some() {
                next[slot] = (next[slot] + skip) % modulus;
            }
            entries[next[slot] as usize] = u16::try_from(slot).ok();
            left -= 1;
            if left == 0 {
                break 'filling;
            }
        }
    }
    entries.into_iter().map(Option::unwrap_or_default).collect()
}

/// The table as it is written, in parts.
pub fn parts(backends: &[Backend]) -> Vec<MaglevPart> {
    table(backends)
        .chunks(MAGLEV_PART as usize)
        .map(|entries| {
            let mut part = MaglevPart::default();
            part.slots[..entries.len()].copy_from_slice(entries);
            part
        })
        .collect()
}

/// FNV-1a of what a backend is known by everywhere.
fn hash(backend: &Backend, seed: u64) -> u64 {
    let address = backend.address.0.iter().flat_map(|word| word.to_ne_bytes());
    let port = backend.port_be.to_ne_bytes();
    let mut hash = 0xcbf2_9ce4_8422_2325 ^ seed;
    for byte in address.chain(port) {
        hash = (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3);
    }
    // FNV's high bits are its better ones.
    hash ^ (hash >> 32)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn backends(count: u32) -> Vec<Backend> {
        (0..count)
            .map(|n| Backend {
                address: std::net::IpAddr::from([10, 0, (n >> 8) as u8, n as u8]).into(),
                port_be: 80_u16.to_be(),
                pad: 0,
            })
            .collect()
    }

    #[test]
    fn shares_are_even() {
        for count in [1, 2, 3, 10, 40, 100, 160, 500] {
            let table = table(&backends(count));
            let mut shares = vec![0_u32; count as usize];
            for slot in &table {
                shares[usize::from(*slot)] += 1;
            }
            let (least, most) = (shares.iter().min(), shares.iter().max());
            let (least, most) = (least.unwrap(), most.unwrap());
            assert!(most - least <= 1 + most / 20, "{count}: {least} to {most}");
        }
    }

    #[test]
    fn losing_one_moves_few_clients_of_others() {
        let all = backends(20);
        let before = table(&all);
        for gone in 0..20 {
            let mut left = all.clone();
            left.remove(gone);
            let after = table(&left);
            assert_eq!(before.len(), after.len(), "the same step of sizes");
            let moved = before
                .iter()
                .zip(&after)
                .filter(|(old, new)| {
                    usize::from(**old) != gone
                        && all[usize::from(**old)] != left[usize::from(**new)]
                })
                .count();
            assert!(moved * 10 < before.len(), "{moved} of {}", before.len());
        }
    }

    #[test]
    fn parts_hold_the_table() {
        assert!(parts(&[]).is_empty());
        assert_eq!(parts(&backends(1)).len(), 1);
        let all = backends(11);
        let joined: Vec<u16> = parts(&all).iter().flat_map(|part| part.slots).collect();
        assert_eq!(joined[..4_093], table(&all));
        assert_eq!(size(65_536), 0, "more than an entry can name");
    }
}
