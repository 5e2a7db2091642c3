//! What a port has in the tables now.

use std::collections::BTreeSet;

use abi::Backend;

use super::{Tables, sides};
use crate::tables::PortKey;

impl<S> Tables<S> {
    /// The id of a port, and the backends of all its frontends for clients of both sides; none if the port is not
    /// in the tables.
    pub fn port(&self, key: &PortKey) -> Option<(u32, BTreeSet<Backend>)> {
        let port = self.ports.get(key)?;
        let services = port
            .frontends
            .iter()
            .filter_map(|at| self.frontends.get(at));
        let sets: BTreeSet<u32> = services
            .flat_map(|programmed| sides(&programmed.service))
            .map(|(set, _)| set)
            .collect();
        let sets = sets.iter().filter_map(|set| self.sets.get(set));
        let backends = sets
            .flat_map(|set| &set.content.backends)
            .copied()
            .collect();
        Some((port.id, backends))
    }
}
