//! `berthctl ports`: from the daemon, or from the records alone.

use std::path::Path;

use anyhow::Context;
use attachment::Store;

use super::output::{Format, print};
use super::table::{indented, render};
use super::{HEALTHY, NOT_HEALTHY, state_dir};
use crate::api;
use crate::records;
use crate::report::PortsReport;

/// Asks the daemon; without one reads the records, says so, and counts that as not healthy.
pub async fn run(socket: &Path, format: Format) -> anyhow::Result<(String, u8)> {
    let report = match api::get(socket, "/v1/ports").await {
        Ok(body) => {
            serde_json::from_slice(&body).context("the daemon's answer is of another version")?
        }
        Err(error) => {
            let state_dir = state_dir(socket);
            eprintln!(
                "berthctl: {error}; from the records in {} alone, so their state is unknown",
                state_dir.display()
            );
            from_records(&state_dir)?
        }
    };
    let exit = if report.healthy() && report.source == "daemon" {
        HEALTHY
    } else {
        NOT_HEALTHY
    };
    Ok((print(format, &report, table)?, exit))
}

fn from_records(state_dir: &Path) -> anyhow::Result<PortsReport> {
    let listing = Store::at(state_dir).list()?;
    Ok(PortsReport {
        source: "records".to_owned(),
        ports: listing.attachments.iter().map(records::report).collect(),
        corrupt_records: listing.broken.iter().map(records::corrupt).collect(),
    })
}

fn table(report: &PortsReport) -> String {
    let rows: Vec<_> = report
        .ports
        .iter()
        .map(|port| {
            [
                port.pod.clone().unwrap_or_default(),
                shortened(&port.container_id),
                port.ifname.clone(),
                port.state.as_str().to_owned(),
                port.strategy.clone(),
                port.bridge.clone().unwrap_or_default(),
                port.port.clone(),
                port.addresses.join(","),
                port.mac.clone().unwrap_or_default(),
                port.mtu.map(|mtu| mtu.to_string()).unwrap_or_default(),
                match port.repairs {
                    0 => String::new(),
                    repairs => repairs.to_string(),
                },
                port.problem.clone().unwrap_or_default(),
            ]
        })
        .collect();
    let mut text = if rows.is_empty() {
        "no attachments\n".to_owned()
    } else {
        render(
            [
                "POD",
                "CONTAINER",
                "INTERFACE",
                "STATE",
                "STRATEGY",
                "BRIDGE",
                "PORT",
                "ADDRESSES",
                "MAC",
                "MTU",
                "REPAIRS",
                "PROBLEM",
            ],
            &rows,
        )
    };
    if !report.corrupt_records.is_empty() {
        text.push_str("records that cannot be read:\n");
        for record in &report.corrupt_records {
            text.push_str(&indented(&record.problem));
        }
    }
    text
}

/// As much of a container id as other tools show.
fn shortened(id: &str) -> String {
    id.chars().take(13).collect()
}

#[cfg(test)]
#[path = "ports_tests.rs"]
mod tests;
