//! The task that owns a JSON-RPC socket: splits and parses what comes, and routes it.
use std::collections::HashMap;
use std::io;
use std::sync::{Arc, OnceLock};

use serde_json::{Value as Json, json};
use tokio::io::Interest;
use tokio::net::UnixStream;
use tokio::sync::{mpsc, oneshot};

use crate::frame::Splitter;
use crate::ops::kind;

/// A request on its way to the server.
#[derive(Debug)]
pub(crate) struct Call {
    pub method: String,
    pub params: Json,
    /// where the reply's result, or its error, goes
    pub reply: oneshot::Sender<std::result::Result<Json, Json>>,
    /// id of the monitor this call starts, and where its updates go
    pub monitor: Option<(String, mpsc::UnboundedSender<Json>)>,
}

/// Why a connection ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// end of file or an I/O error
    Closed(String),
    /// the peer sent what it must not
    Protocol(String),
}

impl From<io::Error> for Fault {
    fn from(error: io::Error) -> Self {
        Fault::Closed(error.to_string())
    }
}

/// Bytes asked of the kernel in one read.
const READ: usize = 64 << 10;

/// Most bytes kept for a peer that does not read; our requests and echo replies are far smaller.
const UNREAD: usize = 64 << 20;

/// Serves the connection until the peer or the last [`Client`](crate::Client) is gone.
pub(crate) async fn run(
    stream: UnixStream,
    queue: mpsc::UnboundedReceiver<Call>,
    fault: Arc<OnceLock<Fault>>,
) {
    let mut connection = Connection {
        stream,
        queue,
        splitter: Splitter::new(),
        output: Vec::new(),
        written: 0,
        next_id: 0,
        waiting: HashMap::new(),
        monitors: HashMap::new(),
    };
    // the reason is there before any waiting call learns that its reply will not come
    if let Err(reason) = connection.serve().await {
        tracing::debug!(?reason, "connection ended");
        let _ = fault.set(reason);
    }
    drop(connection);
}

struct Connection {
    stream: UnixStream,
    queue: mpsc::UnboundedReceiver<Call>,
    splitter: Splitter,
    output: Vec<u8>,
    /// bytes of `output` that the kernel has taken
    written: usize,
    next_id: u64,
    waiting: HashMap<u64, oneshot::Sender<std::result::Result<Json, Json>>>,
    monitors: HashMap<String, mpsc::UnboundedSender<Json>>,
}

impl Connection {
    async fn serve(&mut self) -> std::result::Result<(), Fault> {
        let mut buffer = vec![0; READ];
        loop {
            let interest = if self.output.is_empty() {
                Interest::READABLE
            } else {
                Interest::READABLE | Interest::WRITABLE
            };
            tokio::select! {
                call = self.queue.recv() => match call {
                    Some(call) => self.enqueue(call)?,
                    None => return Ok(()),
                },
                ready = self.stream.ready(interest) => {
                    let ready = ready?;
                    if ready.is_readable() {
                        self.read(&mut buffer)?;
                    }
                }
            }
            self.write()?;
        }
    }

    fn read(&mut self, buffer: &mut [u8]) -> std::result::Result<(), Fault> {
        match self.stream.try_read(buffer) {
            Ok(0) => {
                return Err(Fault::Closed(
                    if self.splitter.is_between_messages() {
                        "end of file"
                    } else {
                        "end of file in the middle of a message"
                    }
                    .to_owned(),
                ));
            }
            Ok(count) => self.splitter.push(&buffer[..count]),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
            Err(error) => return Err(error.into()),
        }
        loop {
            let broken = |error: &dyn std::fmt::Display| Fault::Protocol(error.to_string());
            let message = match self.splitter.next_message() {
                Ok(Some(bytes)) => serde_json::from_slice(bytes)
                    .map_err(|error| broken(&format_args!("message is no JSON: {error}")))?,
                Ok(None) => return Ok(()),
                Err(error) => return Err(broken(&error)),
            };
            self.dispatch(message)?;
        }
    }

    fn write(&mut self) -> std::result::Result<(), Fault> {
        while self.written < self.output.len() {
            match self.stream.try_write(&self.output[self.written..]) {
                Ok(count) => self.written += count,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                // the peer is gone, but what it said before is still to be read, up to the end of file
                Err(error) if error.kind() == io::ErrorKind::BrokenPipe => break,
                Err(error) => return Err(error.into()),
            }
        }
        self.output.clear();
        self.written = 0;
        Ok(())
    }

    fn enqueue(&mut self, call: Call) -> std::result::Result<(), Fault> {
        let id = self.next_id;
        self.next_id += 1;
        self.waiting.insert(id, call.reply);
        // before the request goes out: updates may follow its reply in the same read
        if let Some((name, updates)) = call.monitor {
            self.monitors.insert(name, updates);
        }
        self.say(&json!({ "method": call.method, "params": call.params, "id": id }))
    }

    fn say(&mut self, message: &Json) -> std::result::Result<(), Fault> {
        if self.output.len() - self.written > UNREAD {
            return Err(Fault::Protocol(format!("peer left {UNREAD} bytes unread")));
        }
        serde_json::to_writer(&mut self.output, message)
            .map_err(|error| Fault::Closed(format!("message cannot be written: {error}")))
    }

    fn dispatch(&mut self, message: Json) -> std::result::Result<(), Fault> {
        let Json::Object(mut message) = message else {
            return Err(Fault::Protocol(format!("message is {}", kind(&message))));
        };
        let id = message.remove("id").unwrap_or(Json::Null);
        let params = message.remove("params");
        match message.remove("method") {
            Some(Json::String(method)) => self.asked(&method, params.unwrap_or(Json::Null), id),
            Some(other) => Err(Fault::Protocol(format!(
                "method is {}, expected a string",
                kind(&other)
            ))),
            None => {
                let result = message.remove("result");
                let error = message.remove("error");
                self.answered(id, result, error)
            }
        }
    }

    /// A request or notification of the server's.
    fn asked(&mut self, method: &str, params: Json, id: Json) -> std::result::Result<(), Fault> {
        match method {
            "echo" if !id.is_null() => {
                self.say(&json!({ "id": id, "result": params, "error": null }))
            }
            "update" => {
                let Json::Array(params) = params else {
                    return Err(Fault::Protocol(format!(
                        "params of update are {}",
                        kind(&params)
                    )));
                };
                let mut params = params.into_iter();
                match (params.next(), params.next()) {
                    (Some(Json::String(name)), Some(tables)) => {
                        // nobody listens any more once the stream was dropped
                        if self
                            .monitors
                            .get(&name)
                            .is_some_and(|updates| updates.send(tables).is_err())
                        {
                            self.monitors.remove(&name);
                        }
                        Ok(())
                    }
                    _ => Err(Fault::Protocol(
                        "params of update are not a monitor and its tables".to_owned(),
                    )),
                }
            }
            _ if id.is_null() => {
                tracing::debug!(method, "notification ignored");
                Ok(())
            }
            _ => self.say(&json!({ "id": id, "result": null, "error": "unknown method" })),
        }
    }

    fn answered(
        &mut self,
        id: Json,
        result: Option<Json>,
        error: Option<Json>,
    ) -> std::result::Result<(), Fault> {
        let reply = id
            .as_u64()
            .and_then(|id| self.waiting.remove(&id))
            .ok_or_else(|| Fault::Protocol(format!("reply to request {id}, which is not open")))?;
        let answer = match (result, error) {
            (_, Some(error)) if !error.is_null() => Err(error),
            (Some(result), _) => Ok(result),
            (None, _) => {
                return Err(Fault::Protocol(format!(
                    "reply to request {id} has neither result nor error"
                )));
            }
        };
        // a caller that gave up waiting is no fault
        let _ = reply.send(answer);
        Ok(())
    }
}
