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

/// A time in which a pod was not served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// When the first lost probe left.
    pub first_lost: Instant,
    /// When the first probe left from which on none was lost.
    pub back: Instant,
    /// Probes lost between.
    pub lost: usize,
}

impl Window {
    /// How long it lasted.
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
    Recovered(Window),
    /// The last one was lost.
    Lost,
}

/// Judge the probes that were sent since an event, in the order they were sent.
///
/// A pod that comes back and goes again is not served until it stays: the
/// window closes with the last loss, not the first.
pub fn judge(probes: &[Probe]) -> Outcome {
    let lost = || probes.iter().enumerate().filter(|(_, probe)| !probe.echoed);
    let (Some((_, first)), Some((last, _))) = (lost().next(), lost().next_back()) else {
        return Outcome::Unharmed;
    };
    match probes.get(last + 1) {
        Some(back) => Outcome::Recovered(Window {
            first_lost: first.sent,
            back: back.sent,
            lost: lost().count(),
        }),
        None => Outcome::Lost,
    }
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

    fn window(pattern: &str) -> (u128, u128, usize) {
        let (start, probes) = probes(pattern);
        let Outcome::Recovered(window) = judge(&probes) else {
            panic!("{pattern} did not recover")
        };
        (
            (window.first_lost - start).as_millis(),
            window.length().as_millis(),
            window.lost,
        )
    }

    #[test]
    fn a_window_goes_from_the_first_lost_to_the_first_back() {
        assert_eq!(window("!!...!!!"), (20, 30, 3));
        assert_eq!(window(".!"), (0, 10, 1));
    }

    #[test]
    fn a_pod_that_flaps_is_back_when_it_stays() {
        assert_eq!(window("!.!!..!!"), (10, 50, 3));
    }

    #[test]
    fn nothing_lost_and_never_back() {
        assert_eq!(judge(&probes("!!!!").1), Outcome::Unharmed);
        assert_eq!(judge(&probes("!!..").1), Outcome::Lost);
        assert_eq!(judge(&[]), Outcome::Unharmed);
    }
}
