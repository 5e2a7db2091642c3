//! Which path answers what.

use std::sync::Arc;
use std::time::Instant;

use hyper::header::{HeaderName, HeaderValue};
use serde::Serialize;

use super::view;
use crate::board::Board;
use crate::doctor;
use crate::health;
use crate::metrics::{self, Probe};
use crate::services;
use crate::services::program::Services;

/// Where a request came in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Surface {
    /// The control socket, which only root can open.
    Control,
    /// The health address.
    Health,
    /// The metrics address.
    Metrics,
}

/// What requests are answered from.
#[derive(Debug, Clone)]
pub struct Source {
    /// The facts.
    pub board: Arc<Board>,
    /// What the doctor looks at.
    pub scope: Arc<doctor::Scope>,
}

/// An answer.
#[derive(Debug, PartialEq, Eq)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// The media type.
    pub content_type: &'static str,
    /// More headers.
    pub headers: Vec<(HeaderName, HeaderValue)>,
    /// The text.
    pub body: String,
}

const TEXT: &str = "text/plain; charset=utf-8";

impl Answer {
    /// An answer in words.
    pub(crate) fn text(status: u16, body: impl Into<String>) -> Self {
        let mut body = body.into();
        body.push('\n');
        Self {
            status,
            content_type: TEXT,
            headers: Vec::new(),
            body,
        }
    }

    fn json(document: &impl Serialize) -> Self {
        match serde_json::to_string(document) {
            Ok(body) => Self {
                status: 200,
                content_type: "application/json",
                headers: Vec::new(),
                body,
            },
            Err(error) => Self::text(500, error.to_string()),
        }
    }

    /// 200 when there is nothing to complain about, else 503 and the complaints.
    fn health(problems: &[String]) -> Self {
        if problems.is_empty() {
            Self::text(200, "ok")
        } else {
            Self::text(503, problems.join("\n"))
        }
    }
}

/// Answers a request.
pub async fn answer(source: &Source, surface: Surface, method: &str, target: &str) -> Answer {
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let control = surface == Surface::Control;
    let healthy = control || surface == Surface::Health;
    let known = match path {
        "/v1/status" | "/v1/ports" | "/v1/services" | "/v1/events" | "/v1/doctor" => control,
        "/healthz" | "/livez" | "/readyz" => healthy,
        "/metrics" => control || surface == Surface::Metrics,
        _ => false,
    };
    if !known {
        return Answer::text(404, format!("no such path: {path}"));
    }
    if method != "GET" && method != "HEAD" {
        return Answer::text(405, format!("method {method} is not allowed, only GET is"));
    }
    if path == "/v1/doctor" {
        return Answer::json(&doctor::examine(&source.scope, Some(&source.board)).await);
    }
    if path == "/v1/services" {
        return match source.board.services() {
            Some(services) => Answer::json(&services::view::services(services)),
            None => Answer::text(404, "Services are not programmed: --services is none"),
        };
    }
    let services = source.board.services().map(AsRef::as_ref);
    let pulse = services.map(Services::pulse);
    let now = Instant::now();
    let mut facts = source.board.facts();
    match path {
        "/v1/status" => Answer::json(&view::status(&facts, services)),
        "/v1/ports" => Answer::json(&view::ports(&facts)),
        "/v1/events" => match after(query) {
            Ok(after) => Answer::json(&facts.timeline.after(after)),
            Err(value) => Answer::text(400, format!("after {value:?}: must be a number")),
        },
        "/healthz" => {
            let mut problems = health::node_problems(&facts, now);
            problems.extend(pulse.into_iter().flat_map(|pulse| pulse.problems(now)));
            let answer = Answer::health(&problems);
            facts.counts.probe(Probe::Healthz, answer.status);
            answer
        }
        // A new process does not help a node that is to go.
        "/livez" => {
            let mut problems = Vec::from_iter(health::not_alive(&facts, now));
            problems.extend(pulse.and_then(|pulse| pulse.late(now)));
            let answer = Answer::health(&problems);
            facts.counts.probe(Probe::Livez, answer.status);
            answer
        }
        "/readyz" => Answer::health(&Vec::from_iter(health::not_ready(&facts))),
        _ => Answer {
            status: 200,
            content_type: "text/plain; version=0.0.4; charset=utf-8",
            headers: Vec::new(),
            body: metrics::render(&facts.counts, &view::gauges(&facts, services)),
        },
    }
}

/// The sequence number in `after=N`; 0 when there is none.
fn after(query: &str) -> Result<u64, &str> {
    match query
        .split('&')
        .find_map(|pair| pair.strip_prefix("after="))
    {
        None => Ok(0),
        Some(value) => value.parse().map_err(|_| value),
    }
}

#[cfg(test)]
#[path = "answer_tests.rs"]
mod tests;
