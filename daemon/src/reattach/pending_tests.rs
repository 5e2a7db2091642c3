//! What a burst of signals becomes.

use super::*;

fn link(port: &str) -> Signal {
    Signal::ports(Cause::Link, vec![port.to_owned()])
}

fn ports(names: &[&str]) -> Scope {
    Scope::Ports(names.iter().map(|name| (*name).to_owned()).collect())
}

#[test]
fn nothing_pending_is_nothing_due() {
    let mut pending = Pending::default();
    let now = Instant::now();
    assert_eq!(pending.due(now), None);
    assert_eq!(pending.take(now), None);
}

#[test]
fn the_first_signal_about_a_port_is_due_at_once() {
    let mut pending = Pending::default();
    let now = Instant::now();
    pending.add(link("a"), now);
    assert_eq!(pending.due(now), Some(now));
    let batch = pending.take(now).expect("due");
    assert_eq!(batch.scope, ports(&["a"]));
    assert_eq!(pending.take(now), None);
}

#[test]
fn what_comes_during_a_pass_is_one_next_pass_and_keeps_its_first_time() {
    let mut pending = Pending::default();
    let start = Instant::now();
    for (ms, port) in [(0, "a"), (1, "b"), (2, "a"), (3, "c")] {
        pending.add(link(port), start + Duration::from_millis(ms));
    }
    let batch = pending
        .take(start + Duration::from_millis(10))
        .expect("due");
    assert_eq!(batch.scope, ports(&["a", "b", "c"]));
    assert_eq!(batch.since["a"], start);
    assert_eq!(batch.causes, BTreeMap::from([(Cause::Link, 4)]));
    assert_eq!(batch.cause(), "link ×4");
}

#[test]
fn a_look_at_everything_lets_the_ports_go_first() {
    let mut pending = Pending::default();
    let now = Instant::now();
    pending.add(Signal::all(Cause::VswitchdStarted), now);
    assert_eq!(pending.take(now), None);
    pending.add(link("a"), now);
    assert_eq!(pending.take(now).map(|b| b.scope), Some(ports(&["a"])));
    assert_eq!(pending.due(now), Some(now + SETTLE));
    assert_eq!(
        pending.take(now + SETTLE).map(|b| b.scope),
        Some(Scope::All)
    );
    assert_eq!(pending.due(now), None);
}

#[test]
fn more_signals_do_not_put_off_the_look_at_everything() {
    let mut pending = Pending::default();
    let now = Instant::now();
    for step in 0..10 {
        pending.add(Signal::all(Cause::Database), now + SETTLE / 10 * step);
    }
    assert_eq!(pending.due(now), Some(now + SETTLE));
}

#[test]
fn at_start_and_by_the_timer_everything_is_looked_at_without_delay() {
    for cause in [Cause::Start, Cause::Timer] {
        let mut pending = Pending::default();
        let now = Instant::now();
        pending.add(Signal::all(cause), now);
        assert_eq!(pending.take(now).map(|b| b.scope), Some(Scope::All));
    }
}

#[test]
fn a_look_at_everything_answers_the_ports_too() {
    let mut pending = Pending::default();
    let now = Instant::now();
    pending.add(link("a"), now);
    pending.add(Signal::all(Cause::Start), now);
    let batch = pending.take(now).expect("due");
    assert_eq!(batch.scope, Scope::All);
    assert_eq!(batch.since["a"], now);
    assert_eq!(pending.take(now), None);
}

#[test]
fn a_second_look_waits_for_its_time_and_the_earliest_counts() {
    let mut pending = Pending::default();
    let now = Instant::now();
    let at = |s| now + Duration::from_secs(s);
    pending.again("a".to_owned(), at(5));
    pending.again("a".to_owned(), at(2));
    pending.again("a".to_owned(), at(9));
    pending.again("b".to_owned(), at(7));
    assert_eq!(pending.due(now), Some(at(2)));
    assert_eq!(pending.take(at(1)), None);
    let batch = pending.take(at(3)).expect("due");
    assert_eq!(batch.scope, ports(&["a"]));
    assert_eq!(batch.cause(), "again");
    assert_eq!(pending.due(now), Some(at(7)));
}

#[test]
fn a_look_that_the_loop_asked_for_itself_has_a_cause_too() {
    let mut pending = Pending::default();
    let now = Instant::now();
    pending.all_by(now);
    assert_eq!(
        pending.take(now).map(|b| b.cause()).as_deref(),
        Some("again")
    );
}

#[test]
fn a_port_without_a_signal_of_its_own_counts_from_the_signal_for_everything() {
    let mut pending = Pending::default();
    let now = Instant::now();
    pending.add(Signal::all(Cause::VswitchdDied), now);
    pending.add(Signal::all(Cause::VswitchdStarted), now + SETTLE / 2);
    pending.add(link("a"), now + SETTLE);
    let batch = pending.take(now + SETTLE).expect("due");
    assert_eq!(batch.first_signal("a"), Some(now + SETTLE));
    assert_eq!(batch.first_signal("b"), Some(now));
    pending.add(link("a"), now);
    let batch = pending.take(now).expect("due");
    assert_eq!(batch.first_signal("b"), None);
}
