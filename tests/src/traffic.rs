//! Traffic across an event: what the pods felt, and not only what the state looked like afterwards.
//!
//! [`PingTrain`] counts lost datagrams and times the outage; [`TcpSession`] proves that a connection lived on
//! and delivered every byte once and in order. [`Answerer`] and [`talk`] are the two ends of a Service.

mod answerer;
mod ping;
mod records;
mod talk;
mod tcp;

pub use answerer::Answerer;
pub use ping::{PingReport, PingTrain, Window};
pub use records::Tally;
pub use talk::talk;
pub use tcp::{Echo, TcpReport, TcpSession};
