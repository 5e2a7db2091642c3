//! Goals, and whether a figure meets them.

use crate::report::Cell;

/// What a figure ought to be.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Goal {
    /// No less than this.
    AtLeast(f64),
    /// No more than this.
    AtMost(f64),
}

impl Goal {
    /// Whether a figure is as it ought to be.
    pub fn is_met(self, figure: f64) -> bool {
        match self {
            Self::AtLeast(least) => figure >= least,
            Self::AtMost(most) => figure <= most,
        }
    }

    /// The word in a table; nothing where nothing was measured.
    pub fn verdict(self, figure: Option<f64>) -> Cell {
        match figure {
            Some(figure) if self.is_met(figure) => Cell::Text(format!("{self}: met")),
            Some(_) => Cell::Text(format!("{self}: missed")),
            None => Cell::Nothing,
        }
    }
}

impl std::fmt::Display for Goal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::AtLeast(least) => write!(f, "≥ {least}"),
            Self::AtMost(most) => write!(f, "≤ {most}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_goal_is_met_at_its_bound() {
        assert!(Goal::AtLeast(0.97).is_met(0.97));
        assert!(!Goal::AtLeast(0.97).is_met(0.969));
        assert!(Goal::AtMost(10.0).is_met(10.0));
        assert!(!Goal::AtMost(10.0).is_met(10.1));
        assert_eq!(Goal::AtMost(2.0).verdict(None), Cell::Nothing);
        let missed = Cell::Text("≤ 2: missed".into());
        assert_eq!(Goal::AtMost(2.0).verdict(Some(3.0)), missed);
    }
}
