//! The index: whose leases are where, and which addresses are free, without reading the
//! store.
//!
//! # What it must do
//! ADD needs three answers that upstream gets by reading every lease: does this interface
//! hold a lease already, which address comes next in the round robin, and (in DEL) which
//! files are the interface's. The index answers each from one or two pages of 512 bytes,
//! whatever the number of leases: a hash table from holder to address ([`keys`]) and a bit
//! for every address near one that was used ([`occupancy`]).
//!
//! # What it must not do
//! *Decide.* The lease files stay the truth. An address is taken by making its file, which
//! fails if there is one; a file is removed only after reading in it whose it is; nobody
//! is told that the addresses are exhausted before the files themselves were looked at.
//! So a wrong index could cost time, or overlook a lease, but never give an address twice.
//!
//! *Be in upstream's way.* Upstream's host-local walks the network's directory and reads
//! every file. The index therefore lies outside, in `<dataDir>/.berth/<network>/index`,
//! where upstream never looks, on the same file system as the store and cleaned up or
//! copied together with it. It can be deleted at any time.
//!
//! # How it knows that it is right
//! Upstream does not know the index, so each of its changes makes the index stale. All its
//! changes make or remove a file, and all happen under the lock that we hold while we look;
//! so the question is whether the directory changed since our own last change. The
//! modification time alone cannot tell: the kernel stamps with the time of its last tick,
//! and two changes within the same few milliseconds look like one. Therefore, after each
//! change of ours, the directory's modification time is *set*, to a moment ten seconds ago
//! with the nanoseconds of a fine clock: a mark that the kernel, which always stamps with
//! now, cannot make by itself. The index notes device, inode, this mark and the change time.
//! Any file made or removed by anyone overwrites the mark, whenever it happens; a tool that
//! puts the modification time back (tar, rsync) changes the change time; a directory that
//! was replaced has another inode. Anything that is not exactly as noted means: read all
//! lease files and build the index anew.
//!
//! This is also what makes a kill harmless without any log. The order of every change is:
//! the lease file (the mark is gone), the pages of the index, the mark, and last the note
//! of the mark in the index's first page. A process killed anywhere in between leaves a
//! directory that is not as noted. A file system that does not keep the mark, or does not
//! stamp directories, is found out when the mark is set, and no note is left there: each
//! call reads all files then, which is what upstream does anywhere. To find that out even in a
//! directory that was made within this very tick, a build begins by setting a mark.
//!
//! # Power
//! Nothing is synced, neither leases nor index. After a power loss no namespace is left,
//! so no lease is owed to anyone: the daemon releases what has no attachment record, and
//! records do not outlive the boot. A lease file that the loss left empty counts as taken
//! until GC removes it. The index notes the boot it was written in and is not believed
//! in another one, since its pages may have reached the disk in any order.
//!
//! # Damage
//! Every page carries a checksum that includes its number; a page that does not match, a
//! file that is too short, another version: built anew. A failure to write the index (a
//! full disk) never fails the call; the index is left behind and built anew next time.
//!
//! What it cannot notice is a lease file whose *contents* an operator edits in place. DEL
//! then sees that a file is not what the index says, and builds it anew; GC and `list`
//! read the files anyway.

mod keys;
mod mark;
mod occupancy;
mod pages;

use std::fs::File;
use std::net::IpAddr;
use std::path::Path;

pub(crate) use mark::Mark;
use pages::{PAYLOAD, Pages};

use crate::lease::{Holder, StoredLease};

/// The index cannot be used further and has to be built anew: a page is damaged, cannot
/// be read or written, or a table is full.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Unusable;

/// The tables, in a file or, fresh from the lease files, in memory.
#[derive(Debug)]
pub(crate) struct Index {
    pages: Pages,
    shape: Shape,
}

/// Sizes of the tables in pages, and how full they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Shape {
    buckets: u32,
    chunks: u32,
    keys_used: u32,
    chunks_used: u32,
}

impl Shape {
    fn for_leases(keys: usize, chunks: usize) -> Self {
        let pages = |needed: usize, least: usize| {
            u32::try_from(needed.next_power_of_two().max(least)).unwrap_or(u32::MAX)
        };
        Self {
            buckets: pages(keys / 5, 64),
            chunks: pages(chunks * 4, 32),
            keys_used: 0,
            chunks_used: 0,
        }
    }

    fn total(self) -> u64 {
        1 + u64::from(self.buckets) + u64::from(self.chunks)
    }

    fn bucket(self, number: u32) -> u64 {
        1 + u64::from(number % self.buckets)
    }

    fn chunk(self, number: u32) -> u64 {
        1 + u64::from(self.buckets) + u64::from(number % self.chunks)
    }
}

impl Index {
    /// Builds the index of these leases in memory.
    pub fn build(leases: &[StoredLease]) -> Result<Self, Unusable> {
        let mut chunks: Vec<u128> = leases
            .iter()
            .map(|lease| occupancy::chunk_of(number(lease.address)))
            .collect();
        chunks.sort_unstable();
        chunks.dedup();
        let shape = Shape::for_leases(leases.len(), chunks.len());
        let mut index = Self {
            pages: Pages::in_memory(shape.total()),
            shape,
        };
        for lease in leases {
            index.insert(lease.address, &lease.holder)?;
        }
        Ok(index)
    }

    /// Opens an index file if it describes the directory as it is now.
    pub fn load(path: &Path, now: &Mark) -> Option<Self> {
        let mut pages = Pages::in_file(File::options().read(true).write(true).open(path).ok()?);
        let (shape, noted) = decode_header(&pages.read(0).ok()?)?;
        (noted == *now && pages.holds(shape.total())).then_some(Self { pages, shape })
    }

    /// Addresses whose lease may be this holder's: the files have to be asked.
    pub fn find(&mut self, holder: &Holder) -> Result<Vec<IpAddr>, Unusable> {
        let found = keys::find(&mut self.pages, self.shape, hash(holder))?;
        Ok(found.into_iter().map(address).collect())
    }

    /// Notes a lease.
    pub fn insert(&mut self, address: IpAddr, holder: &Holder) -> Result<(), Unusable> {
        if occupancy::set(&mut self.pages, self.shape, number(address), true)? {
            self.shape.chunks_used += 1;
        }
        if !matches!(holder, Holder::Corrupt { .. }) {
            keys::insert(&mut self.pages, self.shape, hash(holder), number(address))?;
            self.shape.keys_used += 1;
        }
        // Half full is enough: the tables stay quick, and the next build makes them larger.
        let crowded = self.shape.keys_used > self.shape.buckets * (keys::PER_PAGE / 2)
            || self.shape.chunks_used > self.shape.chunks / 2;
        if crowded { Err(Unusable) } else { Ok(()) }
    }

    /// Forgets a lease.
    pub fn remove(&mut self, address: IpAddr, holder: &Holder) -> Result<(), Unusable> {
        occupancy::set(&mut self.pages, self.shape, number(address), false)?;
        if !matches!(holder, Holder::Corrupt { .. })
            && keys::remove(&mut self.pages, self.shape, hash(holder), number(address))?
        {
            self.shape.keys_used = self.shape.keys_used.saturating_sub(1);
        }
        Ok(())
    }

    /// The first address from `first` to `last`, both included and of one family, that
    /// has no lease.
    pub fn next_free(&mut self, first: IpAddr, last: IpAddr) -> Result<Option<IpAddr>, Unusable> {
        let free = occupancy::next_free(&mut self.pages, self.shape, number(first), number(last))?;
        Ok(free.map(address))
    }

    /// Writes an index that is in memory to `path`, whole, by way of a file beside it.
    /// Until [`Index::note`] it describes no directory.
    pub fn write(&mut self, path: &Path) -> std::io::Result<()> {
        self.pages
            .write(0, &encode_header(self.shape, &Mark::default()))
            .map_err(|Unusable| std::io::ErrorKind::InvalidData)?;
        self.pages.save(path)
    }

    /// Notes what the directory looks like now, which makes the index valid.
    pub fn note(&mut self, mark: &Mark) -> Result<(), Unusable> {
        self.pages.write(0, &encode_header(self.shape, mark))
    }

    /// Whether it was built just now and is not in a file yet.
    pub fn is_in_memory(&self) -> bool {
        self.pages.is_in_memory()
    }
}

/// One number space for both families: v4 as the addresses mapped into v6.
fn number(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => address.to_ipv6_mapped().to_bits(),
        IpAddr::V6(address) => address.to_bits(),
    }
}

fn address(number: u128) -> IpAddr {
    IpAddr::V6(number.into()).to_canonical()
}

fn hash(holder: &Holder) -> u64 {
    fnv(holder.contents().as_bytes(), 0)
}

/// FNV-1a: quick for short keys and the same in every build, which a file format needs.
/// Nobody gains by a collision, the lease file has the last word.
fn fnv(bytes: &[u8], seed: u64) -> u64 {
    bytes
        .iter()
        .fold(0xcbf2_9ce4_8422_2325 ^ seed, |hash, byte| {
            (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
        })
}

const MAGIC: &[u8; 8] = b"berthip1";

fn encode_header(shape: Shape, mark: &Mark) -> [u8; PAYLOAD] {
    let mut page = [0; PAYLOAD];
    page[..8].copy_from_slice(MAGIC);
    for (slot, value) in page[8..24].chunks_exact_mut(4).zip([
        shape.buckets,
        shape.chunks,
        shape.keys_used,
        shape.chunks_used,
    ]) {
        slot.copy_from_slice(&value.to_le_bytes());
    }
    page[24..24 + Mark::SIZE].copy_from_slice(&mark.encode());
    page
}

fn decode_header(page: &[u8; PAYLOAD]) -> Option<(Shape, Mark)> {
    let (magic, rest) = page.split_first_chunk::<8>()?;
    let (sizes, rest) = rest.split_first_chunk::<16>()?;
    let size = |number: usize| {
        sizes
            .get(number * 4..)
            .and_then(|size| size.first_chunk())
            .map(|size| u32::from_le_bytes(*size))
    };
    let shape = Shape {
        buckets: size(0)?,
        chunks: size(1)?,
        keys_used: size(2)?,
        chunks_used: size(3)?,
    };
    let valid = magic == MAGIC && shape.buckets > 0 && shape.chunks > 0;
    valid.then_some((shape, Mark::decode(rest.first_chunk()?)))
}

#[cfg(test)]
pub(crate) mod tests;
