//! Takes in what the directory of records tells.

use std::time::{Duration, Instant};

use attachment::record::{Key, Phase};

use super::known::Change;
use super::run::Reattach;
use super::signal::{Cause, Signal};
use super::sources::records::Notice;
use crate::board::Facts;
use crate::records;
use crate::report::{EventKind, PortState};

/// How long after its ADD an attachment is looked at for the first time: not while its pod is just starting.
const FIRST_LOOK: Duration = Duration::from_secs(2);

impl Reattach {
    /// Takes in a notice.
    pub(super) fn take_notice(&mut self, notice: Notice) {
        let file = match notice {
            Notice::File(file) => file,
            Notice::Lost => {
                let directory = self.store.directory().display().to_string();
                tracing::error!(directory, "the directory of records was removed");
                self.records_lost = true;
                let mut facts = self.board.facts();
                facts.counts.error("records");
                facts.records_lost = Some(directory);
                return;
            }
            Notice::Everything => {
                self.mailbox.put(Signal::all(Cause::Record));
                return;
            }
        };
        match self.known.refresh(&self.store, &file) {
            Change::Nothing => {}
            Change::Record(key) => self.show(&key),
            Change::Removed(key) => {
                self.troubles.remove(&key);
                forget(&mut self.board.facts(), &key);
            }
            Change::Corrupt(corrupt) => {
                tracing::warn!(
                    path = corrupt.path,
                    error = corrupt.problem,
                    "corrupt record"
                );
                let mut facts = self.board.facts();
                facts.counts.error("record");
                facts.event(
                    EventKind::RecordCorrupt,
                    corrupt.path.clone(),
                    corrupt.problem.clone(),
                    None,
                );
            }
        }
        self.board.facts().corrupt_records = self.known.broken();
    }

    /// Brings the board in line with the records after all of them were read.
    pub(super) fn show_all(&mut self) {
        let keys: Vec<_> = self.known.all().iter().map(|record| record.key()).collect();
        for key in &keys {
            self.show(key);
        }
        let mut facts = self.board.facts();
        let gone: Vec<_> = facts
            .ports
            .keys()
            .filter(|key| !keys.contains(key))
            .cloned()
            .collect();
        for key in gone {
            self.troubles.remove(&key);
            forget(&mut facts, &key);
        }
        facts.corrupt_records = self.known.broken();
    }

    /// Shows what a record says, keeping what is known of the attachment beyond it.
    fn show(&self, key: &Key) {
        let Some(record) = self.known.by_key(key) else {
            return;
        };
        let mut report = records::report(record);
        let mut facts = self.board.facts();
        match facts.ports.get(key) {
            Some(former) => {
                report.repairs = former.repairs;
                report.repaired_at_us = former.repaired_at_us;
                report.repair_took_ms = former.repair_took_ms;
                let was_changing = matches!(former.state, PortState::Adding | PortState::Deleting);
                if record.phase == Phase::Ready && was_changing {
                    // ADD has just looked at all of it.
                    report.state = PortState::Ready;
                    let at = Instant::now() + FIRST_LOOK;
                    self.mailbox.pending().again(record.port_name.clone(), at);
                } else if record.phase == Phase::Ready {
                    report.state = former.state;
                    report.problem = former.problem.clone();
                }
            }
            None => {
                let on = report.bridge.as_deref().map_or_else(
                    || "routed".to_owned(),
                    |bridge| format!("{} on {bridge}", report.strategy),
                );
                let pod = report.pod.clone().unwrap_or_else(|| key.to_string());
                facts.event(
                    EventKind::RecordAdded,
                    report.port.clone(),
                    format!("{pod}, {on}"),
                    None,
                );
                if record.phase == Phase::Ready && self.stale_at_start.is_some() {
                    let at = Instant::now() + FIRST_LOOK;
                    self.mailbox.pending().again(record.port_name.clone(), at);
                }
            }
        }
        facts.ports.insert(key.clone(), report);
    }
}

fn forget(facts: &mut Facts, key: &Key) {
    facts.failures.remove(&key.to_string());
    if let Some(port) = facts.ports.remove(key) {
        let pod = port.pod.unwrap_or_else(|| key.to_string());
        facts.event(EventKind::RecordRemoved, port.port, pod, None);
    }
}
