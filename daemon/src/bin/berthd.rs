//! The node daemon: parses the command line, sets up logs, calls the library, and maps the exit status.
#![forbid(unsafe_code)]

use std::process::ExitCode;

use anyhow::Context;
use daemon::config::{self, Verb};
use daemon::{logs, process, run, uninstall};

fn main() -> ExitCode {
    let invocation = match config::parse(std::env::args_os()) {
        Ok(invocation) => invocation,
        Err(error) => error.exit(),
    };
    match start(&invocation) {
        Ok(status) => status,
        Err(error) => {
            eprintln!("berthd: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn start(invocation: &config::Invocation) -> anyhow::Result<ExitCode> {
    let environment = |name: &str| std::env::var(name).ok();
    let settings = invocation.settings(environment, process::host_name)?;
    logs::init(&settings.log);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("cannot start the runtime")?;
    match invocation.verb {
        Verb::Run => {
            runtime.block_on(run::run(settings))?;
            Ok(ExitCode::SUCCESS)
        }
        Verb::Uninstall => {
            let removal = runtime.block_on(uninstall::uninstall(&settings))?;
            print!("{removal}");
            Ok(if removal.errors.is_empty() {
                ExitCode::SUCCESS
            } else {
                ExitCode::FAILURE
            })
        }
    }
}
