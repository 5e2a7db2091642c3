//! The maps, typed.

use std::collections::{BTreeMap, BTreeSet};

use abi::{
    Backend, Frontend, MaglevKey, MaglevPart, MemberKey, SOURCE_RANGE_BITS, Service, SlotKey,
    SourceRange, Verdict, names,
};
use aya::Ebpf;
use aya::maps::lpm_trie::{Key, LpmTrie};
use aya::maps::{HashMap, MapData, MapError, PerCpuArray};

use crate::error::{Error, Result};
use crate::store::{Snapshot, Store};

/// The maps that userspace reads and writes.
pub struct Maps {
    services: HashMap<MapData, Frontend, Service>,
    slots: HashMap<MapData, SlotKey, Backend>,
    members: HashMap<MapData, MemberKey, u32>,
    maglev: HashMap<MapData, MaglevKey, MaglevPart>,
    sources: LpmTrie<MapData, SourceRange, u32>,
    verdicts: PerCpuArray<MapData, u64>,
}

impl std::fmt::Debug for Maps {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Maps").finish_non_exhaustive()
    }
}

/// Attributes a map's failure to it.
pub(crate) fn of(name: &'static str) -> impl FnOnce(MapError) -> Error {
    move |source| Error::Map { name, source }
}

/// Takes a map out of the object and types it.
macro_rules! take {
    ($ebpf:expr, $name:expr) => {
        $ebpf
            .take_map($name)
            .ok_or($crate::Error::Missing($name))?
            .try_into()
            .map_err($crate::maps::of($name))?
    };
}
pub(crate) use take;

impl Maps {
    pub(crate) fn take(ebpf: &mut Ebpf) -> Result<Self> {
        Ok(Self {
            services: take!(ebpf, names::SERVICES),
            slots: take!(ebpf, names::SLOTS),
            members: take!(ebpf, names::MEMBERS),
            maglev: take!(ebpf, names::MAGLEV),
            sources: take!(ebpf, names::SOURCES),
            verdicts: take!(ebpf, names::VERDICTS),
        })
    }

    /// All that the tables hold.
    ///
    /// # Errors
    /// When a map cannot be read.
    pub fn snapshot(&self) -> Result<Snapshot> {
        let services: std::result::Result<BTreeMap<_, _>, _> = self.services.iter().collect();
        let slots: std::result::Result<BTreeMap<_, _>, _> = self.slots.iter().collect();
        let members: std::result::Result<BTreeSet<_>, _> = self.members.keys().collect();
        let maglev: std::result::Result<BTreeSet<_>, _> = self.maglev.keys().collect();
        let sources: std::result::Result<BTreeSet<_>, _> = self
            .sources
            .keys()
            .map(|key| key.map(|key| (key.data(), key.prefix_len() - SOURCE_RANGE_BITS)))
            .collect();
        Ok(Snapshot {
            services: services.map_err(of(names::SERVICES))?,
            slots: slots.map_err(of(names::SLOTS))?,
            members: members.map_err(of(names::MEMBERS))?,
            maglev: maglev.map_err(of(names::MAGLEV))?,
            sources: sources.map_err(of(names::SOURCES))?,
        })
    }

    /// How often each verdict was given, over all CPUs.
    ///
    /// # Errors
    /// When the map cannot be read.
    pub fn verdicts(&self) -> Result<Vec<(&'static str, u64)>> {
        Verdict::ALL
            .iter()
            .map(|(verdict, name)| {
                let values = self
                    .verdicts
                    .get(&(*verdict as u32), 0)
                    .map_err(of(names::VERDICTS))?;
                Ok((*name, values.iter().sum()))
            })
            .collect()
    }
}

/// What is not there need not be removed.
pub(crate) fn gone(outcome: std::result::Result<(), MapError>, name: &'static str) -> Result<()> {
    match outcome {
        Err(MapError::KeyNotFound) => Ok(()),
        Err(MapError::SyscallError(error))
            if error.io_error.kind() == std::io::ErrorKind::NotFound =>
        {
            Ok(())
        }
        other => other.map_err(of(name)),
    }
}

impl Store for Maps {
    fn put_slot(&mut self, key: SlotKey, backend: Backend) -> Result<()> {
        self.slots.insert(key, backend, 0).map_err(of(names::SLOTS))
    }

    fn delete_slot(&mut self, key: SlotKey) -> Result<()> {
        gone(self.slots.remove(&key), names::SLOTS)
    }

    fn put_member(&mut self, key: MemberKey) -> Result<()> {
        self.members.insert(key, 1, 0).map_err(of(names::MEMBERS))
    }

    fn delete_member(&mut self, key: MemberKey) -> Result<()> {
        gone(self.members.remove(&key), names::MEMBERS)
    }

    fn put_maglev(&mut self, key: MaglevKey, part: &MaglevPart) -> Result<()> {
        self.maglev.insert(key, part, 0).map_err(of(names::MAGLEV))
    }

    fn delete_maglev(&mut self, key: MaglevKey) -> Result<()> {
        gone(self.maglev.remove(&key), names::MAGLEV)
    }

    fn put_source(&mut self, range: SourceRange, bits: u32) -> Result<()> {
        let key = Key::new(SOURCE_RANGE_BITS + bits, range);
        self.sources.insert(&key, 1, 0).map_err(of(names::SOURCES))
    }

    fn delete_source(&mut self, range: SourceRange, bits: u32) -> Result<()> {
        let key = Key::new(SOURCE_RANGE_BITS + bits, range);
        gone(self.sources.remove(&key), names::SOURCES)
    }

    fn put_service(&mut self, key: Frontend, service: Service) -> Result<()> {
        self.services
            .insert(key, service, 0)
            .map_err(of(names::SERVICES))
    }

    fn delete_service(&mut self, key: Frontend) -> Result<()> {
        gone(self.services.remove(&key), names::SERVICES)
    }
}
