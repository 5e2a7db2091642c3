//! Logs on standard error, and what becomes of a panic.
//!
//! Standard output carries CNI JSON and nothing else. `BERTH_LOG` takes a
//! filter as tracing writes it, such as `debug` or `netlink=trace`.

use tracing_subscriber::EnvFilter;

use crate::error::Error;
use crate::version::SpecVersion;

/// Starts logging, and makes a panic answer the runtime with error 999.
pub fn start() {
    let filter = EnvFilter::builder()
        .with_default_directive(tracing::level_filters::LevelFilter::WARN.into())
        .with_env_var("BERTH_LOG")
        .from_env_lossy();
    // Fails only where a subscriber is set already, which then serves as well.
    let _ = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(false)
        .try_init();
    let default = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        default(panic);
        let error = Error::Internal(format!("internal error: {panic}"));
        println!("{}", error.to_json(SpecVersion::LATEST));
        std::process::exit(1);
    }));
}
