//! `berthd uninstall`: removes what berth put on the node, leaves the interfaces of live pods alone, and tells what it
//! removed. Doing it again removes nothing more.

mod attachments;
mod directories;
mod filters;
mod nftables;

use std::fmt;

use dataplane::pins::Pins;

use crate::api::{Claim, ClaimError};
use crate::config::Settings;

/// What was removed, what was left, and what could not be removed.
#[derive(Debug, Default)]
pub struct Removal {
    /// One line each.
    pub removed: Vec<String>,
    /// What stays and why.
    pub left: Vec<String>,
    /// What should have gone.
    pub errors: Vec<String>,
}

impl fmt::Display for Removal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for line in &self.removed {
            writeln!(f, "removed  {line}")?;
        }
        for line in &self.left {
            writeln!(f, "left     {line}")?;
        }
        for line in &self.errors {
            writeln!(f, "failed   {line}")?;
        }
        match self.removed.len() {
            0 => writeln!(f, "nothing was there to remove"),
            _ => Ok(()),
        }
    }
}

/// Removes everything but live pods' interfaces, with their records and ports. The daemon must not run.
pub async fn uninstall(settings: &Settings) -> Result<Removal, ClaimError> {
    let mut removal = Removal::default();
    // Claiming makes the directory, which is not what one expects of a removal.
    if settings.state_dir.exists() {
        let claim = Claim::take(&settings.state_dir)?;
        attachments::remove(settings, &mut removal).await;
        drop(claim);
    }
    dataplane(settings, &mut removal);
    filters::remove(&mut removal).await;
    nftables::remove(&mut removal);
    directories::remove(settings, &mut removal);
    Ok(removal)
}

/// Programs and tables, by what is pinned.
fn dataplane(settings: &Settings, removal: &mut Removal) {
    match Pins::remove_all(&settings.bpf_dir) {
        Ok(pins) => {
            let lines = pins.iter().map(|pin| format!("pin {}", pin.display()));
            removal.removed.extend(lines);
        }
        Err(error) => removal.errors.push(error.to_string()),
    }
}
