//! A histogram of durations with fixed buckets.

use std::time::Duration;

/// Upper bounds of the buckets where nothing else is said, seconds: from one netlink call to a pass that is in trouble.
pub const BOUNDS: [f64; 14] = [
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0,
];

/// Durations by bucket.
#[derive(Debug, Clone)]
pub struct Histogram {
    /// Upper bound of each bucket, and how many durations are in it and in none before.
    buckets: Vec<(f64, u64)>,
    count: u64,
    sum: f64,
}

impl Default for Histogram {
    fn default() -> Self {
        Self::with(BOUNDS)
    }
}

impl Histogram {
    /// An empty one with these upper bounds, in seconds and ascending.
    pub fn with(bounds: impl IntoIterator<Item = f64>) -> Self {
        Self {
            buckets: bounds.into_iter().map(|bound| (bound, 0)).collect(),
            count: 0,
            sum: 0.0,
        }
    }

    /// Counts one duration.
    pub fn observe(&mut self, duration: Duration) {
        let seconds = duration.as_secs_f64();
        self.count += 1;
        self.sum += seconds;
        let mut buckets = self.buckets.iter_mut();
        if let Some((_, count)) = buckets.find(|(bound, _)| seconds <= *bound) {
            *count += 1;
        }
    }

    /// The number of durations counted.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// Their sum, seconds.
    pub fn sum(&self) -> f64 {
        self.sum
    }

    /// Bound and number of durations up to it, for every bucket but the unbounded one.
    pub fn cumulative(&self) -> impl Iterator<Item = (f64, u64)> {
        let mut below = 0;
        self.buckets.iter().map(move |(bound, in_bucket)| {
            below += in_bucket;
            (*bound, below)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_add_up_and_the_overlong_is_only_in_the_count() {
        let mut histogram = Histogram::default();
        for ms in [1, 2, 150, 60_000] {
            histogram.observe(Duration::from_millis(ms));
        }
        let cumulative: Vec<_> = histogram.cumulative().collect();
        assert_eq!(cumulative[0], (0.001, 1));
        assert_eq!(cumulative[1], (0.0025, 2));
        assert_eq!(cumulative[7], (0.2, 3));
        assert_eq!(cumulative[13], (30.0, 3));
        assert_eq!(histogram.count(), 4);
        assert!((histogram.sum() - 60.153).abs() < 1e-9);
    }
}
