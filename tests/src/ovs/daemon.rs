//! One daemon of OVS as a child of the test: started in the foreground, ended by its own process id.

use std::fs::File;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};

use anyhow::{Context, Result};

/// A running child; dropped, it is killed and reaped.
#[derive(Debug)]
pub(super) struct Daemon {
    child: Child,
}

impl Daemon {
    /// Starts `command` with its console output in `output`.
    pub(super) fn spawn(mut command: Command, output: &Path) -> Result<Self> {
        let log = File::options().create(true).append(true).open(output)?;
        command
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log);
        let child = command
            .spawn()
            .with_context(|| format!("cannot start {command:?}: is OVS installed?"))?;
        Ok(Daemon { child })
    }

    pub(super) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// The status it ended with, or `None` while it runs.
    pub(super) fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().ok().flatten()
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}
