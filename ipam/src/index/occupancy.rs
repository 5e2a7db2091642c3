//! Which addresses are taken: a page for each chunk of 2048 addresses that has or had a
//! lease, found by hashing the chunk's number. A range full of leases is walked at 2048
//! addresses a read.

use super::pages::{PAYLOAD, Pages};
use super::{Shape, Unusable, fnv};

const CHUNK_BITS: u32 = 11;
const BITMAP: usize = 1 << (CHUNK_BITS - 3);
const HEAD: usize = 24;

/// A chunk's page.
struct Chunk {
    page: u64,
    known: bool,
    payload: [u8; PAYLOAD],
}

/// Number of the chunk that an address is in.
pub(super) fn chunk_of(address: u128) -> u128 {
    address >> CHUNK_BITS
}

fn offset(address: u128) -> usize {
    (address & ((1 << CHUNK_BITS) - 1)) as usize
}

impl Chunk {
    /// The chunk's page, or the empty one that it would get.
    fn find(pages: &mut Pages, shape: Shape, chunk: u128) -> Result<Self, Unusable> {
        let home = (fnv(&chunk.to_le_bytes(), 0) & u64::from(u32::MAX)) as u32;
        for step in 0..shape.chunks {
            let page = shape.chunk(home.wrapping_add(step));
            let mut payload = pages.read(page)?;
            let known = payload[0] != 0;
            if !known {
                payload[0] = 1;
                payload[8..HEAD].copy_from_slice(&chunk.to_le_bytes());
            }
            if payload[8..HEAD] == chunk.to_le_bytes() {
                return Ok(Self {
                    page,
                    known,
                    payload,
                });
            }
        }
        Err(Unusable)
    }

    fn bitmap(&mut self) -> &mut [u8] {
        &mut self.payload[HEAD..HEAD + BITMAP]
    }

    /// First offset from `from` on that is free.
    fn free_from(&mut self, from: usize) -> Option<usize> {
        let bitmap = self.bitmap();
        let first = from / 8;
        // The addresses before `from` count as taken in its own byte.
        let mask = |byte: usize| {
            if byte == first {
                (1u16 << (from % 8)) as u8 - 1
            } else {
                0
            }
        };
        let byte = (first..bitmap.len()).find(|byte| bitmap[*byte] | mask(*byte) != u8::MAX)?;
        Some(byte * 8 + (bitmap[byte] | mask(byte)).trailing_ones() as usize)
    }
}

/// Notes an address as taken or free; says whether its chunk is new.
pub(super) fn set(
    pages: &mut Pages,
    shape: Shape,
    address: u128,
    taken: bool,
) -> Result<bool, Unusable> {
    let mut chunk = Chunk::find(pages, shape, chunk_of(address))?;
    let (byte, bit) = (offset(address) / 8, 1u8 << (offset(address) % 8));
    if taken {
        chunk.bitmap()[byte] |= bit;
    } else {
        chunk.bitmap()[byte] &= !bit;
    }
    if chunk.known || taken {
        pages.write(chunk.page, &chunk.payload)?;
    }
    Ok(!chunk.known && taken)
}

/// The first free address from `first` to `last`, both included.
pub(super) fn next_free(
    pages: &mut Pages,
    shape: Shape,
    first: u128,
    last: u128,
) -> Result<Option<u128>, Unusable> {
    let mut from = first;
    while from <= last {
        let mut chunk = Chunk::find(pages, shape, chunk_of(from))?;
        let base = chunk_of(from) << CHUNK_BITS;
        if let Some(offset) = chunk.free_from(offset(from)) {
            let free = base + offset as u128;
            return Ok((free <= last).then_some(free));
        }
        match base.checked_add(1 << CHUNK_BITS) {
            Some(next) => from = next,
            None => break,
        }
    }
    Ok(None)
}

/// Every address that is taken.
#[cfg(test)]
pub(super) fn all(
    pages: &mut Pages,
    shape: Shape,
) -> Result<std::collections::BTreeSet<u128>, Unusable> {
    let mut all = std::collections::BTreeSet::new();
    for number in 0..shape.chunks {
        let payload = pages.read(shape.chunk(number))?;
        let base = payload[8..HEAD]
            .first_chunk()
            .map(|chunk| u128::from_le_bytes(*chunk) << CHUNK_BITS)
            .ok_or(Unusable)?;
        let bits = payload[HEAD..HEAD + BITMAP].iter().enumerate();
        let offsets = bits.flat_map(|(byte, bits)| {
            (0..8)
                .filter(move |bit| bits & (1 << bit) != 0)
                .map(move |bit| byte * 8 + bit)
        });
        all.extend(offsets.map(|offset| base + offset as u128));
    }
    Ok(all)
}
