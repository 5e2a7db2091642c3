//! The table of sockets that were given a backend, by itself: whoever reads all of it need not hold the other tables.

use std::collections::BTreeMap;
use std::path::Path;

use abi::{SocketKey, SocketOrigin, names};
use aya::maps::{HashMap, Map, MapData};

use crate::error::Result;
use crate::maps::{gone, of};
use crate::pins::Pins;

/// How many entries are looked at: programs remove and add while it is read, which may begin the reading anew.
const LOOKS: usize = 4 * names::SOCKETS_MAX as usize;

/// An open table of sockets.
pub struct Sockets {
    map: HashMap<MapData, SocketKey, SocketOrigin>,
}

impl std::fmt::Debug for Sockets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sockets").finish_non_exhaustive()
    }
}

impl Sockets {
    /// The table that is pinned below `bpf_dir`.
    ///
    /// # Errors
    /// When there is none, or it cannot be opened.
    pub fn open(bpf_dir: &Path) -> Result<Self> {
        let pin = Pins::new(bpf_dir).map(names::SOCKETS);
        let opened = MapData::from_pin(pin)
            .and_then(Map::from_map_data)
            .and_then(HashMap::try_from);
        let map = opened.map_err(of(names::SOCKETS))?;
        Ok(Self { map })
    }

    /// The entries that are wanted.
    ///
    /// # Errors
    /// When the table cannot be read.
    pub fn find(
        &self,
        wanted: impl Fn(&SocketKey, &SocketOrigin) -> bool,
    ) -> Result<BTreeMap<SocketKey, SocketOrigin>> {
        let mut found = BTreeMap::new();
        for entry in self.map.iter().take(LOOKS) {
            let (key, origin) = entry.map_err(of(names::SOCKETS))?;
            if wanted(&key, &origin) {
                found.insert(key, origin);
            }
        }
        Ok(found)
    }

    /// Removes an entry; one that is not there is none.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub fn forget(&mut self, key: &SocketKey) -> Result<()> {
        gone(self.map.remove(key), names::SOCKETS)
    }
}
