//! What one pod lost around an event: pure arithmetic on the probes it sent.

use std::time::{Duration, Instant};

/// One probe of a train.
#[derive(Clone, Copy, Debug)]
pub struct Probe {
    /// When it left.
    pub sent: Instant,
    /// Whether its echo came back, however late.
    pub echoed: bool,
}

/// What a pod went through that lost probes and was served again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outage {
    /// When the first lost probe left.
    pub first_lost: Instant,
    /// When the first one after it left that came back.
    pub back: Instant,
    /// The time without service in all: that outage, and the interruptions after it while the port is put right.
    pub unserved: Duration,
    /// When the first probe left from which on none was lost.
    pub whole: Instant,
    /// Probes lost in all.
    pub lost: usize,
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

/// Judge the probes that were sent since an event, in the order they were sent.
pub fn judge(probes: &[Probe]) -> Outcome {
    let mut outage: Option<Outage> = None;
    let mut index = 0;
    while let Some(gap) = probes[index..].iter().position(|probe| !probe.echoed) {
        let first = index + gap;
        let Some(length) = probes[first..].iter().position(|probe| probe.echoed) else {
            return Outcome::Lost;
        };
        index = first + length;
        let (from, to) = (probes[first].sent, probes[index].sent);
        let outage = outage.get_or_insert(Outage {
            first_lost: from,
            back: to,
            unserved: Duration::ZERO,
            whole: to,
            lost: 0,
        });
        outage.unserved += to - from;
        outage.whole = to;
        outage.lost += length;
    }
    outage.map_or(Outcome::Unharmed, Outcome::Recovered)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Probes 10 ms apart: `!` came back, `.` did not.
    fn probes(pattern: &str) -> (Instant, Vec<Probe>) {
        let start = Instant::now();
        let probes = pattern.chars().enumerate().map(|(number, mark)| Probe {
            sent: start + Duration::from_millis(10) * number as u32,
            echoed: mark == '!',
        });
        (start, probes.collect())
    }

    /// Milliseconds of the first loss, the outage, the time unserved and the moment all is well; probes lost.
    fn outage(pattern: &str) -> (u128, u128, u128, u128, usize) {
        let (start, probes) = probes(pattern);
        let Outcome::Recovered(outage) = judge(&probes) else {
            panic!("{pattern} did not recover")
        };
        (
            (outage.first_lost - start).as_millis(),
            outage.length().as_millis(),
            outage.unserved.as_millis(),
            (outage.whole - start).as_millis(),
            outage.lost,
        )
    }

    #[test]
    fn an_outage_goes_from_the_first_lost_to_the_first_back() {
        assert_eq!(outage("!!...!!!"), (20, 30, 30, 50, 3));
        assert_eq!(outage(".!"), (0, 10, 10, 10, 1));
    }

    #[test]
    fn later_interruptions_are_unserved_time_too() {
        assert_eq!(outage("!...!!..!!.!"), (10, 30, 60, 110, 6));
    }

    #[test]
    fn nothing_lost_and_never_back() {
        assert_eq!(judge(&probes("!!!!").1), Outcome::Unharmed);
        assert_eq!(judge(&probes("!!..").1), Outcome::Lost);
        assert_eq!(judge(&probes("!.!.").1), Outcome::Lost);
        assert_eq!(judge(&[]), Outcome::Unharmed);
    }
}
