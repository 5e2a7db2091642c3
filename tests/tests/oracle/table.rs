//! What was seen on both stages side by side, and the verdict.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Result, bail};

use crate::differences::{self, Difference};
use crate::facts::Notes;
use crate::scenarios::Scenario;

/// How two facts compare.
enum Comparison {
    Same,
    Expected(&'static Difference),
    Unexpected,
}

struct Line {
    rows: &'static str,
    scenario: &'static str,
    what: String,
    kube: String,
    berth: String,
    comparison: Comparison,
}

/// All facts.
pub struct Table {
    lines: Vec<Line>,
    /// Differences that were to be seen and were not.
    stale: Vec<&'static Difference>,
}

/// What is shown where one stage has not seen the fact at all.
const NOTHING: &str = "(not seen)";

/// Puts what was seen side by side.
pub fn compare(scenarios: &[&Scenario], kube: &[Notes], berth: &[Notes]) -> Table {
    let mut lines: Vec<Line> = Vec::new();
    for ((scenario, kube), berth) in scenarios.iter().zip(kube).zip(berth) {
        let of = |notes: &Notes, what: &str| {
            let found = notes.facts.iter().find(|fact| fact.what == what);
            found.map_or(NOTHING.to_owned(), |fact| fact.seen.clone())
        };
        let mut whats: Vec<&str> = Vec::new();
        for fact in kube.facts.iter().chain(&berth.facts) {
            if !whats.contains(&fact.what.as_str()) {
                whats.push(&fact.what);
            }
        }
        for what in whats {
            let (kube, berth) = (of(kube, what), of(berth, what));
            // A scenario that could not be played has shown nothing, be it on both.
            let is_same = kube == berth && !kube.starts_with("error: ");
            let comparison = match differences::find(scenario.name, what, &kube, &berth) {
                _ if is_same => Comparison::Same,
                Some(difference) => Comparison::Expected(difference),
                None => Comparison::Unexpected,
            };
            let what = what.to_owned();
            let (rows, scenario) = (scenario.rows, scenario.name);
            lines.push(Line {
                rows,
                scenario,
                what,
                kube,
                berth,
                comparison,
            });
        }
    }
    let is_seen = |difference: &&Difference| {
        lines.iter().any(|line| match line.comparison {
            Comparison::Expected(seen) => std::ptr::eq(seen, *difference),
            _ => false,
        })
    };
    let is_played = |difference: &&Difference| {
        scenarios
            .iter()
            .any(|scenario| scenario.name == difference.scenario)
    };
    let stale = differences::ALL
        .iter()
        .filter(is_played)
        .filter(|it| !is_seen(it))
        .collect();
    Table { lines, stale }
}

impl Table {
    /// Writes it where the artefacts of builds are.
    pub fn write(&self) -> Result<PathBuf> {
        let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(
            || Path::new(env!("CARGO_MANIFEST_DIR")).join("../target"),
            PathBuf::from,
        );
        let path = target.canonicalize()?.join("oracle.md");
        fs::write(&path, self.to_string())?;
        Ok(path)
    }

    /// An error when the two differ where nothing says why, or do not where something does.
    pub fn verdict(&self) -> Result<()> {
        let unexpected = self.count(|comparison| matches!(comparison, Comparison::Unexpected));
        if unexpected + self.stale.len() > 0 {
            bail!(
                "{unexpected} differences that nothing explains, {} that are not there any more",
                self.stale.len()
            );
        }
        Ok(())
    }

    fn count(&self, of: impl Fn(&Comparison) -> bool) -> usize {
        self.lines
            .iter()
            .filter(|line| of(&line.comparison))
            .count()
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "| row | scenario | fact | kube-proxy | berth | |")?;
        writeln!(f, "|---|---|---|---|---|---|")?;
        for line in &self.lines {
            let verdict = match line.comparison {
                Comparison::Same => "same".to_owned(),
                Comparison::Expected(difference) => format!("differs: {}", difference.why),
                Comparison::Unexpected => "**DIFFERS**".to_owned(),
            };
            let cell = |text: &str| text.replace('|', "¦").replace('\n', " ");
            writeln!(
                f,
                "| {} | {} | {} | {} | {} | {verdict} |",
                line.rows,
                line.scenario,
                cell(&line.what),
                cell(&line.kube),
                cell(&line.berth),
            )?;
        }
        writeln!(f)?;
        let same = self.count(|comparison| matches!(comparison, Comparison::Same));
        let expected = self.count(|comparison| matches!(comparison, Comparison::Expected(_)));
        let unexpected = self.count(|comparison| matches!(comparison, Comparison::Unexpected));
        writeln!(
            f,
            "{same} the same, {expected} different with a reason, {unexpected} different without one."
        )?;
        for difference in &self.stale {
            let Difference { scenario, fact, .. } = difference;
            writeln!(f, "Not different any more: {scenario}, {fact:?}.")?;
        }
        Ok(())
    }
}
