//! Executing another plugin: an IPAM plugin that `ipam.type` names.
//!
//! The delegate gets this plugin's configuration and environment as they are,
//! but for the verb where ADD has to be undone. Its error is passed on with its
//! own code.

use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;

use crate::error::Error;
use crate::field::Field;
use crate::request::{Request, Verb};
use crate::result::CniResult;

/// The most of a delegate's output that an error message repeats, in bytes.
const SHOWN: usize = 400;

/// Runs `plugin` for `verb` and returns its result, if it printed one.
pub fn run(request: &Request, plugin: &str, verb: Verb) -> Result<Option<CniResult>, Error> {
    let program = find(&request.path, plugin)?;
    tracing::debug!(plugin, program = %program.display(), verb = verb.as_str(), "executing delegate");
    let output = execute(&program, verb, request.config.to_string().into_bytes())
        .map_err(|error| Error::Internal(format!("execute {}: {error}", program.display())))?;
    if !output.status.success() {
        return Err(failure(plugin, &output));
    }
    if output.stdout.iter().all(u8::is_ascii_whitespace) {
        return Ok(None);
    }
    let answer: Value = serde_json::from_slice(&output.stdout)
        .map_err(|error| Error::Decode(format!("result of plugin {plugin:?}: {error}")))?;
    let path = format!("result of {plugin}");
    CniResult::from_field(&Field::at(&path, Some(&answer)), request.version)
        .map(Some)
        .map_err(|error| Error::Decode(error.to_string()))
}

/// The executable file `plugin` in the first directory that has one.
pub fn find(path: &[PathBuf], plugin: &str) -> Result<PathBuf, Error> {
    let is_executable = |file: &PathBuf| {
        file.metadata()
            .is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0)
    };
    path.iter()
        .map(|directory| directory.join(plugin))
        .find(is_executable)
        .ok_or_else(|| {
            let path: Vec<_> = path
                .iter()
                .map(|directory| directory.to_string_lossy())
                .collect();
            Error::Config(format!(
                "plugin {plugin:?} of \"ipam.type\" not found in CNI_PATH {:?}",
                path.join(":")
            ))
        })
}

fn execute(program: &Path, verb: Verb, config: Vec<u8>) -> std::io::Result<Output> {
    let mut child = Command::new(program)
        .env("CNI_COMMAND", verb.as_str())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::inherit())
        .spawn()?;
    // From a thread, lest both sides wait with full pipes.
    let writer = child
        .stdin
        .take()
        .map(|mut stdin| std::thread::spawn(move || stdin.write_all(&config)));
    let output = child.wait_with_output()?;
    if let Some(writer) = writer {
        // A delegate need not read its configuration, as for VERSION.
        let _ = writer.join();
    }
    Ok(output)
}

/// The error that a plugin printed, or one about its not having printed any.
fn failure(plugin: &str, output: &Output) -> Error {
    let answer: Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
    let text = |key: &str| answer[key].as_str().unwrap_or_default().to_owned();
    let code = answer["code"]
        .as_u64()
        .and_then(|code| u32::try_from(code).ok());
    match code {
        Some(code) if code != 0 => Error::Delegate {
            plugin: plugin.to_owned(),
            code,
            msg: text("msg"),
            details: text("details"),
        },
        _ => {
            let shown = &output.stdout[..output.stdout.len().min(SHOWN)];
            Error::Internal(format!(
                "plugin {plugin:?} failed ({}) without a CNI error: {:?}",
                output.status,
                String::from_utf8_lossy(shown)
            ))
        }
    }
}
