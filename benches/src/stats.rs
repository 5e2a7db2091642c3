//! The few statistics the benches quote: medians, percentiles, ratios of interleaved pairs.
//!
//! A shared machine drifts by a factor of two between runs, so contenders are
//! measured in turn (A B A B …) and compared round by round: the median of the
//! pairwise ratios stands still where the medians themselves do not.

/// The median; the mean of the two central values when their number is even. `None` of nothing.
pub fn median(values: &[f64]) -> Option<f64> {
    let sorted = sorted(values);
    let middle = sorted.len() / 2;
    match sorted.len() {
        0 => None,
        n if n % 2 == 1 => Some(sorted[middle]),
        _ => Some((sorted[middle - 1] + sorted[middle]) / 2.0),
    }
}

/// The nearest-rank percentile: the smallest value that at least `percent` per cent do not exceed.
///
/// Always a value that was measured. `None` of nothing; `percent` is held to 0–100.
pub fn percentile(values: &[f64], percent: f64) -> Option<f64> {
    let sorted = sorted(values);
    let rank = (percent.clamp(0.0, 100.0) / 100.0 * sorted.len() as f64).ceil() as usize;
    sorted.get(rank.saturating_sub(1)).copied()
}

/// The greatest value.
pub fn worst(values: &[f64]) -> Option<f64> {
    percentile(values, 100.0)
}

/// The median of `a[i] / b[i]`, for values measured in the same round `i`.
///
/// Rounds that only one side has, and rounds where `b` is zero, do not count.
pub fn pairwise_ratio(a: &[f64], b: &[f64]) -> Option<f64> {
    median(&pairwise_ratios(a, b))
}

/// Each `a[i] / b[i]`, as in [`pairwise_ratio`].
pub fn pairwise_ratios(a: &[f64], b: &[f64]) -> Vec<f64> {
    a.iter()
        .zip(b)
        .filter(|&(_, &b)| b != 0.0)
        .map(|(a, b)| a / b)
        .collect()
}

fn sorted(values: &[f64]) -> Vec<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn median_of_odd_even_one_and_none() {
        assert_eq!(median(&[3.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median(&[4.0, 1.0, 2.0, 3.0]), Some(2.5));
        assert_eq!(median(&[7.0]), Some(7.0));
        assert_eq!(median(&[]), None);
    }

    #[test]
    fn percentiles_are_measured_values() {
        let hundred: Vec<f64> = (1..=100).rev().map(f64::from).collect();
        assert_eq!(percentile(&hundred, 50.0), Some(50.0));
        assert_eq!(percentile(&hundred, 99.0), Some(99.0));
        assert_eq!(percentile(&hundred, 100.0), Some(100.0));
        assert_eq!(percentile(&hundred, 0.0), Some(1.0));
        assert_eq!(percentile(&[5.0, 9.0], 99.0), Some(9.0));
        assert_eq!(percentile(&[], 50.0), None);
    }

    #[test]
    fn p99_of_two_hundred_leaves_out_two() {
        let values: Vec<f64> = (1..=200).map(f64::from).collect();
        assert_eq!(percentile(&values, 99.0), Some(198.0));
    }

    #[test]
    fn a_ratio_of_rounds_withstands_drift() {
        // The machine becomes three times slower half-way: b stays twice a in each round.
        let a = [1.0, 1.1, 1.0, 3.0, 3.3, 3.0];
        let b = [2.0, 2.2, 2.0, 6.0, 6.6, 6.0];
        assert_eq!(pairwise_ratio(&a, &b), Some(0.5));
    }

    #[test]
    fn a_ratio_pairs_only_what_both_measured() {
        assert_eq!(pairwise_ratio(&[1.0, 9.0], &[2.0]), Some(0.5));
        assert_eq!(pairwise_ratio(&[1.0, 4.0], &[0.0, 2.0]), Some(2.0));
        assert_eq!(pairwise_ratio(&[1.0], &[0.0]), None);
        assert_eq!(pairwise_ratio(&[], &[]), None);
    }
}
