//! Ctrl-C and SIGTERM: the run ends at its next step and cleans up as after a failure.
//!
//! What a bench makes (namespaces, switches, daemons, folders) is removed by the
//! destructors of the values that stand for it; so an interruption must become an
//! error that travels up, not the end of the process.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use anyhow::{Context, bail};
use signal_hook::consts::{SIGINT, SIGTERM};

static ASKED: OnceLock<Arc<AtomicBool>> = OnceLock::new();

/// From now on the signals are remembered; a second one ends the process at once.
///
/// # Errors
/// When the handlers cannot be set.
pub fn watch() -> anyhow::Result<()> {
    let asked = Arc::clone(ASKED.get_or_init(Arc::default));
    for signal in [SIGINT, SIGTERM] {
        // In this order: the first signal finds the flag unset and sets it, the second finds it set.
        signal_hook::flag::register_conditional_default(signal, Arc::clone(&asked))
            .and_then(|_| signal_hook::flag::register(signal, Arc::clone(&asked)))
            .context("cannot watch for signals")?;
    }
    Ok(())
}

/// An error once the user has asked to stop; called between any two steps.
///
/// # Errors
/// After SIGINT or SIGTERM.
pub fn check() -> anyhow::Result<()> {
    if ASKED
        .get()
        .is_some_and(|asked| asked.load(Ordering::Relaxed))
    {
        bail!("interrupted; everything is cleaned up");
    }
    Ok(())
}
