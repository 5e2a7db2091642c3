//! Counts, and their Prometheus text form.

mod counts;
mod histogram;
mod kubeproxy;
mod text;

pub use counts::{Counts, Probe};
pub use histogram::Histogram;
pub use kubeproxy::Syncs;
pub use text::{Gauges, ServiceGauges, render};
