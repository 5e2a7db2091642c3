//! What both commands do around their work: signals, the exit status, and the logs of a run that failed.

use std::process::ExitCode;

use tests::diagnosis;

use crate::interrupt;

/// Run `work` to its end or its first error, and say which.
///
/// What the switches logged is shown only when something failed: fixtures note it as they end.
pub fn run(work: impl FnOnce() -> anyhow::Result<()>) -> ExitCode {
    let (outcome, notes) = diagnosis::collect(|| interrupt::watch().and_then(|()| work()));
    let Err(error) = outcome else {
        return ExitCode::SUCCESS;
    };
    // Whatever was under way when the user stopped it did not fail: its logs would hide the reason.
    if let Err(interruption) = interrupt::check() {
        eprintln!("{interruption}");
        return ExitCode::FAILURE;
    }
    for note in notes {
        eprintln!("{note}");
    }
    eprintln!("error: {error:#}");
    ExitCode::FAILURE
}
