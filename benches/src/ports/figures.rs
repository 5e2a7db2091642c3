//! The figures of one path.

use anyhow::{Context, Result};

use super::path::{Laid, Path};
use super::{iperf, sockperf};

/// What was measured on one path, one value a round.
#[derive(Clone, Debug, Default)]
pub struct Figures {
    /// Gbit/s with one process.
    pub one: Vec<f64>,
    /// Gbit/s with four processes together.
    pub four: Vec<f64>,
    /// 64-byte datagrams sent each second.
    pub datagrams: Vec<f64>,
    /// Microseconds of half a TCP round trip.
    pub latency: Vec<f64>,
}

impl Figures {
    /// Measure everything once on a path, each part for `seconds`.
    ///
    /// # Errors
    /// When a tool fails.
    pub fn measure(&mut self, path: Path, laid: &Laid, seconds: u32) -> Result<()> {
        let context = |part: &'static str| move || format!("{part} over {}", path.label());
        self.one
            .push(iperf::tcp(laid, 1, seconds).with_context(context("TCP"))?);
        self.four
            .push(iperf::tcp(laid, 4, seconds).with_context(context("TCP by four processes"))?);
        self.datagrams
            .push(sockperf::datagrams(laid, seconds).with_context(context("datagrams"))?);
        self.latency
            .push(sockperf::latency(laid, seconds).with_context(context("ping-pong"))?);
        eprintln!(
            "  {:.3?} {:.3?} Gbit/s, {:.0?}/s, {:.2?} µs",
            self.one, self.four, self.datagrams, self.latency
        );
        Ok(())
    }
}

/// Run every tool once, for nothing.
///
/// Under virtual time the clock of an idle guest jumps to its next timer. A tool that is read from the host's disk
/// for the first time waits there without a processor, and its time is over before it has begun: so a failure here
/// says nothing, and later runs find everything in memory.
pub fn warm_up(laid: &Laid) {
    iperf::tcp(laid, 1, 1).ok();
    sockperf::datagrams(laid, 1).ok();
    sockperf::latency(laid, 1).ok();
}
