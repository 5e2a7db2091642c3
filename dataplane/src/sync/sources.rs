//! The networks that may use a port.

use abi::SourceRange;

use super::Tables;
use crate::error::Result;
use crate::store::Store;
use crate::tables::{PortKey, PortTable};

impl<S: Store> Tables<S> {
    /// Writes the networks that may use a port, before the frontends that ask for them.
    pub(super) fn put_sources(&mut self, key: &PortKey, wanted: &PortTable) -> Result<()> {
        let Some(port) = self.ports.get_mut(key) else {
            return Ok(());
        };
        for (address, bits) in &wanted.sources {
            if port.sources.insert((*address, *bits)) {
                let range = SourceRange {
                    port_id: port.id,
                    address: *address,
                };
                self.store.put_source(range, *bits)?;
            }
        }
        Ok(())
    }

    /// Removes those it should not have any more.
    pub(super) fn delete_sources(&mut self, key: &PortKey, wanted: &PortTable) -> Result<()> {
        let Some(port) = self.ports.get_mut(key) else {
            return Ok(());
        };
        let gone = port
            .sources
            .iter()
            .filter(|it| !wanted.sources.contains(it));
        for (address, bits) in gone.copied().collect::<Vec<_>>() {
            let range = SourceRange {
                port_id: port.id,
                address,
            };
            self.store.delete_source(range, bits)?;
            port.sources.remove(&(address, bits));
        }
        Ok(())
    }
}
