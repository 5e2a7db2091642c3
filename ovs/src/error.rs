//! What can go wrong between berth and the switch, and which of it is worth another try.
use std::io;
use std::path::PathBuf;
use std::time::Duration;

use crate::bridge::Datapath;
use crate::port::ExternalIds;

/// Result of everything that talks to OVSDB.
pub type Result<T> = std::result::Result<T, Error>;

/// A failure of the database connection, of a transaction, or of the switch behind it.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// cannot connect to the socket
    #[error("cannot connect to the Open vSwitch socket {}: {source}", path.display())]
    Connect {
        /// the socket
        path: PathBuf,
        /// what the kernel said
        source: io::Error,
    },
    /// the connection ended with the request unanswered; whether it was carried out is unknown
    #[error("connection to {} closed: {reason}", path.display())]
    Closed {
        /// the socket
        path: PathBuf,
        /// end of file, or the I/O error
        reason: String,
    },
    /// the server sent something that is not OVSDB; the connection is dropped
    #[error("server at {} broke the protocol: {detail}", path.display())]
    Protocol {
        /// the socket
        path: PathBuf,
        /// what was wrong, and where in the stream
        detail: String,
    },
    /// the server refused a whole request, for example for an unknown database
    #[error("server at {} refused {method}: {error}", path.display())]
    Refused {
        /// the socket
        path: PathBuf,
        /// JSON-RPC method
        method: String,
        /// the server's error, as JSON unless it is a plain string
        error: String,
    },
    /// an operation of a transaction failed, and so none of it was carried out
    #[error("OVSDB operation {op} ({what}) failed: {error}: {details}")]
    Transaction {
        /// index of the operation; one past the last when the commit itself failed
        op: usize,
        /// the operation and its table, as in `insert Port`, or `commit`
        what: String,
        /// OVSDB's error word, such as `constraint violation`
        error: String,
        /// OVSDB's explanation, possibly empty
        details: String,
    },
    /// a column has a value that berth cannot read
    #[error("OVSDB value of {table}.{column} is {found}, expected {expected}")]
    Column {
        /// table of the row
        table: &'static str,
        /// name of the column
        column: String,
        /// what was wanted
        expected: &'static str,
        /// what was there, in OVSDB's notation, or `absent`
        found: String,
    },
    /// the server gave no answer in time
    #[error("no answer from {} to {method} within {} ms", path.display(), after.as_millis())]
    TimedOut {
        /// the socket
        path: PathBuf,
        /// JSON-RPC method
        method: String,
        /// how long berth waited
        after: Duration,
    },
    /// the database has no bridge of that name
    #[error("bridge {bridge} does not exist")]
    NoSuchBridge {
        /// name of the bridge
        bridge: String,
    },
    /// the database has no port or interface of that name
    #[error("port {name} does not exist")]
    NoSuchPort {
        /// name of the port
        name: String,
    },
    /// a port or interface of that name is there already
    #[error("port {name} exists already, with external_ids {owner:?}")]
    PortExists {
        /// name of the port
        name: String,
        /// its external_ids, that say whose it is
        owner: ExternalIds,
    },
    /// a bridge is there, but of the other datapath type
    #[error("bridge {bridge} has a {found} datapath, wanted {wanted}")]
    DatapathMismatch {
        /// name of the bridge
        bridge: String,
        /// datapath asked for
        wanted: Datapath,
        /// datapath it has
        found: Datapath,
    },
    /// ovs-vswitchd looked at the new port and could not make it; its row is removed again
    #[error("ovs-vswitchd cannot add port {name}: {error}")]
    PortRefused {
        /// name of the port
        name: String,
        /// vswitchd's words from `Interface.error`
        error: String,
    },
    /// ovs-vswitchd did not take up a change in time (it is not running, or restarting)
    #[error("ovs-vswitchd did not take up {what} within {} ms", waited.as_millis())]
    Unanswered {
        /// the change, as in `port brt0123456789ab`
        what: String,
        /// how long berth waited
        waited: Duration,
    },
    /// a change failed, and undoing it failed too: the row is still there
    #[error("{cause}; and port {name} could not be removed again: {undo}")]
    NotUndone {
        /// name of the port that is left
        name: String,
        /// why the change failed
        cause: Box<Error>,
        /// why it is still there
        undo: Box<Error>,
    },
}

impl Error {
    /// True if the same call may well succeed in a moment: the database or vswitchd is away or busy.
    pub fn is_retryable(&self) -> bool {
        match self {
            Error::Connect { .. }
            | Error::Closed { .. }
            | Error::TimedOut { .. }
            | Error::Unanswered { .. } => true,
            Error::NotUndone { cause, .. } => cause.is_retryable(),
            _ => false,
        }
    }
}
