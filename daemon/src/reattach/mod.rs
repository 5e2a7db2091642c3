//! The re-attach loop: signals, then observe, plan and act, then the record and the board.
//!
//! Signals come from [`sources`]; [`Pending`](pending::Pending) folds them into the next pass: at once over the ports
//! they name, or a little later over all records, so that a burst about a hundred ports is not held up by a look at
//! everything. There is one pass at a time; what comes in during a pass makes the next one.

mod act;
mod backoff;
mod clean;
mod known;
mod mailbox;
mod notices;
mod pass;
mod pending;
mod run;
mod signal;
mod sources;
mod start;
mod switches;
mod tell;
mod tidy;
mod verdict;

pub use clean::{CleanError, clean_record, old_leases};
pub use run::Reattach;
pub use start::StartError;
