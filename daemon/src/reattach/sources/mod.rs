//! Where signals come from. Each source is a task that never ends and starts itself anew after an error.

pub mod database;
pub mod links;
pub mod process;
pub mod records;

use std::time::Duration;

/// Pause before a source that failed is started anew.
const PAUSE: Duration = Duration::from_millis(500);
