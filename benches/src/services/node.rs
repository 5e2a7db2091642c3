//! A node whose Services berthd programs from a folder of manifests.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};
use serde_json::Value;
use tempfile::TempDir;
use tests::bpffs::{BpfFs, Cgroup};
use tests::node::Node;
use tests::rig::Rig;
use tests::wait;

use crate::programs::in_memory;

/// How long the first sync may take before the bench gives up.
const LIMIT: Duration = Duration::from_secs(300);

/// A node with berthd; dropped, all of it goes.
pub struct ServiceNode {
    // In this order: the daemon of the node ends before its pins and its cgroup go.
    /// The node.
    pub node: Node,
    /// What berthd reads.
    pub manifests: TempDir,
    /// Where its socket programs are in force.
    pub cgroup: Cgroup,
    bpf: BpfFs,
    /// Whether the socket programs are in force for the whole machine instead.
    everywhere: bool,
}

impl std::fmt::Debug for ServiceNode {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ServiceNode").finish_non_exhaustive()
    }
}

impl ServiceNode {
    /// A routed node without manifests; berthd does not run yet.
    ///
    /// # Errors
    /// When the kernel refuses what it is made of.
    pub fn new() -> Result<Self> {
        Ok(Self {
            node: Node::routed()?,
            // Where a file that takes another's place waits for no disk.
            manifests: tempfile::tempdir_in(in_memory())
                .context("cannot make a folder of manifests")?,
            cgroup: Cgroup::new("bench")?,
            bpf: BpfFs::new()?,
            everywhere: false,
        })
    }

    /// The same, with socket programs for every process, as on a real node: for a machine that nobody else uses.
    ///
    /// # Errors
    /// As [`ServiceNode::new`].
    pub fn everywhere() -> Result<Self> {
        let mut node = Self::new()?;
        node.everywhere = Rig::current().is_vm();
        Ok(node)
    }

    /// Where the tables are pinned.
    pub fn bpf_dir(&self) -> PathBuf {
        self.bpf.path().join("berth")
    }

    /// The folder that berthd reads.
    pub fn folder(&self) -> &Path {
        self.manifests.path()
    }

    /// Starts berthd with more arguments, and returns at once.
    ///
    /// # Errors
    /// When it cannot be executed.
    pub fn spawn(&mut self, more: &[&str]) -> Result<()> {
        let services = format!("dir:{}", self.folder().display());
        let bpf = self.bpf_dir().display().to_string();
        let cgroup = self.cgroup.path().display().to_string();
        let mut arguments = vec![
            "--services",
            &services,
            "--bpf-dir",
            &bpf,
            "--node-name",
            "node-0",
        ];
        if !self.everywhere {
            arguments.extend(["--cgroup", &cgroup]);
        }
        arguments.extend(more);
        self.node.spawn_berthd(&arguments)
    }

    /// Starts berthd with more arguments, and waits until everything that is in the folder is programmed.
    ///
    /// # Errors
    /// When it ends, or is not done within a generous limit; the message has its log.
    pub fn start(&mut self, more: &[&str]) -> Result<()> {
        self.spawn(more)?;
        wait::until_ok(LIMIT, "the first sync", || {
            let status = self.status()?;
            anyhow::ensure!(!status["syncedAtUs"].is_null(), "{status}");
            Ok(())
        })
        .with_context(|| format!("log of berthd: {}", self.node.berthd_log()))
    }

    /// What `berthctl status` says of Services.
    ///
    /// # Errors
    /// When it does not answer.
    pub fn status(&self) -> Result<Value> {
        let output = self.node.berthctl(&["-o", "json", "status"])?;
        let mut status: Value = serde_json::from_slice(&output.stdout)
            .with_context(|| String::from_utf8_lossy(&output.stderr).into_owned())?;
        Ok(status["services"].take())
    }

    /// How often each verdict was given so far.
    ///
    /// # Errors
    /// When berthd does not answer.
    pub fn verdicts(&self) -> Result<Value> {
        let output = self.node.berthctl(&["-o", "json", "services"])?;
        let mut answer: Value = serde_json::from_slice(&output.stdout)
            .with_context(|| String::from_utf8_lossy(&output.stderr).into_owned())?;
        Ok(answer["verdicts"].take())
    }

    /// Milliseconds of processors that berthd has used so far: on a busy machine they say more than the clock.
    ///
    /// # Errors
    /// When it does not run.
    pub fn processor_millis(&self) -> Result<f64> {
        let path = format!("/proc/{}/stat", self.node.berthd_pid()?);
        let text = fs::read_to_string(&path).with_context(|| format!("cannot read {path}"))?;
        // After the name, which may have blanks in it: user and system time are the 12th and 13th, in hundredths.
        let (_, rest) = text.rsplit_once(')').context("no name")?;
        let words = rest.split_whitespace().skip(11).take(2);
        let ticks: f64 = words.filter_map(|word| word.parse::<f64>().ok()).sum();
        Ok(ticks * 10.0)
    }

    /// Mebibytes of memory that berthd has, and the most it had so far.
    ///
    /// # Errors
    /// When it does not run.
    pub fn memory(&self) -> Result<(f64, f64)> {
        let path = format!("/proc/{}/status", self.node.berthd_pid()?);
        let text = fs::read_to_string(&path).with_context(|| format!("cannot read {path}"))?;
        let field = |name: &str| {
            let line = text.lines().find_map(|line| line.strip_prefix(name));
            let kib: Option<f64> =
                line.and_then(|line| line.split_whitespace().next()?.parse().ok());
            kib.map(|kib| kib / 1024.0)
                .with_context(|| format!("no {name} in {path}"))
        };
        Ok((field("VmRSS:")?, field("VmHWM:")?))
    }
}
