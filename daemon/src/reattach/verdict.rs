//! What a pass means for one attachment. Pure: actions and what came of them in, state and problem out.

use attachment::record::{Attachment, Phase};
use attachment::{Action, Drift, Observed, Outcome, Strategy};

use crate::report::PortState;

/// What became of the actions of one attachment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Done {
    /// Verbs of the actions carried out.
    pub verbs: Vec<&'static str>,
    /// The first error.
    pub error: Option<String>,
    /// A plugin was at work on it.
    pub busy: bool,
    /// Something was left for a later pass.
    pub left: bool,
    /// A stand-in serves the pod meanwhile.
    pub served: bool,
    /// What the plan had to tell.
    pub reports: Vec<Drift>,
}

impl Done {
    /// Takes in what came of an action.
    pub fn add(&mut self, action: &Action, outcome: Result<Outcome, String>) {
        match outcome {
            Ok(Outcome::Done) => self.verbs.push(action.verb()),
            Ok(Outcome::Busy) => self.busy = true,
            // The record is on its way out; its file will tell.
            Ok(Outcome::Gone) => {}
            Err(error) => {
                self.error.get_or_insert(error);
            }
        }
    }

    /// Whether something was restored to a pod that was without it, and all of it succeeded. Announcing an address,
    /// sweeping up, and putting a port in the place of its stand-in restore nothing.
    pub fn repaired(&self) -> bool {
        let restores = |verb: &&str| !matches!(*verb, "announce" | "sweep-aside" | "release");
        !self.served && self.verbs.iter().any(restores) && self.error.is_none() && !self.busy
    }
}

/// Whether the pod's interface was a living stand-in for its own when it was looked at.
pub fn is_served(record: &Attachment, observed: &Observed) -> bool {
    let pod = observed.pods.get(&record.key());
    let link = pod
        .and_then(|pod| pod.state())
        .and_then(|state| state.link(&record.ifname));
    record.strategy() == Strategy::Rename
        && link.is_some_and(|link| link.is_kind("macvlan") && link.up && link.carrier)
}

/// State of an attachment after a pass, and its problem in words.
pub fn state(record: &Attachment, done: &Done) -> (PortState, Option<String>) {
    match record.phase {
        Phase::Adding => return (PortState::Adding, done.error.clone()),
        Phase::Deleting => return (PortState::Deleting, done.error.clone()),
        Phase::Ready => {}
    }
    if let Some(error) = &done.error {
        return (PortState::Failing, Some(error.clone()));
    }
    if let Some(drift) = done.reports.first() {
        let state = match drift {
            Drift::PodGone | Drift::PodReplaced => PortState::PodGone,
            // Nothing is known to be wrong with the port itself.
            Drift::PodUnknown(_)
            | Drift::SwitchAway(_)
            | Drift::VswitchdDead
            | Drift::FlowRestoreWait => PortState::Unknown,
            _ => PortState::Failing,
        };
        return (state, Some(drift.to_string()));
    }
    if done.left && done.served {
        return (PortState::StandIn, None);
    }
    if done.busy || done.left {
        return (PortState::Repairing, None);
    }
    (PortState::Ready, None)
}

#[cfg(test)]
mod tests {
    use attachment::record::{Key, NetnsRef, Port, RoutedPort};

    use super::*;

    fn record(phase: Phase) -> Attachment {
        let netns = NetnsRef {
            path: "/run/netns/x".into(),
            dev: 1,
            inode: 2,
        };
        let mac: netlink::MacAddr = "02:00:00:00:00:01".parse().expect("MAC");
        let port = Port::Routed(RoutedPort { host_mac: mac });
        let mut record = Attachment::new("c1", "eth0", "net", netns, port, mac);
        record.phase = phase;
        record
    }

    fn rebuild() -> Action {
        Action::Rebuild {
            key: Key::new("c1", "eth0"),
        }
    }

    fn after(outcomes: Vec<Result<Outcome, String>>) -> Done {
        let mut done = Done::default();
        for outcome in outcomes {
            done.add(&rebuild(), outcome);
        }
        done
    }

    #[test]
    fn states_after_a_pass() {
        let report = |drift| Done {
            reports: vec![drift],
            ..Done::default()
        };
        let left = |served| Done {
            left: true,
            served,
            ..Done::default()
        };
        let rows = [
            (after(vec![]), PortState::Ready),
            (after(vec![Ok(Outcome::Done)]), PortState::Ready),
            (after(vec![Ok(Outcome::Busy)]), PortState::Repairing),
            (left(false), PortState::Repairing),
            (left(true), PortState::StandIn),
            (
                after(vec![Err("no".to_owned()), Ok(Outcome::Done)]),
                PortState::Failing,
            ),
            (report(Drift::PodGone), PortState::PodGone),
            (report(Drift::VswitchdDead), PortState::Unknown),
            (
                report(Drift::RowForeign("p".to_owned())),
                PortState::Failing,
            ),
        ];
        for (done, expected) in rows {
            let (found, problem) = state(&record(Phase::Ready), &done);
            assert_eq!(found, expected, "{done:?}");
            let silent = matches!(
                expected,
                PortState::Ready | PortState::Repairing | PortState::StandIn
            );
            assert_eq!(problem.is_none(), silent, "{done:?}");
        }
    }

    #[test]
    fn an_add_or_del_under_way_is_neither_good_nor_bad() {
        assert_eq!(
            state(&record(Phase::Adding), &after(vec![])).0,
            PortState::Adding
        );
        assert_eq!(
            state(&record(Phase::Deleting), &after(vec![])).0,
            PortState::Deleting
        );
    }

    #[test]
    fn only_a_whole_success_is_a_repair() {
        assert!(after(vec![Ok(Outcome::Done)]).repaired());
        assert!(!after(vec![]).repaired());
        assert!(!after(vec![Ok(Outcome::Done), Err("no".to_owned())]).repaired());
        assert!(!after(vec![Ok(Outcome::Done), Ok(Outcome::Busy)]).repaired());
        assert!(!after(vec![Ok(Outcome::Gone)]).repaired());
        let swapped = Done {
            served: true,
            ..after(vec![Ok(Outcome::Done)])
        };
        assert!(!swapped.repaired());
        let mut swept = Done::default();
        let keys = vec![Key::new("c1", "eth0")];
        swept.add(&Action::SweepAside { keys }, Ok(Outcome::Done));
        assert!(!swept.repaired());
    }
}
