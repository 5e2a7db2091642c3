//! The operator's tool: parses the command line, asks, prints, and maps the exit status.
#![forbid(unsafe_code)]

use std::io::Write;
use std::process::ExitCode;

use clap::Parser;
use daemon::ctl;

fn main() -> ExitCode {
    let arguments = ctl::Arguments::parse();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let outcome = match runtime {
        Ok(runtime) => runtime.block_on(ctl::run(arguments)),
        Err(error) => Err(error.into()),
    };
    match outcome {
        Ok((text, status)) => {
            // A reader that has seen enough (`| head`) is no failure.
            let _ = std::io::stdout().write_all(text.as_bytes());
            ExitCode::from(status)
        }
        Err(error) => {
            eprintln!("berthctl: {error:#}");
            ExitCode::from(ctl::NOT_HEALTHY)
        }
    }
}
