//! Faults for tests: the calling thread "is killed" (panics, and nothing on the way out
//! cleans the disk up) or gets an error before a chosen system call.

use std::cell::{Cell, RefCell};
use std::io;

/// What happens at the chosen call.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Fault {
    /// The process ends there.
    Kill,
    /// The call fails with this errno.
    Errno(i32),
}

thread_local! {
    static ARMED: Cell<Option<(usize, Fault)>> = const { Cell::new(None) };
    static WITHOUT_UNNAMED: Cell<bool> = const { Cell::new(false) };
    static CALLS: RefCell<Vec<&'static str>> = const { RefCell::new(Vec::new()) };
}

/// Lets the fault happen before the call of this number, counted from 0.
pub(crate) fn arm(call: usize, fault: Fault) {
    CALLS.with_borrow_mut(Vec::clear);
    ARMED.set(Some((call, fault)));
}

/// No faults any more; gives the calls made since `arm`.
pub(crate) fn disarm() -> Vec<&'static str> {
    ARMED.set(None);
    CALLS.with_borrow_mut(std::mem::take)
}

/// As on a file system without unnamed files.
pub(crate) fn without_unnamed_files(without: bool) {
    WITHOUT_UNNAMED.set(without);
}

pub(crate) fn before(call: &'static str) -> io::Result<()> {
    if let Some((left, fault)) = ARMED.get() {
        CALLS.with_borrow_mut(|calls| calls.push(call));
        ARMED.set(left.checked_sub(1).map(|left| (left, fault)));
        if left == 0 {
            match fault {
                Fault::Kill => std::panic::resume_unwind(Box::new(call)),
                Fault::Errno(errno) => return Err(io::Error::from_raw_os_error(errno)),
            }
        }
    }
    if call == "open unnamed" && WITHOUT_UNNAMED.get() {
        return Err(io::Error::from_raw_os_error(nix::libc::EOPNOTSUPP));
    }
    Ok(())
}
