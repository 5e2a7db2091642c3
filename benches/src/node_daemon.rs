//! berthd, running on a contender's node as it runs in production: the harness's own logs at debug level.

use std::fs::File;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use tests::{binaries, wait};

use crate::contender::Contender;

/// A running berthd; dropped, it is ended.
#[derive(Debug)]
pub struct NodeDaemon {
    child: Child,
    log: PathBuf,
    socket: PathBuf,
}

impl NodeDaemon {
    /// Start berthd on the contender's node, for its switch and its records; returns when it reports a healthy node.
    ///
    /// # Errors
    /// When it is not built or does not come up; the message has its log.
    pub fn start(contender: &Contender) -> Result<Self> {
        let state = contender.state();
        std::fs::create_dir_all(state)
            .with_context(|| format!("cannot make {}", state.display()))?;
        let log = state.join("berthd.log");
        let output =
            File::create(&log).with_context(|| format!("cannot make {}", log.display()))?;
        let mut command = contender.node().command(binaries::berthd()?);
        command.args([
            "--node-name",
            "bench",
            "--services",
            "none",
            "--healthz",
            "none",
            "--metrics",
            "none",
        ]);
        command
            .arg("--state-dir")
            .arg(state)
            .arg("--bpf-dir")
            .arg(state.join("bpf"));
        if let Some(ovs) = contender.ovs() {
            command.arg("--ovsdb").arg(ovs.socket());
        }
        command
            .stdin(Stdio::null())
            .stdout(output.try_clone()?)
            .stderr(output);
        let child = command.spawn().context("cannot start berthd")?;
        let mut daemon = Self {
            child,
            log,
            socket: state.join("berthd.sock"),
        };
        daemon.await_healthy()?;
        Ok(daemon)
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// What it has logged.
    pub fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// Wait until it says that everything is as it ought to be.
    ///
    /// # Errors
    /// When it ended, or does not say so in time; the message has its log.
    pub fn await_healthy(&mut self) -> Result<()> {
        let berthctl = binaries::berthctl()?;
        let healthy = wait::until_ok(Duration::from_secs(30), "a healthy node", || {
            let output = Command::new(&berthctl)
                .arg("--socket")
                .arg(&self.socket)
                .arg("status")
                .output()?;
            if !output.status.success() {
                bail!(
                    "berthctl status: {}",
                    String::from_utf8_lossy(&output.stdout).trim()
                );
            }
            Ok(())
        });
        if let Some(status) = self.child.try_wait()? {
            bail!("berthd ended with {status}: {}", self.log());
        }
        healthy.with_context(|| format!("log of berthd: {}", self.log()))
    }
}

impl Drop for NodeDaemon {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}
