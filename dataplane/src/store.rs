//! The tables as something that is read and written.

use std::collections::{BTreeMap, BTreeSet};

use abi::{Backend, Frontend, MaglevKey, MaglevPart, MemberKey, Service, SlotKey, SourceRange};

use crate::error::Result;

/// The tables as something that can be written: the kernel's maps, or a stand-in in tests.
pub trait Store {
    /// Writes one backend of a set.
    ///
    /// # Errors
    /// When the table is full.
    fn put_slot(&mut self, key: SlotKey, backend: Backend) -> Result<()>;
    /// Removes it; one that is not there is none.
    ///
    /// # Errors
    /// When the kernel refuses.
    fn delete_slot(&mut self, key: SlotKey) -> Result<()>;
    /// Writes that a set has a backend.
    ///
    /// # Errors
    /// When the table is full.
    fn put_member(&mut self, key: MemberKey) -> Result<()>;
    /// Removes it; one that is not there is none.
    ///
    /// # Errors
    /// When the kernel refuses.
    fn delete_member(&mut self, key: MemberKey) -> Result<()>;
    /// Writes a part of a set's Maglev table.
    ///
    /// # Errors
    /// When the table is full.
    fn put_maglev(&mut self, key: MaglevKey, part: &MaglevPart) -> Result<()>;
    /// Removes it; one that is not there is none.
    ///
    /// # Errors
    /// When the kernel refuses.
    fn delete_maglev(&mut self, key: MaglevKey) -> Result<()>;
    /// Writes a network that may use a Service port, with its length in bits of an address.
    ///
    /// # Errors
    /// When the table is full.
    fn put_source(&mut self, range: SourceRange, bits: u32) -> Result<()>;
    /// Removes it; one that is not there is none.
    ///
    /// # Errors
    /// When the kernel refuses.
    fn delete_source(&mut self, range: SourceRange, bits: u32) -> Result<()>;
    /// Writes a frontend, or replaces it as a whole.
    ///
    /// # Errors
    /// When the table is full.
    fn put_service(&mut self, key: Frontend, service: Service) -> Result<()>;
    /// Removes it; one that is not there is none.
    ///
    /// # Errors
    /// When the kernel refuses.
    fn delete_service(&mut self, key: Frontend) -> Result<()>;
}

/// What the tables hold, as read from them.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Snapshot {
    /// Frontends.
    pub services: BTreeMap<Frontend, Service>,
    /// Backends of sets.
    pub slots: BTreeMap<SlotKey, Backend>,
    /// Members of sets with affinity.
    pub members: BTreeSet<MemberKey>,
    /// Parts of Maglev tables.
    pub maglev: BTreeSet<MaglevKey>,
    /// Networks that may use Service ports, with their lengths.
    pub sources: BTreeSet<(SourceRange, u32)>,
}
