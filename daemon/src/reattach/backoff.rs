//! When something that failed, or was repaired and must prove itself, is looked at again.

use std::time::Duration;

/// The first wait: long enough for vswitchd and the kernel to take notice of a repair.
const FIRST: Duration = Duration::from_millis(100);

/// The longest wait.
const LONGEST: Duration = Duration::from_secs(30);

/// The wait after `attempts` attempts in a row, of which there was at least one.
pub fn wait(attempts: u32) -> Duration {
    let doublings = attempts.saturating_sub(1).min(16);
    (FIRST * 2_u32.pow(doublings)).min(LONGEST)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_doubles_up_to_half_a_minute() {
        let ms: Vec<_> = [0, 1, 2, 3, 9, 10, 100]
            .map(|attempts| wait(attempts).as_millis())
            .to_vec();
        assert_eq!(ms, [100, 100, 200, 400, 25_600, 30_000, 30_000]);
    }
}
