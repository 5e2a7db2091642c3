//! The `berth` CNI binary.
fn main() {}
