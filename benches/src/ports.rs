//! The measurements of `bench-ports`: what each way from pod to pod carries.

pub mod figures;
pub mod iperf;
pub mod listening;
pub mod path;
pub mod sockperf;
pub mod table;
