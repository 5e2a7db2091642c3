//! `berthctl doctor`.

use std::path::Path;

use anyhow::Context;

use super::output::{Format, print};
use super::{HEALTHY, NOT_HEALTHY};
use crate::api;
use crate::doctor::{self, Scope};
use crate::report::DoctorReport;

/// Asks the daemon, which sees what pods see; without one looks by itself.
pub async fn run(socket: &Path, format: Format, scope: &Scope) -> anyhow::Result<(String, u8)> {
    let report = match api::get(socket, "/v1/doctor").await {
        Ok(body) => {
            serde_json::from_slice(&body).context("the daemon's answer is of another version")?
        }
        Err(_) => doctor::examine(scope, None).await,
    };
    let exit = if report.healthy { HEALTHY } else { NOT_HEALTHY };
    Ok((print(format, &report, table)?, exit))
}

fn table(report: &DoctorReport) -> String {
    let mut text = String::new();
    for finding in &report.findings {
        text.push_str(&format!(
            "{:<7}  {}: {}\n         {}\n         do: {}\n",
            finding.severity.as_str().to_uppercase(),
            finding.check,
            finding.subject,
            finding.problem,
            finding.advice
        ));
    }
    let checks = report.checks.len();
    text.push_str(&match report.findings.len() {
        0 => format!("{checks} checks, nothing found\n"),
        found => format!("{checks} checks, {found} findings\n"),
    });
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::{Finding, Severity};

    #[test]
    fn a_finding_reads_like_this() {
        let finding = Finding {
            check: "vswitchd".to_owned(),
            severity: Severity::Error,
            subject: "/s".to_owned(),
            problem: "it does not run".to_owned(),
            advice: "start it".to_owned(),
        };
        let report = DoctorReport::new("daemon", vec!["vswitchd".to_owned()], vec![finding]);
        let expected = "\
ERROR    vswitchd: /s
         it does not run
         do: start it
1 checks, 1 findings
";
        assert_eq!(table(&report), expected);
    }
}
