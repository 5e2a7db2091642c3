//! Services: from objects of the API to tables in the kernel.
//!
//! A [`source`] tells objects, [`object`] checks them, [`desired`] decides purely what each
//! Service's tables should be, and [`program`] writes what has changed.

pub mod cgroup;
pub mod changes;
pub mod cut;
pub mod desired;
pub mod error;
#[cfg(test)]
mod fixture;
#[cfg(test)]
mod fuzz;
pub mod health_port;
pub mod index;
pub mod node;
pub mod object;
pub mod packet;
pub mod program;
pub mod pulse;
pub mod report;
pub mod source;
pub mod view;
