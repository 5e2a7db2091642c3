//! The daemon of a node under test: a child of the test, ended by its own process id.

use std::fs::{self, File};
use std::path::PathBuf;
use std::process::{Child, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::json;

use super::{Node, Pod};
use crate::{binaries, diagnosis, wait};

/// How long the daemon may take to start or to end before the test gives up.
const LIMIT: Duration = Duration::from_secs(30);

/// A running `berthd`; dropped, it is killed and its log is noted.
pub(super) struct Berthd {
    child: Child,
    log: PathBuf,
}

impl Drop for Berthd {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
        let log = fs::read_to_string(&self.log).unwrap_or_default();
        let tail: Vec<_> = log.lines().rev().take(60).collect();
        let tail: Vec<_> = tail.into_iter().rev().collect();
        diagnosis::note(format!("berthd said last:\n{}", tail.join("\n")));
    }
}

impl Node {
    /// Starts `berthd` and returns when it answers on its socket and has made its first full pass.
    ///
    /// # Errors
    /// When it runs already, ends at once or does not answer.
    pub fn start_berthd(&mut self) -> Result<()> {
        self.spawn_berthd(&[])?;
        wait::until(LIMIT, "berthd to answer berthctl status", || {
            // 0 is healthy and 1 not: both are answers, and before its first pass the socket is not there.
            self.berthctl(&["-o", "json", "status"])
                .is_ok_and(|output| output.stdout.starts_with(b"{"))
        })
    }

    /// Starts `berthd` with more arguments and returns at once.
    ///
    /// # Errors
    /// When it runs already or cannot be executed.
    pub fn spawn_berthd(&mut self, more: &[&str]) -> Result<()> {
        self.spawn(&[], more)
    }

    /// Starts `berthd` under another program, as `strace`, given by its words.
    ///
    /// # Errors
    /// As [`Node::spawn_berthd`].
    pub fn spawn_berthd_under(&mut self, wrapper: &[&str]) -> Result<()> {
        self.spawn(wrapper, &[])
    }

    fn spawn(&mut self, wrapper: &[&str], more: &[&str]) -> Result<()> {
        if self.berthd.is_some() {
            bail!("berthd runs already");
        }
        let log = self.scratch().join("berthd.log");
        let file = File::options().create(true).append(true).open(&log)?;
        let berthd = binaries::berthd()?;
        let mut command = match wrapper.split_first() {
            Some((first, rest)) => {
                let mut command = self.netns.command(first);
                command.args(rest).arg(berthd);
                command
            }
            None => self.netns.command(berthd),
        };
        command.arg("--state-dir").arg(self.state_dir());
        command.args(["--healthz", "none", "--metrics", "none"]);
        let conflists = self.scratch().join("net.d");
        fs::create_dir_all(&conflists)?;
        let conflist = json!({"cniVersion": "1.1.0", "name": "pods", "plugins": [self.config()]});
        fs::write(conflists.join("10-berth.conflist"), conflist.to_string())?;
        command.arg("--ipam-dir").arg(self.ipam_dir());
        command.arg("--cni-conf-dir").arg(conflists);
        if let Some(switch) = &self.switch {
            command.arg("--ovsdb").arg(switch.socket());
        }
        command.args(more).env("BERTH_LOG", "debug");
        command
            .stdin(Stdio::null())
            .stdout(file.try_clone()?)
            .stderr(file);
        let child = command.spawn().context("cannot start berthd")?;
        self.berthd = Some(Berthd { child, log });
        Ok(())
    }

    /// The process id of the daemon.
    ///
    /// # Errors
    /// When it does not run.
    pub fn berthd_pid(&self) -> Result<u32> {
        Ok(self
            .berthd
            .as_ref()
            .context("berthd does not run")?
            .child
            .id())
    }

    /// What the daemon has logged so far.
    pub fn berthd_log(&self) -> String {
        fs::read_to_string(self.scratch().join("berthd.log")).unwrap_or_default()
    }

    /// Ends the daemon with SIGKILL.
    ///
    /// # Errors
    /// When it does not run.
    pub fn kill_berthd(&mut self) -> Result<()> {
        self.berthd.take().context("berthd does not run").map(drop)
    }

    /// Ends the daemon with SIGTERM and waits for its end.
    ///
    /// # Errors
    /// When it does not run, does not end, or does not exit with success.
    pub fn stop_berthd(&mut self) -> Result<()> {
        let mut berthd = self.berthd.take().context("berthd does not run")?;
        kill(
            Pid::from_raw(berthd.child.id().cast_signed()),
            Signal::SIGTERM,
        )?;
        let status = wait::until_some(LIMIT, "the end of berthd", || {
            berthd.child.try_wait().ok().flatten()
        })?;
        anyhow::ensure!(status.success(), "berthd ended with {status}");
        Ok(())
    }

    /// Waits until the daemon has died, as by an injected signal, or has answered and made `pods` whole; true for
    /// the latter.
    ///
    /// # Errors
    /// When neither happens.
    pub fn await_whole_or_death(&mut self, pods: &[&Pod]) -> Result<bool> {
        let mut berthd = self.berthd.take().context("berthd does not run")?;
        let limit = LIMIT * 2;
        let outcome = wait::until_some(limit, "the end of berthd, or its work done", || {
            if let Ok(Some(_)) = berthd.child.try_wait() {
                return Some(false);
            }
            let answers = self.berthctl(&["-o", "json", "status"]).ok()?;
            let whole = pods.iter().all(|pod| pod.is_whole());
            (whole && answers.stdout.starts_with(b"{")).then_some(true)
        })?;
        if outcome {
            self.berthd = Some(berthd);
        }
        Ok(outcome)
    }
}
