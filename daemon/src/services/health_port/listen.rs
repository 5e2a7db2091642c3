//! The sockets of health checks: opened and closed as Services and addresses come and go.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use hyper::header::{HeaderName, HeaderValue, X_CONTENT_TYPE_OPTIONS};
use tokio::net::TcpListener;
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::{sleep, timeout};

use super::Wanted;
use crate::api::{Answer, converse};
use crate::services::object::Name;
use crate::services::pulse::Pulse;

/// How often a socket that cannot be opened is tried again: its port may be in use for a moment, or its address be
/// one that IPv6 is still checking for duplicates.
const TRY_AGAIN: Duration = Duration::from_secs(2);

/// Connections served at once on one socket; more wait in the kernel's queue.
const CONNECTIONS: usize = 64;

/// How long one request may take, so that the slow do not keep the others out.
const LIMIT: Duration = Duration::from_secs(5);

/// Pause after an error of accept, which is most often a lack of file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// What weighted balancers go by.
const WEIGHT: HeaderName = HeaderName::from_static("x-load-balancing-endpoint-weight");

/// Keeps the sockets as they are wanted, for ever.
pub async fn keep(pulse: Arc<Pulse>) {
    let mut wanted = pulse.wanted();
    let mut open = Open::default();
    loop {
        let now = wanted.borrow_and_update().clone();
        let closed = open.become_as(&now, &pulse).await;
        let is_whole = closed.is_empty();
        pulse.set_closed(closed);
        // The sender is in the pulse, which is here.
        if is_whole {
            wanted.changed().await.ok();
        } else {
            timeout(TRY_AGAIN, wanted.changed()).await.ok();
        }
    }
}

/// The open sockets. A port that goes from one Service to another keeps its own: what is answered is looked up at
/// each request.
#[derive(Debug, Default)]
struct Open {
    sockets: BTreeMap<SocketAddr, JoinHandle<()>>,
    /// What was told of already.
    told: BTreeSet<String>,
}

impl Open {
    /// Closes what is not wanted any more, with its connections, and opens what is. Tells what cannot be opened.
    async fn become_as(
        &mut self,
        wanted: &Wanted,
        pulse: &Arc<Pulse>,
    ) -> BTreeMap<Name, Vec<String>> {
        let places = |port: u16| {
            let addresses = wanted.addresses.iter();
            addresses.map(move |ip| SocketAddr::new(*ip, port))
        };
        let all: BTreeSet<SocketAddr> = wanted.checks.keys().copied().flat_map(places).collect();
        let gone: Vec<_> = self
            .sockets
            .extract_if(.., |at, task| !all.contains(at) || task.is_finished())
            .collect();
        for (at, task) in gone {
            task.abort();
            // Till it has ended it has the port.
            task.await.ok();
            tracing::debug!(%at, "health check port closed");
        }
        let mut closed: BTreeMap<Name, Vec<String>> = BTreeMap::new();
        let mut told = BTreeSet::new();
        for (port, check) in &wanted.checks {
            for at in places(*port) {
                if self.sockets.contains_key(&at) {
                    continue;
                }
                match TcpListener::bind(at).await {
                    Ok(listener) => {
                        tracing::debug!(%at, service = check.service, "health check port opened");
                        let task = tokio::spawn(accept(listener, at, pulse.clone()));
                        self.sockets.insert(at, task);
                    }
                    Err(error) => {
                        let line = format!("spec.healthCheckNodePort: {at}: {error}");
                        if !self.told.contains(&line) {
                            tracing::warn!(service = check.service, %at, %error, "health check port cannot be opened");
                        }
                        told.insert(line.clone());
                        closed.entry(check.service.clone()).or_default().push(line);
                    }
                }
            }
        }
        self.told = told;
        closed
    }
}

/// Serves a socket until it is aborted, which ends its connections too.
async fn accept(listener: TcpListener, at: SocketAddr, pulse: Arc<Pulse>) {
    let mut served = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept(), if served.len() < CONNECTIONS => match accepted {
                Ok((stream, _)) => {
                    let pulse = pulse.clone();
                    let answer = move |_| std::future::ready(answer(&pulse, at));
                    served.spawn(timeout(LIMIT, converse(stream, false, answer)));
                }
                Err(error) => pause(&error).await,
            },
            Some(_) = served.join_next() => {}
        }
    }
}

async fn pause(error: &io::Error) {
    tracing::warn!(%error, "cannot accept a health check");
    sleep(ACCEPT_PAUSE).await;
}

/// The answer to whatever is asked, by any path and method, as with kube-proxy.
fn answer(pulse: &Pulse, at: SocketAddr) -> Answer {
    let Some(verdict) = pulse.verdict(at.port(), at.is_ipv4()) else {
        // Its Service went a moment ago.
        return Answer::text(503, "no Service is asked about at this port");
    };
    Answer {
        status: if verdict.is_good { 200 } else { 503 },
        content_type: "application/json",
        headers: vec![
            (X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
            (WEIGHT, HeaderValue::from(verdict.weight)),
        ],
        body: verdict.body,
    }
}

#[cfg(test)]
mod tests;
