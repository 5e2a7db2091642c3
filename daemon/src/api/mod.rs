//! How the daemon is asked: HTTP/1.1 on the control socket, and on the health and metrics addresses.
//!
//! | path | answer | where |
//! |---|---|---|
//! | `/v1/status` | [`StatusReport`](crate::report::StatusReport) | control socket |
//! | `/v1/ports` | [`PortsReport`](crate::report::PortsReport) | control socket |
//! | `/v1/services` | [`ServicesReport`](crate::services::report::ServicesReport) | control socket |
//! | `/v1/events?after=N` | list of [`Event`](crate::report::Event) | control socket |
//! | `/v1/doctor` | [`DoctorReport`](crate::report::DoctorReport) | control socket |
//! | `/healthz`, `/livez`, `/readyz` | 200 or 503 and the reasons | `--healthz`, control socket |
//! | `/metrics` | Prometheus text | `--metrics`, control socket |

mod answer;
mod client;
mod listen;
mod serve;
mod state_dir;
mod view;

pub use answer::{Answer, Source, Surface};
pub use client::{ClientError, get};
pub use listen::{ApiError, Control, bind_control, bind_tcp};
pub(crate) use serve::converse;
pub use serve::{serve_control, serve_tcp};
pub use state_dir::{Claim, ClaimError};
