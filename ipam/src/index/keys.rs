//! From holder to addresses: buckets of a page each, entries of a hash and an address.
//!
//! A full bucket lets entries over into the next one and says so for good (until the next
//! build), so that a search knows when it may stop.

use super::pages::{PAYLOAD, Pages};
use super::{Shape, Unusable};

/// Entries in a page, behind the count and the overflow flag.
pub(crate) const PER_PAGE: u32 = 20;
const HEAD: usize = 8;
const ENTRY: usize = 24;

/// A bucket as read from its page.
struct Bucket {
    number: u64,
    overflowed: bool,
    entries: Vec<(u64, u128)>,
}

impl Bucket {
    fn read(pages: &mut Pages, number: u64) -> Result<Self, Unusable> {
        let page = pages.read(number)?;
        let count = usize::from(page[0]);
        if count > PER_PAGE as usize {
            return Err(Unusable);
        }
        let entries = page[HEAD..]
            .chunks_exact(ENTRY)
            .take(count)
            .map(decode)
            .collect::<Option<_>>();
        Ok(Self {
            number,
            overflowed: page[1] != 0,
            entries: entries.ok_or(Unusable)?,
        })
    }

    fn write(&self, pages: &mut Pages) -> Result<(), Unusable> {
        let mut page = [0; PAYLOAD];
        page[0] = u8::try_from(self.entries.len()).map_err(|_| Unusable)?;
        page[1] = u8::from(self.overflowed);
        for (slot, (hash, address)) in page[HEAD..].chunks_exact_mut(ENTRY).zip(&self.entries) {
            slot[..8].copy_from_slice(&hash.to_le_bytes());
            slot[8..].copy_from_slice(&address.to_be_bytes());
        }
        pages.write(self.number, &page)
    }

    fn is_full(&self) -> bool {
        self.entries.len() >= PER_PAGE as usize
    }
}

fn decode(entry: &[u8]) -> Option<(u64, u128)> {
    let (hash, address) = entry.split_first_chunk()?;
    Some((
        u64::from_le_bytes(*hash),
        u128::from_be_bytes(*address.first_chunk()?),
    ))
}

/// Reads the buckets that may hold this hash, until `visit` says to stop.
fn search(
    pages: &mut Pages,
    shape: Shape,
    hash: u64,
    mut visit: impl FnMut(&mut Pages, &mut Bucket) -> Result<bool, Unusable>,
) -> Result<(), Unusable> {
    // FNV's low bits are its best.
    let home = (hash & u64::from(u32::MAX)) as u32;
    for step in 0..shape.buckets {
        let mut bucket = Bucket::read(pages, shape.bucket(home.wrapping_add(step)))?;
        let overflowed = bucket.overflowed;
        if visit(pages, &mut bucket)? || !overflowed {
            return Ok(());
        }
    }
    Ok(())
}

pub(super) fn find(pages: &mut Pages, shape: Shape, hash: u64) -> Result<Vec<u128>, Unusable> {
    let mut found = Vec::new();
    search(pages, shape, hash, |_, bucket| {
        found.extend(
            bucket
                .entries
                .iter()
                .filter(|entry| entry.0 == hash)
                .map(|entry| entry.1),
        );
        Ok(false)
    })?;
    Ok(found)
}

pub(super) fn insert(
    pages: &mut Pages,
    shape: Shape,
    hash: u64,
    address: u128,
) -> Result<(), Unusable> {
    let home = (hash & u64::from(u32::MAX)) as u32;
    for step in 0..shape.buckets {
        let mut bucket = Bucket::read(pages, shape.bucket(home.wrapping_add(step)))?;
        if !bucket.is_full() {
            bucket.entries.push((hash, address));
            return bucket.write(pages);
        }
        if !bucket.overflowed {
            bucket.overflowed = true;
            bucket.write(pages)?;
        }
    }
    Err(Unusable)
}

/// Says whether the entry was there.
pub(super) fn remove(
    pages: &mut Pages,
    shape: Shape,
    hash: u64,
    address: u128,
) -> Result<bool, Unusable> {
    let mut removed = false;
    search(pages, shape, hash, |pages, bucket| {
        let Some(at) = bucket
            .entries
            .iter()
            .position(|entry| *entry == (hash, address))
        else {
            return Ok(false);
        };
        bucket.entries.swap_remove(at);
        bucket.write(pages)?;
        removed = true;
        Ok(true)
    })?;
    Ok(removed)
}

/// Every entry, sorted.
#[cfg(test)]
pub(super) fn all(pages: &mut Pages, shape: Shape) -> Result<Vec<(u64, u128)>, Unusable> {
    let mut all = Vec::new();
    for number in 0..shape.buckets {
        all.extend(Bucket::read(pages, shape.bucket(number))?.entries);
    }
    all.sort_unstable();
    Ok(all)
}
