//! What one pod lost around an event: pure arithmetic on the probes it sent.

use std::time::{Duration, Instant};

/// One probe of a train.
#[derive(Clone, Copy, Debug)]
pub struct Probe {
    /// When it left.
    pub sent: Instant,
    /// When its echo came back.
    pub back: Option<Instant>,
}

impl Probe {
    /// Whether its echo came back within `limit`.
    ///
    /// A datagram that waited in a queue for the switch to return is not lost, but nobody was served meanwhile.
    pub fn is_timely(&self, limit: Duration) -> bool {
        self.back.is_some_and(|back| back - self.sent <= limit)
    }
}

/// What a pod went through that was not served for a time, and then was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outage {
    /// When the first probe left that was lost or late.
    pub first_lost: Instant,
    /// When the first echo arrived after that.
    pub back: Instant,
    /// The time without service in all: that outage, and the interruptions after it while the port is put right.
    pub unserved: Duration,
    /// When the last of them was over.
    pub whole: Instant,
}

impl Outage {
    /// First packet lost to first packet back.
    pub fn length(&self) -> Duration {
        self.back - self.first_lost
    }
}

/// What became of the probes sent since an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// None was lost.
    Unharmed,
    /// Some were, and then none.
    Recovered(Outage),
    /// The last one was lost.
    Lost,
}

/// Judge the probes that were sent since an event, in the order they were sent; those are late whose echo took
/// longer than `limit`.
pub fn judge(probes: &[Probe], limit: Duration) -> Outcome {
    let mut outage: Option<Outage> = None;
    let mut index = 0;
    while let Some(gap) = probes[index..]
        .iter()
        .position(|probe| !probe.is_timely(limit))
    {
        let first = index + gap;
        let Some(length) = probes[first..]
            .iter()
            .position(|probe| probe.is_timely(limit))
        else {
            return Outcome::Lost;
        };
        index = first + length;
        let from = probes[first].sent;
        let answers = probes[first..=index].iter().filter_map(|probe| probe.back);
        let to = answers.min().unwrap_or(probes[index].sent);
        let outage = outage.get_or_insert(Outage {
            first_lost: from,
            back: to,
            unserved: Duration::ZERO,
            whole: to,
        });
        outage.unserved += to - from;
        outage.whole = to;
    }
    outage.map_or(Outcome::Unharmed, Outcome::Recovered)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: Duration = Duration::from_millis(5);

    /// Probes 10 ms apart: `!` came back after 1 ms, `.` did not, a digit came back with the probe that many after it.
    fn probes(pattern: &str) -> (Instant, Vec<Probe>) {
        let start = Instant::now();
        let millis = |number: u32| Duration::from_millis(10) * number;
        let probes = pattern.chars().enumerate().map(|(number, mark)| {
            let sent = start + millis(number as u32);
            let back = match mark {
                '!' => Some(sent + Duration::from_millis(1)),
                digit => digit
                    .to_digit(10)
                    .map(|later| sent + millis(later) + Duration::from_millis(1)),
            };
            Probe { sent, back }
        });
        (start, probes.collect())
    }

    /// Milliseconds of the first loss, the outage, the time unserved and the moment all is well.
    fn outage(pattern: &str) -> (u128, u128, u128, u128) {
        let (start, probes) = probes(pattern);
        let Outcome::Recovered(outage) = judge(&probes, LIMIT) else {
            panic!("{pattern} did not recover")
        };
        (
            (outage.first_lost - start).as_millis(),
            outage.length().as_millis(),
            outage.unserved.as_millis(),
            (outage.whole - start).as_millis(),
        )
    }

    #[test]
    fn an_outage_goes_from_the_first_lost_to_the_first_back() {
        assert_eq!(outage("!!...!!!"), (20, 31, 31, 51));
        assert_eq!(outage(".!"), (0, 11, 11, 11));
    }

    #[test]
    fn later_interruptions_are_unserved_time_too() {
        assert_eq!(outage("!...!!..!!.!"), (10, 31, 63, 111));
    }

    #[test]
    fn what_waited_in_a_queue_was_not_served() {
        // The third to fifth were kept and came back together with the sixth.
        assert_eq!(outage("!.321!!"), (10, 41, 41, 51));
        assert_eq!(outage("!21!!"), (10, 21, 21, 31));
    }

    #[test]
    fn nothing_lost_and_never_back() {
        let outcome = |pattern| judge(&probes(pattern).1, LIMIT);
        assert_eq!(outcome("!!!!"), Outcome::Unharmed);
        assert_eq!(outcome("!!.."), Outcome::Lost);
        assert_eq!(outcome("!.!."), Outcome::Lost);
        assert_eq!(outcome(""), Outcome::Unharmed);
    }
}
