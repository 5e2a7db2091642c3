//! Logs on stderr, where a container runtime or the journal picks them up.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;

/// Sets up logging with a filter that the settings have checked. Later calls change nothing.
pub fn init(filter: &str) {
    let subscriber = tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::new(filter))
        .with_ansi(std::io::stderr().is_terminal())
        .with_writer(std::io::stderr)
        .finish();
    // Fails only where a test has set one up already.
    let _ = tracing::subscriber::set_global_default(subscriber);
}
