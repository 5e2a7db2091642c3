//! `berth`, the CNI binary.
//!
//! It does its own work and needs no daemon: a runtime executes it once for
//! each request, with the verb in the environment and the configuration on
//! standard input. The name it is called by chooses the plugin.
#![forbid(unsafe_code)]

mod answer;
mod args;
mod child;
mod config;
mod delegate;
mod deletion;
mod error;
mod field;
mod flannel;
mod intent;
mod ipam_plugin;
mod ipam_source;
mod logs;
mod loopback;
mod masquerade;
mod ops;
mod parting;
mod program;
mod request;
mod result;
mod sandbox;
mod teardown;
mod version;

use std::io::{Read, Write};
use std::process::ExitCode;

use serde_json::Value;

use error::Error;
use program::Program;
use request::{Environment, Request, Verb};
use version::SpecVersion;

fn main() -> ExitCode {
    let mut arguments = std::env::args_os();
    let program = Program::of_name(&arguments.next().unwrap_or_default());
    let arguments: Vec<String> = arguments
        .map(|one| one.to_string_lossy().into_owned())
        .collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        ["--version" | "-V", ..] => {
            println!("{}", program.version());
            return ExitCode::SUCCESS;
        }
        ["--help" | "-h", ..] => {
            println!("{}", program.about());
            return ExitCode::SUCCESS;
        }
        [parting::ARGUMENT] => return ExitCode::SUCCESS,
        [deletion::ARGUMENT, name, alias] => {
            return match block_on(deletion::run(name, alias)) {
                Ok(()) => ExitCode::SUCCESS,
                Err(_) => ExitCode::FAILURE,
            };
        }
        _ => {}
    }
    let mut version = SpecVersion::LATEST;
    match answer(program, &mut version) {
        Ok(None) => ExitCode::SUCCESS,
        Ok(Some(value)) => print(&value, ExitCode::SUCCESS),
        Err(error) => print(&error.to_json(version), ExitCode::FAILURE),
    }
}

/// Serves what the environment asks for; `version` becomes that of the answer.
fn answer(program: Program, version: &mut SpecVersion) -> Result<Option<Value>, Error> {
    let environment = Environment::of_process();
    let Some(verb) = environment.verb()? else {
        eprintln!("{}", program.about());
        return Ok(None);
    };
    if verb == Verb::Version {
        return Ok(Some(ops::version::answer()));
    }
    logs::start();
    let mut stdin = Vec::new();
    std::io::stdin()
        .read_to_end(&mut stdin)
        .map_err(|error| Error::Io(format!("read standard input: {error}")))?;
    *version = request::version_for_errors(&stdin);
    let request = Request::parse(verb, &environment, &stdin)?;
    block_on(program.serve(&request))
}

/// Runs what is async on this thread alone.
fn block_on<T>(work: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Error::Internal(format!("start the runtime: {error}")))?;
    runtime.block_on(work)
}

fn print(value: &Value, code: ExitCode) -> ExitCode {
    match writeln!(std::io::stdout(), "{value}") {
        Ok(()) => code,
        Err(error) => {
            eprintln!("write the answer to standard output: {error}");
            ExitCode::FAILURE
        }
    }
}
