//! The one way out: every program ends by telling its verdict here.

use abi::Verdict;

use super::maps::VERDICTS;

/// Counts a verdict.
#[inline(always)]
pub fn count(verdict: Verdict) {
    if let Some(counter) = VERDICTS.get_ptr_mut(verdict as u32) {
        // SAFETY: the slot of this CPU; programs are not preempted by others that count.
        unsafe { *counter += 1 };
    }
}
