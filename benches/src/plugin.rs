//! One call of a CNI plugin, timed as its runtime experiences it.
//!
//! From before the fork until the process has ended and its output is read. Calls
//! are made on a thread that is in the node's namespace already, so that entering
//! it is no part of the time, and the fork needs no code between it and the exec.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde_json::Value;

/// A plugin binary with the folder where its delegates are looked for.
#[derive(Clone, Debug)]
pub struct Plugin {
    /// What is executed.
    pub program: PathBuf,
    /// `CNI_PATH`.
    pub path: PathBuf,
}

/// What a runtime says about the interface it wants attached or detached.
#[derive(Clone, Debug)]
pub struct Pod<'a> {
    /// `CNI_CONTAINERID`.
    pub container: &'a str,
    /// `CNI_NETNS`.
    pub netns: &'a Path,
}

/// A call that succeeded.
#[derive(Debug)]
pub struct Done {
    /// How long it took.
    pub elapsed: Duration,
    /// What it printed.
    pub stdout: String,
}

impl Done {
    /// Milliseconds, the unit of the tables.
    pub fn millis(&self) -> f64 {
        self.elapsed.as_secs_f64() * 1e3
    }

    /// The result that ADD printed.
    ///
    /// # Errors
    /// When it is not JSON.
    pub fn result(&self) -> Result<Value> {
        serde_json::from_str(&self.stdout)
            .with_context(|| format!("ADD printed no JSON: {:?}", self.stdout))
    }
}

impl Plugin {
    /// Run the plugin to its end in the namespace of this thread.
    ///
    /// # Errors
    /// When it cannot be started or fails; the message has all it printed.
    pub fn call(&self, verb: &str, pod: &Pod<'_>, config: &Value) -> Result<Done> {
        let config = config.to_string();
        let start = Instant::now();
        let mut child = self.start(verb, pod)?;
        feed(&mut child, &config)?;
        let output = child
            .wait_with_output()
            .context("a plugin cannot be waited for")?;
        let elapsed = start.elapsed();
        let stdout = String::from_utf8_lossy(&output.stdout).into_owned();
        if !output.status.success() {
            bail!(
                "{} {verb} of {} ended with {}: {} {}",
                self.program.display(),
                pod.container,
                output.status,
                stdout.trim(),
                String::from_utf8_lossy(&output.stderr).trim()
            );
        }
        Ok(Done { elapsed, stdout })
    }

    /// Start the plugin; it waits for its configuration, see [`feed`].
    ///
    /// # Errors
    /// When it cannot be executed.
    pub fn start(&self, verb: &str, pod: &Pod<'_>) -> Result<Child> {
        Command::new(&self.program)
            .env("CNI_COMMAND", verb)
            .env("CNI_CONTAINERID", pod.container)
            .env("CNI_NETNS", pod.netns)
            .env("CNI_IFNAME", "eth0")
            .env("CNI_PATH", &self.path)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .with_context(|| format!("cannot execute {}", self.program.display()))
    }
}

/// Give a started plugin its configuration and close its standard input.
///
/// The configurations here are smaller than a pipe's buffer, so the write never waits.
///
/// # Errors
/// When the plugin has closed its standard input.
pub fn feed(child: &mut Child, config: &str) -> Result<()> {
    let mut input = child
        .stdin
        .take()
        .context("a plugin without standard input")?;
    match input.write_all(config.as_bytes()) {
        // It answered without reading, as for VERSION; its exit status says whether that was right.
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
        other => other.context("cannot write a plugin's configuration"),
    }
}
