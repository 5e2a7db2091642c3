//! What the daemon tells: the documents behind `berthctl -o json` and the control socket.
//!
//! Field names and the words in `state`, `kind` and `severity` are stable; fields may be added. Times are
//! microseconds since 1970 UTC and end in `Us`; spans are milliseconds and end in `Ms`.

mod event;
mod finding;
mod port;
mod status;

pub use event::{Event, EventKind};
pub use finding::{DoctorReport, Finding, Severity};
pub use port::{CorruptRecord, PortReport, PortState, PortsReport};
pub use status::{Failure, OvsdbStatus, PassStatus, PortCounts, StatusReport, VswitchdStatus};
