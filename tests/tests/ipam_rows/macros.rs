//! Equality that fails with both sides and the line.

macro_rules! same {
    ($left:expr, $right:expr) => {{
        let (left, right) = ($left, $right);
        ensure!(left == right, "line {}: {left:?} is not {right:?}", line!());
    }};
}

pub(crate) use same;
