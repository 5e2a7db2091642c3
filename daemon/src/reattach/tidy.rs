//! After a full pass: records and leases of the dead.

use std::path::Path;

use attachment::record::{Attachment, Key, Phase};
use attachment::view::PodView;
use attachment::{Action, Observed, Suspicion};

use super::act::Results;
use super::clean::{self, CleanError};
use super::run::Reattach;
use super::verdict::Done;
use crate::confs::{self, Leased};
use crate::process;
use crate::report::EventKind;

impl Reattach {
    /// Removes records of which nothing else is left: of pods that were gone when the daemon started, which nobody may
    /// ever delete, and those that a DEL left behind because the switch was away.
    pub(super) fn tidy(
        &mut self,
        records: &[Attachment],
        observed: &Observed,
        actions: &[Action],
        results: &Results,
    ) {
        let Some(stale) = &self.stale_at_start else {
            let gone = records.iter().map(Attachment::key);
            let gone = gone.filter(|key| is_gone(observed, key)).collect();
            self.stale_at_start = Some(gone);
            self.clean_leases(records);
            return;
        };
        let is_dead = |record: &&Attachment| {
            let key = record.key();
            let dead = match record.phase {
                Phase::Adding => false,
                Phase::Ready => {
                    let suspicion = Suspicion::PodGone(key.clone());
                    stale.contains(&key)
                        && is_gone(observed, &key)
                        && observed.memory.confirmed(&suspicion, observed.now)
                }
                Phase::Deleting => true,
            };
            let mut planned = actions.iter().filter(|action| action.key() == Some(&key));
            let settled = !planned.any(Action::changes) || results.get(&key).is_some_and(released);
            dead && settled && switch_is_seen(observed, record)
        };
        let dead: Vec<_> = records.iter().filter(is_dead).collect();
        if dead.is_empty() {
            return;
        }
        let networks = self.networks(records);
        for record in dead {
            self.remove_record(record, confs::data_dir(&networks, record, &self.ipam_dir));
        }
    }

    /// Removes the record of a dead pod and releases its leases below `data_dir`.
    fn remove_record(&self, record: &Attachment, data_dir: &Path) {
        let key = record.key();
        let mut facts = self.board.facts();
        match clean::clean_record(&self.store, data_dir, record) {
            Ok(released) => {
                tracing::info!(attachment = %key, ?released, "record of a dead pod removed");
                facts.counts.records_cleaned += 1;
                facts.counts.leases_released += released.len() as u64;
                let addresses: Vec<_> = released.iter().map(ToString::to_string).collect();
                let detail = match addresses.as_slice() {
                    [] => "its pod is gone".to_owned(),
                    _ => format!("its pod is gone; released {}", addresses.join(", ")),
                };
                facts.event(EventKind::RecordCleaned, key.to_string(), detail, None);
            }
            // The plugin ends what it does, and the record's file will tell.
            Err(CleanError::Busy(_)) => {}
            Err(error) => {
                tracing::warn!(attachment = %key, %error, "record of a dead pod stays");
                facts.counts.error("clean");
            }
        }
    }

    /// The networks that are berth's.
    fn networks(&self, records: &[Attachment]) -> Vec<Leased> {
        let confs = confs::read(&self.cni_conf_dir).unwrap_or_else(|error| {
            tracing::warn!(directory = %self.cni_conf_dir.display(), %error, "cannot read CNI configurations");
            Vec::new()
        });
        confs::networks(&confs, records, &self.ipam_dir)
    }

    /// Releases leases from before the last boot.
    fn clean_leases(&self, records: &[Attachment]) {
        let Some(boot) = process::boot_time() else {
            return;
        };
        let networks = self.networks(records);
        let (released, errors) = clean::old_leases(&networks, records, boot);
        let mut facts = self.board.facts();
        for (network, address) in released {
            tracing::info!(network, %address, "lease from before the last boot released");
            facts.counts.leases_released += 1;
            let detail = format!("network {network}, from before the last boot");
            facts.event(EventKind::LeaseReleased, address.to_string(), detail, None);
        }
        for error in errors {
            tracing::warn!(%error, "stale leases stay");
            facts.counts.error("clean");
        }
    }
}

/// Whether the pod of an attachment is gone, as far as this look can tell.
fn is_gone(observed: &Observed, key: &Key) -> bool {
    let pod = observed.pods.get(key);
    matches!(pod, Some(PodView::Gone | PodView::Replaced))
}

/// Whether everything of the attachment was taken down in this pass.
fn released(done: &Done) -> bool {
    done.verbs == ["release"] && done.error.is_none()
}

/// Whether it is known what the switch has: a port cannot be told to be gone from a switch that does not answer.
fn switch_is_seen(observed: &Observed, record: &Attachment) -> bool {
    record.port.switch().is_none_or(|port| {
        let view = observed.switches.get(&port.socket);
        view.is_some_and(|view| view.state().is_some())
    })
}
