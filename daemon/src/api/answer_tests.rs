//! Paths, methods and what is served where.

use std::path::PathBuf;

use super::*;
use crate::board::Identity;
use crate::report::{Event, EventKind, StatusReport};

fn source() -> Source {
    let board = Board::new(Identity::default(), "/s");
    board.event(EventKind::Started, "berthd", "", None);
    board.event(EventKind::Pass, "", "", None);
    let nowhere = PathBuf::from("/nonexistent");
    let scope = doctor::Scope {
        state_dir: nowhere.clone(),
        ovsdb: nowhere.clone(),
        ipam_dir: nowhere.clone(),
        cni_dir: nowhere,
    };
    Source {
        board: Arc::new(board),
        scope: Arc::new(scope),
    }
}

async fn status_of(source: &Source, surface: Surface, path: &str) -> u16 {
    answer(source, surface, "GET", path).await.status
}

#[tokio::test]
async fn the_control_socket_tells_all_and_the_addresses_only_their_own() {
    let source = source();
    source.board.facts().passes.full = 1;
    for (path, control, health, metrics) in [
        ("/v1/status", 200, 404, 404),
        ("/v1/ports", 200, 404, 404),
        ("/v1/events", 200, 404, 404),
        ("/healthz", 200, 200, 404),
        ("/livez", 200, 200, 404),
        ("/readyz", 200, 200, 404),
        ("/metrics", 200, 404, 200),
        ("/", 404, 404, 404),
    ] {
        assert_eq!(status_of(&source, Surface::Control, path).await, control);
        assert_eq!(status_of(&source, Surface::Health, path).await, health);
        assert_eq!(status_of(&source, Surface::Metrics, path).await, metrics);
    }
}

#[tokio::test]
async fn before_the_first_pass_it_lives_but_is_not_ready() {
    let source = source();
    assert_eq!(status_of(&source, Surface::Health, "/livez").await, 200);
    let ready = answer(&source, Surface::Health, "GET", "/readyz").await;
    assert_eq!(ready.status, 503);
    assert_eq!(ready.body, "the first pass has not ended\n");
    assert_eq!(status_of(&source, Surface::Health, "/healthz").await, 503);
}

#[tokio::test]
async fn probes_are_counted_by_their_answers() {
    let source = source();
    for path in ["/healthz", "/livez", "/livez", "/readyz"] {
        status_of(&source, Surface::Health, path).await;
    }
    let probes = &source.board.facts().counts.probes;
    let counted: Vec<_> = probes.iter().map(|(of, count)| (*of, *count)).collect();
    assert_eq!(
        counted,
        [((Probe::Healthz, 503), 1), ((Probe::Livez, 200), 2)]
    );
}

#[tokio::test]
async fn only_reading_is_allowed() {
    let answer = answer(&source(), Surface::Control, "POST", "/v1/status").await;
    assert_eq!(answer.status, 405);
}

#[tokio::test]
async fn events_are_given_from_a_number_on() {
    let source = source();
    let body = answer(&source, Surface::Control, "GET", "/v1/events?after=1").await;
    let events: Vec<Event> = serde_json::from_str(&body.body).expect("events");
    assert_eq!(events.len(), 1);
    assert_eq!(events[0].kind, EventKind::Pass);
    let bad = answer(&source, Surface::Control, "GET", "/v1/events?after=x").await;
    assert_eq!(
        (bad.status, bad.body.as_str()),
        (400, "after \"x\": must be a number\n")
    );
}

#[tokio::test]
async fn the_status_document_reads_back() {
    let body = answer(&source(), Surface::Control, "GET", "/v1/status").await;
    let status: StatusReport = serde_json::from_str(&body.body).expect("status");
    assert!(!status.healthy);
    assert_eq!(status.events.len(), 2);
    assert_eq!(status.pid, std::process::id());
}
