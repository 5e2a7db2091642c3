//! The node daemon `berthd` and the operator's tool `berthctl`.
//!
//! The daemon keeps every attachment as its record says it must be: signals from vswitchd, the kernel, OVSDB and the
//! records lead to `observe`, `plan` and `act` (crate `attachment`), and what happened is told through the control
//! socket, health and metrics.
#![forbid(unsafe_code)]

pub mod api;
pub mod board;
pub mod clock;
pub mod config;
pub mod confs;
pub mod ctl;
pub mod doctor;
pub mod health;
pub mod leases;
pub mod logs;
pub mod metrics;
pub mod process;
pub mod reattach;
pub mod records;
pub mod report;
pub mod run;
pub mod services;
pub mod timeline;
pub mod uninstall;
pub mod version;
