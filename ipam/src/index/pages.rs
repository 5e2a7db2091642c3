//! Pages of 512 bytes, each with a checksum over its contents and its number.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;

use super::{Unusable, fnv};
use crate::disk::fault;

/// Bytes of a page that its user sees.
pub(crate) const PAYLOAD: usize = 504;
const SIZE: usize = 512;

/// The pages, in a file or in memory. In memory they carry no checksums; those are
/// computed when the whole is saved.
#[derive(Debug)]
pub(crate) enum Pages {
    File(File),
    Memory(Vec<[u8; PAYLOAD]>),
}

impl Pages {
    pub fn in_memory(count: u64) -> Self {
        Self::Memory(vec![
            [0; PAYLOAD];
            usize::try_from(count).unwrap_or(usize::MAX)
        ])
    }

    pub fn in_file(file: File) -> Self {
        Self::File(file)
    }

    pub fn is_in_memory(&self) -> bool {
        matches!(self, Self::Memory(_))
    }

    /// Whether there are exactly so many pages.
    pub fn holds(&self, count: u64) -> bool {
        match self {
            Self::File(file) => file
                .metadata()
                .is_ok_and(|metadata| Some(metadata.len()) == count.checked_mul(SIZE as u64)),
            Self::Memory(pages) => pages.len() as u64 == count,
        }
    }

    pub fn read(&mut self, number: u64) -> Result<[u8; PAYLOAD], Unusable> {
        match self {
            Self::File(file) => {
                let mut page = [0; SIZE];
                file.read_exact_at(&mut page, number * SIZE as u64)
                    .map_err(|_| Unusable)?;
                let (payload, sum) = page.split_first_chunk::<PAYLOAD>().ok_or(Unusable)?;
                if sum == checksum(payload, number) {
                    Ok(*payload)
                } else {
                    Err(Unusable)
                }
            }
            Self::Memory(pages) => usize::try_from(number)
                .ok()
                .and_then(|number| pages.get(number))
                .copied()
                .ok_or(Unusable),
        }
    }

    pub fn write(&mut self, number: u64, payload: &[u8; PAYLOAD]) -> Result<(), Unusable> {
        match self {
            Self::File(file) => {
                fault::before("write page").map_err(|_| Unusable)?;
                file.write_all_at(&sealed(payload, number), number * SIZE as u64)
                    .map_err(|_| Unusable)
            }
            Self::Memory(pages) => {
                let page = usize::try_from(number)
                    .ok()
                    .and_then(|number| pages.get_mut(number))
                    .ok_or(Unusable)?;
                *page = *payload;
                Ok(())
            }
        }
    }

    /// Writes pages that are in memory to a file that takes the place of `path`, and goes
    /// on with that file.
    pub fn save(&mut self, path: &Path) -> io::Result<()> {
        let Self::Memory(pages) = self else {
            return Ok(());
        };
        let mut bytes = Vec::with_capacity(pages.len() * SIZE);
        for (number, payload) in pages.iter().enumerate() {
            bytes.extend_from_slice(&sealed(payload, number as u64));
        }
        let beside = path.with_extension("new");
        fault::before("create index")?;
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&beside)?;
        fault::before("write index")?;
        file.write_all(&bytes)?;
        // Not over the old one: ext4 would send the new one to the disk there and then.
        // Without an index in between, the next call builds it, as it would anyway.
        fault::before("remove index")?;
        match fs::remove_file(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        fault::before("rename index")?;
        fs::rename(&beside, path)?;
        *self = Self::File(file);
        Ok(())
    }
}

fn sealed(payload: &[u8; PAYLOAD], number: u64) -> [u8; SIZE] {
    let mut page = [0; SIZE];
    page[..PAYLOAD].copy_from_slice(payload);
    page[PAYLOAD..].copy_from_slice(&checksum(payload, number));
    page
}

/// Never that of a page of zeros, such as a hole in the file.
fn checksum(payload: &[u8; PAYLOAD], number: u64) -> [u8; 8] {
    (fnv(payload, number) | 1).to_le_bytes()
}
