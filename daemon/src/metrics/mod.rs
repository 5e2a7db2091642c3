//! Counts, and their Prometheus text form.

mod counts;
mod histogram;
mod text;

pub use counts::Counts;
pub use histogram::Histogram;
pub use text::{Gauges, ServiceGauges, render};
