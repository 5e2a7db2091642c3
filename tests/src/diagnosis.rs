//! What fixtures have to say about a test that failed, shown only then.
//!
//! Under libtest a print is captured and shown for failures only. libtest-mimic captures nothing, so there the
//! runner opens a collection on its thread, and prints it when the trial has failed.

use std::cell::RefCell;

thread_local! {
    static NOTES: RefCell<Option<Vec<String>>> = const { RefCell::new(None) };
}

/// Keeps `note` for the runner of this thread, or prints it for libtest to capture.
pub(crate) fn note(note: String) {
    let unclaimed = NOTES.with_borrow_mut(|notes| match notes {
        Some(notes) => {
            notes.push(note);
            None
        }
        None => Some(note),
    });
    if let Some(note) = unclaimed {
        println!("{note}");
    }
}

/// Runs `work` and returns with its outcome what fixtures noted meanwhile on this thread.
pub fn collect<T>(work: impl FnOnce() -> T) -> (T, Vec<String>) {
    NOTES.set(Some(Vec::new()));
    let outcome = work();
    (outcome, NOTES.take().unwrap_or_default())
}
