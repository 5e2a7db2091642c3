//! The last events, in memory: what died, what was seen, what was done, and how long it took.

use std::collections::VecDeque;

use crate::report::{Event, EventKind};

/// How many events are kept: two vswitchd restarts with 250 ports.
const CAPACITY: usize = 2048;

/// A ring of events.
#[derive(Debug)]
pub struct Timeline {
    events: VecDeque<Event>,
    capacity: usize,
    next: u64,
}

impl Default for Timeline {
    fn default() -> Self {
        Self::with_capacity(CAPACITY)
    }
}

impl Timeline {
    /// A ring that keeps the last `capacity` events.
    pub fn with_capacity(capacity: usize) -> Self {
        Self {
            events: VecDeque::new(),
            capacity,
            next: 1,
        }
    }

    /// Adds an event; the oldest one makes room.
    pub fn push(
        &mut self,
        at_us: u64,
        kind: EventKind,
        subject: impl Into<String>,
        detail: impl Into<String>,
        took_ms: Option<f64>,
    ) {
        if self.events.len() == self.capacity {
            self.events.pop_front();
        }
        self.events.push_back(Event {
            sequence: self.next,
            at_us,
            kind,
            subject: subject.into(),
            detail: detail.into(),
            took_ms,
        });
        self.next += 1;
    }

    /// The events after a sequence number, oldest first.
    pub fn after(&self, sequence: u64) -> Vec<Event> {
        let start = self
            .events
            .partition_point(|event| event.sequence <= sequence);
        self.events.iter().skip(start).cloned().collect()
    }

    /// The latest `count` events, oldest first.
    pub fn latest(&self, count: usize) -> Vec<Event> {
        let skip = self.events.len().saturating_sub(count);
        self.events.iter().skip(skip).cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filled(capacity: usize, count: u64) -> Timeline {
        let mut timeline = Timeline::with_capacity(capacity);
        for at in 0..count {
            timeline.push(at, EventKind::Pass, "", "", None);
        }
        timeline
    }

    fn sequences(events: &[Event]) -> Vec<u64> {
        events.iter().map(|event| event.sequence).collect()
    }

    #[test]
    fn the_oldest_makes_room_and_numbers_go_on() {
        assert_eq!(sequences(&filled(3, 5).after(0)), [3, 4, 5]);
    }

    #[test]
    fn only_what_is_newer_is_given() {
        let timeline = filled(8, 5);
        assert_eq!(sequences(&timeline.after(3)), [4, 5]);
        assert_eq!(sequences(&timeline.after(5)), [0_u64; 0]);
        assert_eq!(sequences(&timeline.after(99)), [0_u64; 0]);
    }

    #[test]
    fn the_latest_come_oldest_first() {
        assert_eq!(sequences(&filled(8, 5).latest(2)), [4, 5]);
        assert_eq!(sequences(&filled(8, 1).latest(2)), [1]);
    }
}
