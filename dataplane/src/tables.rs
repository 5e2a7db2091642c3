//! What should be in the tables, as plain data.

use std::collections::BTreeMap;

use abi::{Address, Backend, Frontend};

/// What makes a Service port the same from one change to the next: in Kubernetes
/// `namespace/name:port/protocol`.
pub type PortKey = String;

/// One port of a Service, with all its addresses.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PortTable {
    /// Its frontends. No two ports may claim the same.
    pub frontends: BTreeMap<Frontend, Target>,
    /// The sets of backends that targets name, each in any order.
    pub sets: Vec<Vec<Backend>>,
    /// Seconds of affinity; 0: none.
    pub affinity_seconds: u32,
    /// Whether clients outside find the same backend by whichever node they come in: with
    /// Maglev tables for the sets.
    pub consistent: bool,
    /// Networks that may use frontends with [`abi::Service::CHECK_SOURCE`]: each with its length
    /// in bits of an [`abi::Address`].
    pub sources: Vec<(Address, u32)>,
}

impl PortTable {
    /// The backends a target names for one side, of the family of its frontend.
    pub fn backends(&self, frontend: &Frontend, set: usize) -> Vec<Backend> {
        let v4 = frontend.address.v4_be().is_some();
        let all = self.sets.get(set).map_or(&[][..], Vec::as_slice);
        let own = all
            .iter()
            .filter(|backend| backend.address.v4_be().is_some() == v4);
        let mut backends: Vec<Backend> = own.copied().collect();
        backends.sort_unstable();
        backends.dedup();
        backends
    }
}

/// What is behind a frontend: indexes into [`PortTable::sets`], and flags of [`abi::Service`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Target {
    /// Backends for clients inside.
    pub inside: usize,
    /// Backends for clients outside.
    pub outside: usize,
    /// Flags.
    pub flags: u32,
}
