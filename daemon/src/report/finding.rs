//! What `berthctl doctor` finds.

use serde::{Deserialize, Serialize};

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Severity {
    /// Good to know; nothing needs to be done.
    Note,
    /// Works now, will not always.
    Warning,
    /// Pods are without network, or new ones cannot start.
    Error,
}

impl Severity {
    /// The word used in JSON and tables.
    pub fn as_str(self) -> &'static str {
        match self {
            Severity::Note => "note",
            Severity::Warning => "warning",
            Severity::Error => "error",
        }
    }
}

/// One thing that is not as it should be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Finding {
    /// The check that found it; a stable word.
    pub check: String,
    /// How bad it is.
    pub severity: Severity,
    /// Which port, file, device or process.
    pub subject: String,
    /// What is wrong.
    pub problem: String,
    /// What to do.
    pub advice: String,
}

/// All findings.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DoctorReport {
    /// Whether nothing worse than a note was found.
    pub healthy: bool,
    /// Who looked: `daemon`, or `berthctl` when the daemon did not answer.
    pub source: String,
    /// The checks made; a stable word each.
    pub checks: Vec<String>,
    /// What they found, worst first.
    pub findings: Vec<Finding>,
}

impl DoctorReport {
    /// A report of these findings.
    pub fn new(source: &str, checks: Vec<String>, mut findings: Vec<Finding>) -> Self {
        findings.sort_by(|a, b| {
            (b.severity, &a.check, &a.subject).cmp(&(a.severity, &b.check, &b.subject))
        });
        Self {
            healthy: findings.iter().all(|f| f.severity == Severity::Note),
            source: source.to_owned(),
            checks,
            findings,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finding(severity: Severity, subject: &str) -> Finding {
        Finding {
            check: "c".to_owned(),
            severity,
            subject: subject.to_owned(),
            problem: String::new(),
            advice: String::new(),
        }
    }

    #[test]
    fn the_worst_comes_first_and_notes_are_healthy() {
        let report = DoctorReport::new(
            "daemon",
            vec![],
            vec![
                finding(Severity::Note, "a"),
                finding(Severity::Error, "c"),
                finding(Severity::Error, "b"),
            ],
        );
        let subjects: Vec<_> = report.findings.iter().map(|f| f.subject.as_str()).collect();
        assert_eq!(subjects, ["b", "c", "a"]);
        assert!(!report.healthy);
        assert!(DoctorReport::new("daemon", vec![], vec![finding(Severity::Note, "a")]).healthy);
    }
}
