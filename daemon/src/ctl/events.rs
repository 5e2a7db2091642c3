//! `berthctl events`.

use std::path::Path;

use anyhow::Context;

use super::HEALTHY;
use super::output::{Format, print};
use super::table::render;
use crate::api;
use crate::clock;
use crate::report::Event;

/// Asks the daemon.
pub async fn run(socket: &Path, format: Format, after: u64) -> anyhow::Result<(String, u8)> {
    let body = api::get(socket, &format!("/v1/events?after={after}")).await?;
    let events: Vec<Event> =
        serde_json::from_slice(&body).context("the daemon's answer is of another version")?;
    let text = print(format, &events, |events| table(events))?;
    Ok((text, HEALTHY))
}

/// The events as lines; times are UTC.
pub fn table(events: &[Event]) -> String {
    let rows: Vec<_> = events
        .iter()
        .map(|event| {
            [
                clock::time_of_day(event.at_us),
                event.kind.as_str().to_owned(),
                event.subject.clone(),
                event
                    .took_ms
                    .map(|ms| format!("{ms:.1} ms"))
                    .unwrap_or_default(),
                event.detail.clone(),
            ]
        })
        .collect();
    render(["TIME", "EVENT", "WHAT", "TOOK", "DETAIL"], &rows)
}
