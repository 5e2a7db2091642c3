//! The verbs of the plugin `berth`, one file each.

pub mod add;
pub mod check;
pub mod del;
pub mod gc;
pub mod status;
pub mod version;

/// How long a verb waits for another that works on the same attachment.
const LOCK_LIMIT: std::time::Duration = std::time::Duration::from_secs(30);
