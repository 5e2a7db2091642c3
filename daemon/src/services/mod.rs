//! Services: from objects of the API to tables in the kernel.
//!
//! A [`source`] tells objects, [`object`] checks them, [`desired`] decides purely what each
//! Service's tables should be, and [`program`] writes what has changed.

pub mod cgroup;
pub mod desired;
pub mod error;
#[cfg(test)]
mod fixture;
pub mod index;
pub mod node;
pub mod object;
pub mod program;
pub mod report;
pub mod source;
pub mod view;
