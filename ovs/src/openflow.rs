//! Port flags of a bridge, over OpenFlow 1.0 on its management socket (`<rundir>/<bridge>.mgmt`).
//!
//! `NO_FLOOD` and its like live in vswitchd's memory alone, not in the database, and are lost when it restarts.
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::time::timeout;

use crate::mac::Mac;

mod message;

use message::Message;

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

/// How long a bridge may take for one answer; a busy vswitchd answers between two reconfigurations.
const LIMIT: Duration = Duration::from_secs(10);

/// An OpenFlow connection to one bridge.
#[derive(Debug)]
pub struct OpenFlow {
    path: PathBuf,
    stream: UnixStream,
    transaction: u32,
}

impl OpenFlow {
    /// Connects to the management socket of `bridge` in OVS's run directory, and exchanges hellos.
    pub async fn connect(rundir: &Path, bridge: &str) -> Result<Self> {
        let path = rundir.join(format!("{bridge}.mgmt"));
        let stream = UnixStream::connect(&path)
            .await
            .map_err(|source| Error::Connect {
                path: path.clone(),
                source,
            })?;
        let mut connection = OpenFlow {
            path,
            stream,
            transaction: 0,
        };
        connection.send(message::HELLO, &[]).await?;
        let hello = connection.receive("hello").await?;
        if hello.kind != message::HELLO {
            return Err(connection.protocol(format!(
                "first message is of type {}, expected hello",
                hello.kind
            )));
        }
        Ok(connection)
    }

    /// All ports of the bridge.
    pub async fn ports(&mut self) -> Result<Vec<PortDescription>> {
        const REQUEST: &str = "port descriptions";
        let transaction = self
            .send(message::STATS_REQUEST, &message::port_descriptions())
            .await?;
        let mut ports = Vec::new();
        loop {
            let reply = self
                .answer(transaction, message::STATS_REPLY, REQUEST)
                .await?;
            let (mut some, more) = message::parse_port_descriptions(&reply.body)
                .map_err(|detail| self.protocol(detail))?;
            ports.append(&mut some);
            if !more {
                return Ok(ports);
            }
        }
    }

    /// The port of that name.
    pub async fn port(&mut self, name: &str) -> Result<PortDescription> {
        let ports = self.ports().await?;
        ports
            .into_iter()
            .find(|port| port.name == name)
            .ok_or_else(|| Error::NoSuchPort {
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
        let port = self.port(name).await?;
        let change = self
            .send(message::PORT_MOD, &message::port_mod(&port, config, mask))
            .await?;
        // a change is answered only if it is refused; the barrier is answered after it in any case
        let barrier = self.send(message::BARRIER_REQUEST, &[]).await?;
        loop {
            let reply = self.receive("change of a port").await?;
            match reply.kind {
                message::ERROR if reply.transaction == change || reply.transaction == barrier => {
                    return Err(self.refused("change of a port", &reply.body));
                }
                message::BARRIER_REPLY if reply.transaction == barrier => return Ok(()),
                _ => self.aside(&reply).await?,
            }
        }
    }

    async fn answer(
        &mut self,
        transaction: u32,
        kind: u8,
        request: &'static str,
    ) -> Result<Message> {
        loop {
            let reply = self.receive(request).await?;
            if reply.transaction == transaction && reply.kind == kind {
                return Ok(reply);
            }
            if reply.transaction == transaction && reply.kind == message::ERROR {
                return Err(self.refused(request, &reply.body));
            }
            self.aside(&reply).await?;
        }
    }

    /// Takes a message that is no answer: echo requests want one, port status and the like do not.
    async fn aside(&mut self, message: &Message) -> Result<()> {
        if message.kind == message::ECHO_REQUEST {
            let echo = message::encode(message::ECHO_REPLY, message.transaction, &message.body);
            self.write(&echo).await?;
        }
        Ok(())
    }

    async fn send(&mut self, kind: u8, body: &[u8]) -> Result<u32> {
        self.transaction = self.transaction.wrapping_add(1);
        self.write(&message::encode(kind, self.transaction, body))
            .await?;
        Ok(self.transaction)
    }

    async fn write(&mut self, bytes: &[u8]) -> Result<()> {
        match timeout(LIMIT, self.stream.write_all(bytes)).await {
            Ok(written) => written.map_err(|source| self.io(source)),
            Err(_) => Err(Error::TimedOut {
                path: self.path.clone(),
                request: "any message",
            }),
        }
    }

    async fn receive(&mut self, request: &'static str) -> Result<Message> {
        match timeout(LIMIT, self.read_message()).await {
            Ok(read) => read,
            Err(_) => Err(Error::TimedOut {
                path: self.path.clone(),
                request,
            }),
        }
    }

    async fn read_message(&mut self) -> Result<Message> {
        let mut header = [0; message::HEADER];
        let read = self.stream.read_exact(&mut header).await;
        read.map_err(|source| self.io(source))?;
        let (mut message, length) =
            message::parse_header(header).map_err(|detail| self.protocol(detail))?;
        message.body = vec![0; length];
        let read = self.stream.read_exact(&mut message.body).await;
        read.map_err(|source| self.io(source))?;
        Ok(message)
    }

    fn refused(&self, request: &'static str, body: &[u8]) -> Error {
        let word = |at: usize| {
            body.get(at..at + 2)
                .map_or(u16::MAX, |two| u16::from_be_bytes([two[0], two[1]]))
        };
        Error::Refused {
            path: self.path.clone(),
            request,
            kind: word(0),
            code: word(2),
        }
    }

    fn io(&self, source: io::Error) -> Error {
        Error::Io {
            path: self.path.clone(),
            source,
        }
    }

    fn protocol(&self, detail: String) -> Error {
        Error::Protocol {
            path: self.path.clone(),
            detail,
        }
    }
}
