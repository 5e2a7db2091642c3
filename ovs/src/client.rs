//! One JSON-RPC connection to an OVSDB server (or to a daemon's control socket, which speaks the same).
//!
//! A task owns the socket: it answers the server's echo requests, hands replies to whoever waits for them
//! by their id and monitor updates to their stream. It never stops reading in order to write, so neither
//! side can block the other.
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use serde_json::{Value as Json, json};
use tokio::net::UnixStream;
use tokio::sync::{mpsc, oneshot};

use crate::connection::{self, Call, Fault};
use crate::error::{Error, Result};
use crate::monitor::{Monitored, RowUpdate, Updates};
use crate::ops::{self, BadReply, Op, OpResult};

/// A connection; clones share it. It closes when the last clone is dropped.
#[derive(Clone, Debug)]
pub struct Client {
    path: Arc<PathBuf>,
    calls: mpsc::UnboundedSender<Call>,
    fault: Arc<OnceLock<Fault>>,
}

impl Client {
    /// How long a request may take beyond the `wait` operations in it.
    pub const LIMIT: Duration = Duration::from_secs(10);

    /// How long to go on knocking at a socket whose queue of connections is full.
    const CROWDED: Duration = Duration::from_secs(10);

    /// Connects to the socket at `path`.
    ///
    /// # Errors
    /// [`Error::Connect`] with the kernel's reason, at once unless the server's queue of new connections is
    /// full: that passes by itself when many plugins start at a time, and is waited out for 10 s.
    pub async fn connect(path: &Path) -> Result<Self> {
        let deadline = tokio::time::Instant::now() + Self::CROWDED;
        let mut pause = Duration::from_millis(1);
        let stream = loop {
            match UnixStream::connect(path).await {
                Ok(stream) => break stream,
                Err(error)
                    if error.kind() == std::io::ErrorKind::WouldBlock
                        && tokio::time::Instant::now() < deadline =>
                {
                    tokio::time::sleep(pause).await;
                    pause = (pause * 2).min(Duration::from_millis(16));
                }
                Err(source) => {
                    return Err(Error::Connect {
                        path: path.to_owned(),
                        source,
                    });
                }
            }
        };
        let fault = Arc::new(OnceLock::new());
        let (calls, queue) = mpsc::unbounded_channel();
        tokio::spawn(connection::run(stream, queue, fault.clone()));
        Ok(Client {
            path: Arc::new(path.to_owned()),
            calls,
            fault,
        })
    }

    /// The socket's path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// True once the connection has ended; every later call fails.
    pub fn is_closed(&self) -> bool {
        self.calls.is_closed()
    }

    /// Why the connection ended, as an error of a call that was under way.
    pub fn ended(&self) -> Error {
        let path = self.path.to_path_buf();
        match self.fault.get() {
            Some(Fault::Protocol(detail)) => Error::Protocol {
                path,
                detail: detail.clone(),
            },
            Some(Fault::Closed(reason)) => Error::Closed {
                path,
                reason: reason.clone(),
            },
            None => Error::Closed {
                path,
                reason: "its task was stopped".to_owned(),
            },
        }
    }

    /// Runs the operations as one transaction of database `db`: all of them, or none.
    ///
    /// # Errors
    /// [`Error::Transaction`] names the operation that failed. After [`Error::Closed`] or
    /// [`Error::TimedOut`] it is unknown whether the transaction was carried out.
    pub async fn transact(&self, db: &str, operations: &[Op]) -> Result<Vec<OpResult>> {
        let mut params = Vec::with_capacity(operations.len() + 1);
        params.push(Json::from(db));
        params.extend(operations.iter().map(Op::to_json));
        let waits: Duration = operations.iter().filter_map(Op::timeout).sum();
        let reply = self
            .call(
                "transact",
                Json::Array(params),
                Self::LIMIT.saturating_add(waits),
            )
            .await?;
        ops::results(operations, reply).map_err(|bad| match bad {
            BadReply::Failed(error) => error,
            BadReply::Malformed(detail) => self.protocol(detail),
        })
    }

    /// Asks for the named columns of tables, and for every later change to them. Gives the rows there are,
    /// and the stream of what follows. `id` tells monitors of one connection apart.
    pub async fn monitor(
        &self,
        db: &str,
        id: &str,
        tables: Vec<Monitored>,
    ) -> Result<(Vec<RowUpdate>, Updates)> {
        let requests: serde_json::Map<String, Json> = tables
            .iter()
            .map(|table| {
                (
                    table.table.to_owned(),
                    json!([{ "columns": table.columns }]),
                )
            })
            .collect();
        let (sender, receiver) = mpsc::unbounded_channel();
        let initial = self
            .send(
                "monitor",
                json!([db, id, requests]),
                Self::LIMIT,
                Some((id.to_owned(), sender)),
            )
            .await?;
        let updates = Updates::new(tables, receiver);
        let initial = updates
            .decode(initial)
            .map_err(|detail| self.protocol(detail))?;
        Ok((initial, updates))
    }

    /// The schema of database `db`.
    pub async fn get_schema(&self, db: &str) -> Result<Json> {
        self.call("get_schema", json!([db]), Self::LIMIT).await
    }

    /// Asks the server for a sign of life within `limit`.
    pub async fn echo(&self, limit: Duration) -> Result<()> {
        self.call("echo", json!(["berth"]), limit).await.map(drop)
    }

    /// Any request: gives the reply's `result`, or its `error` as [`Error::Refused`].
    pub async fn call(&self, method: &str, params: Json, limit: Duration) -> Result<Json> {
        self.send(method, params, limit, None).await
    }

    async fn send(
        &self,
        method: &str,
        params: Json,
        limit: Duration,
        monitor: Option<(String, mpsc::UnboundedSender<Json>)>,
    ) -> Result<Json> {
        let (reply, answer) = oneshot::channel();
        let call = Call {
            method: method.to_owned(),
            params,
            reply,
            monitor,
        };
        self.calls.send(call).map_err(|_| self.ended())?;
        match tokio::time::timeout(limit, answer).await {
            Ok(Ok(Ok(result))) => Ok(result),
            Ok(Ok(Err(error))) => Err(Error::Refused {
                path: self.path.to_path_buf(),
                method: method.to_owned(),
                error: match error {
                    Json::String(text) => text,
                    other => other.to_string(),
                },
            }),
            Ok(Err(_)) => Err(self.ended()),
            Err(_) => Err(Error::TimedOut {
                path: self.path.to_path_buf(),
                method: method.to_owned(),
                after: limit,
            }),
        }
    }

    /// The error for a reply that has not the shape it must have.
    pub(crate) fn protocol(&self, detail: String) -> Error {
        Error::Protocol {
            path: self.path.to_path_buf(),
            detail,
        }
    }
}
