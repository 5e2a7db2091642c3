//! `berthctl services` and `berthctl backends`.

use std::path::Path;

use anyhow::{Context, bail};

use super::output::{Format, print};
use super::table::{indented, render};
use super::{HEALTHY, NOT_HEALTHY};
use crate::api;
use crate::services::report::{ServicePortReport, ServiceReport, ServicesReport};

/// All Services, or the one called `name` (`NAMESPACE/NAME`).
pub async fn run(
    socket: &Path,
    format: Format,
    name: Option<&str>,
) -> anyhow::Result<(String, u8)> {
    let mut report = ask(socket).await?;
    if let Some(name) = name {
        report.services.retain(|service| service.name == name);
        if report.services.is_empty() {
            bail!("there is no Service {name}");
        }
    }
    let exit = exit(&report);
    Ok((print(format, &report, services)?, exit))
}

/// The endpoints of all Services.
pub async fn backends(socket: &Path, format: Format) -> anyhow::Result<(String, u8)> {
    let report = ask(socket).await?;
    let exit = exit(&report);
    Ok((print(format, &report, endpoints)?, exit))
}

async fn ask(socket: &Path) -> anyhow::Result<ServicesReport> {
    let body = api::get(socket, "/v1/services").await?;
    serde_json::from_slice(&body).context("the daemon's answer is of another version")
}

fn exit(report: &ServicesReport) -> u8 {
    if report.problems.is_empty() {
        HEALTHY
    } else {
        NOT_HEALTHY
    }
}

/// The ports of all Services with the Service each is of.
fn ports(report: &ServicesReport) -> impl Iterator<Item = (&ServiceReport, &ServicePortReport)> {
    let of = |service| move |port| (service, port);
    report
        .services
        .iter()
        .flat_map(move |service| service.ports.iter().map(of(service)))
}

fn port_name(port: &ServicePortReport) -> String {
    let name = match port.name.as_str() {
        "" => String::new(),
        name => format!(" ({name})"),
    };
    format!("{}/{}{name}", port.port, port.protocol)
}

fn services(report: &ServicesReport) -> String {
    let mut rows = Vec::new();
    for (service, port) in ports(report) {
        let policies = match (
            service.internal_policy.as_str(),
            service.external_policy.as_str(),
        ) {
            ("Cluster", "Cluster") => String::new(),
            (internal, external) => format!("internal {internal}, external {external}"),
        };
        let affinity = match service.affinity_seconds {
            0 => String::new(),
            seconds => format!("{seconds} s"),
        };
        for frontend in &port.frontends {
            rows.push([
                service.name.clone(),
                port_name(port),
                frontend.origin.clone(),
                frontend.address.clone(),
                frontend.port.to_string(),
                frontend.inside.to_string(),
                policies.clone(),
                affinity.clone(),
            ]);
        }
        if port.frontends.is_empty() {
            let mut row: [String; 8] = Default::default();
            row[0].clone_from(&service.name);
            row[1] = port_name(port);
            row[2] = "nothing".to_owned();
            rows.push(row);
        }
    }
    let mut text = if rows.is_empty() {
        "no Services\n".to_owned()
    } else {
        render(
            [
                "SERVICE", "PORT", "TYPE", "ADDRESS", "AT", "BACKENDS", "POLICY", "AFFINITY",
            ],
            &rows,
        )
    };
    with_problems(report, &mut text);
    text
}

fn endpoints(report: &ServicesReport) -> String {
    let mut rows = Vec::new();
    for (service, port) in ports(report) {
        for backend in &port.backends {
            rows.push([
                service.name.clone(),
                port_name(port),
                backend.address.clone(),
                backend.port.to_string(),
                backend.state.clone(),
                backend.node.clone().unwrap_or_default(),
                backend.slice.clone(),
            ]);
        }
    }
    let mut text = if rows.is_empty() {
        "no backends\n".to_owned()
    } else {
        let head = ["SERVICE", "PORT", "ADDRESS", "AT", "STATE", "NODE", "FROM"];
        render(head, &rows)
    };
    with_problems(report, &mut text);
    text
}

fn with_problems(report: &ServicesReport, text: &mut String) {
    if !report.problems.is_empty() {
        text.push_str("not as asked for:\n");
        for problem in &report.problems {
            text.push_str(&indented(problem));
        }
    }
}
