//! Closing a packet socket without waiting for the kernel.
//!
//! The last close of such a socket ends with an RCU barrier, some ten milliseconds that
//! no pod has to wait for. A child, this program again, holds the socket for a moment:
//! its end is the last close, and no one waits for that.

use std::os::fd::OwnedFd;
use std::process::Stdio;

use crate::child;

/// The first argument that makes this program such a child.
pub const ARGUMENT: &str = "--close";

/// Leaves the closing of `socket` to a child. Without one it is closed here, later.
pub fn leave(socket: OwnedFd) {
    if let Err(error) = child::start([ARGUMENT], Stdio::from(socket)) {
        tracing::debug!(%error, "no child to close a socket");
    }
}
