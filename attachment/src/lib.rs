//! What a pod is attached by: the record of each attachment, the port strategies
//! that make one, and the plan that repairs it.
//!
//! Three ways in, and all of them end in the same few functions:
//! - ADD: [`attach`] completes and writes the record, makes the devices by the
//!   record's [`Strategy`], configures them with `l3`, and undoes itself on error.
//! - DEL: [`detach`] takes everything of a key down, with or without its record.
//! - A lost port: [`observe`] → [`plan`] (pure) → [`Actor::act`]. CHECK is the
//!   first half of that: [`check`].
#![forbid(unsafe_code)]

mod act;
mod action;
mod attach;
pub mod auto;
mod check;
mod detach;
mod device;
mod drift;
mod error;
pub mod flood;
mod host;
mod l3;
mod memory;
pub mod names;
mod observe;
pub mod plan;
mod ports;
pub mod record;
pub mod store;
mod strategy;
mod undo;
pub mod view;

pub use act::{Actor, Outcome};
pub use action::Action;
pub use attach::attach;
pub use check::{check, drift};
pub use detach::{DetachRequest, Detached, detach};
pub use drift::Drift;
pub use error::{Error, Result};
pub use host::Host;
pub use l3::announce;
pub use memory::{Memory, Suspicion};
pub use observe::{Look, look_at_switch, observe, switch_of_snapshot};
pub use plan::plan;
pub use record::{Attachment, Key, Phase};
pub use store::{Store, StoreError};
pub use strategy::Strategy;
pub use view::Observed;
