//! Asks a daemon through its control socket.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use http_body_util::{BodyExt, Empty};
use hyper::Request;
use hyper::body::Bytes;
use hyper_util::rt::TokioIo;
use tokio::net::UnixStream;

/// The daemon answers from memory; only the doctor takes seconds.
const LIMIT: Duration = Duration::from_secs(30);

/// Why the daemon's answer cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// nobody listens on the socket
    #[error("berthd does not answer at {}: {source}", path.display())]
    Connect {
        /// The socket.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// the conversation broke off
    #[error("berthd at {} broke off: {source}", path.display())]
    Http {
        /// The socket.
        path: PathBuf,
        /// What went wrong.
        source: hyper::Error,
    },
    /// no answer in time
    #[error("berthd at {} has not answered {target} within {} s", path.display(), LIMIT.as_secs())]
    TimedOut {
        /// The socket.
        path: PathBuf,
        /// What was asked.
        target: String,
    },
    /// an answer other than 200
    #[error("berthd at {} answered {target} with {status}: {body}", path.display())]
    Refused {
        /// The socket.
        path: PathBuf,
        /// What was asked.
        target: String,
        /// The HTTP status.
        status: u16,
        /// The answer.
        body: String,
    },
}

/// The body of the answer to `GET target`.
pub async fn get(socket: &Path, target: &str) -> Result<Bytes, ClientError> {
    tokio::time::timeout(LIMIT, ask(socket, target))
        .await
        .unwrap_or_else(|_| {
            Err(ClientError::TimedOut {
                path: socket.to_owned(),
                target: target.to_owned(),
            })
        })
}

async fn ask(socket: &Path, target: &str) -> Result<Bytes, ClientError> {
    let stream = UnixStream::connect(socket)
        .await
        .map_err(|source| ClientError::Connect {
            path: socket.to_owned(),
            source,
        })?;
    let broke_off = |source| ClientError::Http {
        path: socket.to_owned(),
        source,
    };
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
        .await
        .map_err(broke_off)?;
    let request = Request::get(target)
        .header(hyper::header::HOST, "berth")
        .body(Empty::<Bytes>::new())
        .expect("the targets are constant paths");
    // Drives the exchange and ends with it.
    tokio::spawn(connection);
    let response = sender.send_request(request).await.map_err(broke_off)?;
    let status = response.status().as_u16();
    let body = response.into_body().collect().await.map_err(broke_off)?;
    let body = body.to_bytes();
    if status == 200 {
        Ok(body)
    } else {
        Err(ClientError::Refused {
            path: socket.to_owned(),
            target: target.to_owned(),
            status,
            body: String::from_utf8_lossy(&body).trim_end().to_owned(),
        })
    }
}
