//! The crate against mock servers that do what a real one does rarely or must never do.
#![allow(
    clippy::unwrap_used,
    reason = "a test, also where clippy does not see it as one"
)]

#[path = "mock/peer.rs"]
mod peer;

#[path = "mock/client.rs"]
mod client;
#[path = "mock/fuzz.rs"]
mod fuzz;
#[path = "mock/openflow.rs"]
mod openflow;
#[path = "mock/session.rs"]
mod session;
#[path = "mock/switch.rs"]
mod switch;
