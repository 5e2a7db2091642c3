//! What the store's directory looked like when the index was last right; see the page of
//! reasons at the head of `index`.

use std::fs::{File, FileTimes, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::time::{Duration, SystemTime};

use super::fnv;
use crate::disk::fault;
use crate::session::Change;

/// How far back the mark is set: more than any file system's granularity (FAT has two
/// seconds), so that no stamp of now can equal it.
const BACK: Duration = Duration::from_secs(10);

/// Boot, directory and its times.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Mark {
    boot: u64,
    device: u64,
    inode: u64,
    pub(super) modified: (i64, i64),
    changed: (i64, i64),
}

impl Mark {
    pub const SIZE: usize = 56;

    /// The directory as it is; `None` when it, or the boot's id, cannot be read.
    pub fn of(directory: &File) -> Option<Self> {
        // Another boot could find pages of which only some reached the disk.
        let boot = std::fs::read("/proc/sys/kernel/random/boot_id")
            .ok()
            .filter(|id| !id.is_empty())?;
        Some(Self::from(fnv(&boot, 0), &directory.metadata().ok()?))
    }

    fn from(boot: u64, metadata: &Metadata) -> Self {
        Self {
            boot,
            device: metadata.dev(),
            inode: metadata.ino(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
        }
    }

    /// Sets a new mark on the directory. `None` when this file system keeps none: it does
    /// not take the time, or it did not stamp the directory for a change that was surely
    /// made since this mark was read.
    pub fn renew(self, directory: &File, change: Change) -> io::Result<Option<Self>> {
        let before = Self::from(self.boot, &directory.metadata()?);
        if change == Change::Yes && before.modified == self.modified {
            return Ok(None);
        }
        let wanted = SystemTime::now() - BACK;
        fault::before("set mark")?;
        directory.set_times(FileTimes::new().set_modified(wanted))?;
        let metadata = directory.metadata()?;
        let kept = metadata.modified()? <= wanted;
        Ok(kept.then(|| Self::from(self.boot, &metadata)))
    }

    pub fn encode(&self) -> [u8; Self::SIZE] {
        let mut bytes = [0; Self::SIZE];
        let values = [
            self.boot,
            self.device,
            self.inode,
            self.modified.0 as u64,
            self.modified.1 as u64,
            self.changed.0 as u64,
            self.changed.1 as u64,
        ];
        for (slot, value) in bytes.chunks_exact_mut(8).zip(values) {
            slot.copy_from_slice(&value.to_le_bytes());
        }
        bytes
    }

    pub fn decode(bytes: &[u8; Self::SIZE]) -> Self {
        let mut values = [0u64; 7];
        for (value, slot) in values.iter_mut().zip(bytes.chunks_exact(8)) {
            *value = slot
                .iter()
                .rev()
                .fold(0, |value, byte| value << 8 | u64::from(*byte));
        }
        let [boot, device, inode, mtime, mtime_nsec, ctime, ctime_nsec] = values;
        Self {
            boot,
            device,
            inode,
            modified: (mtime as i64, mtime_nsec as i64),
            changed: (ctime as i64, ctime_nsec as i64),
        }
    }
}
