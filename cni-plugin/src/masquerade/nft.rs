//! Running the program `nft`.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use nix::fcntl::{Flock, FlockArg};
use serde_json::Value;

use crate::error::Error;

/// Where `nft` is looked for after PATH: runtimes start plugins with little of it.
const DIRECTORIES: [&str; 4] = ["/usr/sbin", "/sbin", "/usr/bin", "/bin"];

/// The program, found.
pub struct Nft {
    program: PathBuf,
}

impl Nft {
    /// Looks for the program.
    pub fn find() -> Result<Self, Error> {
        let path = std::env::var_os("PATH").unwrap_or_default();
        std::env::split_paths(&path)
            .chain(DIRECTORIES.map(PathBuf::from))
            .map(|directory| directory.join("nft"))
            .find(|program| program.is_file())
            .map(|program| Self { program })
            .ok_or_else(|| {
                Error::NotAvailable(
                    "\"ipMasq\" needs the program nft, which is not in PATH".to_owned(),
                )
            })
    }

    /// Applies a script as one transaction.
    pub fn apply(&self, script: &str) -> Result<(), Error> {
        tracing::debug!(script, "nft");
        let output = self.run(&["-f", "-"], script)?;
        if output.status.success() {
            return Ok(());
        }
        let stderr = String::from_utf8_lossy(&output.stderr);
        let message = stderr.lines().next().unwrap_or_default();
        Err(Error::Internal(format!(
            "nft refused the masquerade rules: {message}"
        )))
    }

    /// A table (family and name) with all that is in it; none if it does not exist.
    pub fn list(&self, table: &str) -> Result<Option<Value>, Error> {
        let mut arguments = vec!["-j", "list", "table"];
        arguments.extend(table.split(' '));
        let output = self.run(&arguments, "")?;
        if output.status.success() {
            return serde_json::from_slice(&output.stdout)
                .map(Some)
                .map_err(|error| Error::Internal(format!("nft list table {table}: {error}")));
        }
        let message = String::from_utf8_lossy(&output.stderr);
        if message.contains("No such file or directory") {
            return Ok(None);
        }
        let message = message.lines().next().unwrap_or_default();
        Err(Error::Internal(format!(
            "nft list table {table}: {message}"
        )))
    }

    fn run(&self, arguments: &[&str], input: &str) -> Result<Output, Error> {
        let failed = |error: io::Error| {
            Error::Internal(format!("execute {}: {error}", self.program.display()))
        };
        let mut child = Command::new(&self.program)
            .args(arguments)
            .env("LC_ALL", "C")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(failed)?;
        if let Some(mut stdin) = child.stdin.take() {
            // nft reads all of it before it prints; if it ends early, its status tells.
            let _ = stdin.write_all(input.as_bytes());
        }
        child.wait_with_output().map_err(failed)
    }
}

/// Waits for the lock that makes look-then-change one step among plugins: a
/// removal looks which chains would be left without use, and nobody may add to
/// one meanwhile. The directory itself is locked, so that no file is left.
pub fn lock(directory: &Path) -> Result<Flock<std::fs::File>, Error> {
    let failed = |error: io::Error| Error::Io(format!("lock {}: {error}", directory.display()));
    std::fs::create_dir_all(directory).map_err(failed)?;
    let file = std::fs::File::open(directory).map_err(failed)?;
    Flock::lock(file, FlockArg::LockExclusive).map_err(|(_, errno)| failed(errno.into()))
}
