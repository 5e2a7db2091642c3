//! The round robin: in which order a set's addresses are tried.

use std::net::IpAddr;

use crate::address;
use crate::range::Range;

/// A run of addresses to try in ascending order, both ends included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Run<'a> {
    pub first: IpAddr,
    pub last: IpAddr,
    pub range: &'a Range,
}

/// The order after `last` was given out: the rest of its range, the ranges that follow,
/// those before, and its range from the start up to and including `last`. Without a
/// `last`, or with one from outside (the configuration changed), from the beginning.
pub(crate) fn runs(set: &[Range], last: Option<IpAddr>) -> Vec<Run<'_>> {
    fn whole(range: &Range) -> Run<'_> {
        Run {
            first: range.start,
            last: range.end,
            range,
        }
    }
    let found = last.and_then(|last| {
        set.iter()
            .position(|range| range.contains(last))
            .map(|at| (at, last))
    });
    let Some((at, last)) = found else {
        return set.iter().map(whole).collect();
    };
    let range = &set[at];
    let mut runs = Vec::with_capacity(set.len() + 1);
    if last < range.end {
        let next = address::from_bits(address::to_bits(last) + 1, last);
        runs.push(Run {
            first: next,
            last: range.end,
            range,
        });
    }
    runs.extend(set[at + 1..].iter().map(whole));
    runs.extend(set[..at].iter().map(whole));
    runs.push(Run {
        first: range.start,
        last,
        range,
    });
    runs
}
