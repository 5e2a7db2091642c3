//! The node daemon `berthd` and the operator's tool `berthctl`.
//!
//! The daemon keeps every attachment as its record says it must be: signals from vswitchd, the kernel, OVSDB and the
//! records lead to `observe`, `plan` and `act` (crate `attachment`), and what happened is told through the control
//! socket, health and metrics.
#![forbid(unsafe_code)]

pub mod clock;
pub mod config;
pub mod metrics;
pub mod process;
pub mod report;
pub mod timeline;
pub mod version;
