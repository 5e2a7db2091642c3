//! A set of ranges of one family: a pod gets one address out of each set.

use std::fmt;
use std::net::IpAddr;
use std::ops::Deref;

use crate::range::{Range, RangeError};

/// At least one range, all of one family, none overlapping another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RangeSet(Vec<Range>);

impl RangeSet {
    /// Checks the ranges against each other.
    ///
    /// # Errors
    /// [`RangeError::EmptySet`], [`RangeError::MixedFamilies`] or [`RangeError::Overlap`].
    pub fn new(ranges: Vec<Range>) -> Result<Self, RangeError> {
        let first = ranges.first().ok_or(RangeError::EmptySet)?;
        if let Some(second) = ranges
            .iter()
            .find(|range| range.start.is_ipv4() != first.start.is_ipv4())
        {
            return Err(RangeError::MixedFamilies {
                first: first.to_string(),
                second: second.to_string(),
            });
        }
        for (number, first) in ranges.iter().enumerate() {
            if let Some(second) = ranges[number + 1..]
                .iter()
                .find(|second| first.overlaps(second))
            {
                return Err(RangeError::Overlap {
                    first: first.to_string(),
                    second: second.to_string(),
                });
            }
        }
        Ok(Self(ranges))
    }

    /// The range that holds this address.
    pub fn range_for(&self, address: IpAddr) -> Option<&Range> {
        self.0.iter().find(|range| range.contains(address))
    }

    /// Whether one of the ranges holds this address.
    pub fn contains(&self, address: IpAddr) -> bool {
        self.range_for(address).is_some()
    }

    /// Two ranges, one of each set, that share an address.
    pub fn overlap<'a>(&'a self, other: &'a Self) -> Option<(&'a Range, &'a Range)> {
        self.0.iter().find_map(|mine| {
            other
                .0
                .iter()
                .find(|theirs| mine.overlaps(theirs))
                .map(|theirs| (mine, theirs))
        })
    }

    /// Whether this is a set of v4 ranges.
    pub fn is_ipv4(&self) -> bool {
        self.0[0].start.is_ipv4()
    }
}

impl Deref for RangeSet {
    type Target = [Range];

    fn deref(&self) -> &[Range] {
        &self.0
    }
}

impl fmt::Display for RangeSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, range) in self.0.iter().enumerate() {
            if number > 0 {
                f.write_str(",")?;
            }
            write!(f, "{range}")?;
        }
        Ok(())
    }
}
