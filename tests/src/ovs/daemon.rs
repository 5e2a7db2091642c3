//! One daemon of OVS: a child of the test, or one that `ovs-ctl` started for it; ended by its own process id.

use std::fs::{self, File};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread::{self, JoinHandle};

use anyhow::{Context, Result, ensure};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// A running daemon; dropped, it is killed, and reaped if it is a child.
#[derive(Debug)]
pub(super) struct Daemon {
    pid: u32,
    child: Option<Child>,
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
        Ok(Daemon {
            pid: child.id(),
            child: Some(child),
        })
    }

    /// Takes over the daemon called `name` that a script has started, by the file it left its process id in.
    pub(super) fn adopt(name: &str, pidfile: &Path) -> Result<Self> {
        let text =
            fs::read_to_string(pidfile).with_context(|| format!("no {}", pidfile.display()))?;
        let pid: u32 = text
            .trim()
            .parse()
            .with_context(|| format!("{} has {text:?}", pidfile.display()))?;
        // What is taken over is killed some day: not a stranger that the number went to.
        let comm = fs::read_to_string(format!("/proc/{pid}/comm"))
            .with_context(|| format!("no process {pid} of {}", pidfile.display()))?;
        // The kernel keeps fifteen bytes of a name.
        let known = name.get(..15).unwrap_or(name);
        ensure!(
            comm.trim_end() == known,
            "process {pid} is {comm:?}, not {name}"
        );
        Ok(Daemon { pid, child: None })
    }

    /// Leaves the ending to somebody else; joined, the thread has reaped it.
    pub(super) fn release(mut self) -> JoinHandle<()> {
        let child = self.child.take();
        self.pid = 0;
        thread::spawn(move || {
            if let Some(mut child) = child {
                child.wait().ok();
            }
        })
    }

    pub(super) fn pid(&self) -> u32 {
        self.pid
    }

    /// Whether it has ended.
    pub(super) fn ended(&mut self) -> bool {
        match &mut self.child {
            Some(child) => matches!(child.try_wait(), Ok(Some(_))),
            None => !Path::new("/proc").join(self.pid.to_string()).exists(),
        }
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        match (&mut self.child, self.pid) {
            (Some(child), _) => {
                child.kill().ok();
                child.wait().ok();
            }
            (None, 0) => {}
            (None, pid) => {
                kill(Pid::from_raw(pid.cast_signed()), Signal::SIGKILL).ok();
            }
        }
    }
}
