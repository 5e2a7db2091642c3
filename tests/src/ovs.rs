//! A private Open vSwitch: its own ovsdb-server and ovs-vswitchd, run directory, database and log, all in one
//! temporary directory, in a given network namespace.
//!
//! Tests restart, kill and wipe it as they like; two of them never meet. Dropped, it ends its two processes by
//! their ids and removes the directory; what the logs said is shown when the test has failed.

use std::ffi::OsStr;
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use tempfile::TempDir;

use crate::netns::{Entrance, Netns};
use crate::{diagnosis, wait};

mod daemon;
mod restart;

use daemon::Daemon;

/// How long a program of OVS may take before a wait gives up.
const LIMIT: Duration = Duration::from_secs(30);

/// Debian's place for the schema of the database.
const SCHEMA: &str = "/usr/share/openvswitch/vswitch.ovsschema";

/// The datapath of a bridge, which decides what an internal port is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Datapath {
    /// `datapath_type=netdev`: internal ports are taps of ovs-vswitchd.
    Userspace,
    /// `datapath_type=system`: internal ports are vports of the openvswitch module.
    Kernel,
}

impl Datapath {
    /// The value of `datapath_type`.
    pub fn kind(self) -> &'static str {
        match self {
            Datapath::Userspace => "netdev",
            Datapath::Kernel => "system",
        }
    }
}

impl fmt::Display for Datapath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Datapath::Userspace => "userspace",
            Datapath::Kernel => "kernel",
        })
    }
}

/// One running Open vSwitch.
#[derive(Debug)]
pub struct Ovs {
    rundir: TempDir,
    socket: PathBuf,
    pub(crate) entrance: Entrance,
    datapath: Datapath,
    ovsdb: Option<Daemon>,
    vswitchd: Option<Daemon>,
}

impl Ovs {
    /// Makes an empty database, starts both daemons inside `netns`, and returns when vswitchd answers.
    ///
    /// # Errors
    /// When OVS is not installed or does not come up; the message has the tail of its log.
    pub fn start(netns: &Netns, datapath: Datapath) -> Result<Self> {
        let rundir = tempfile::Builder::new()
            .prefix("berth-ovs-")
            .tempdir()
            .context("no temporary directory")?;
        let socket = rundir.path().join("db.sock");
        // The longest socket beside it is ovs-vswitchd.<pid>.ctl or <bridge>.snoop; sun_path holds 108 bytes.
        ensure!(
            rundir.path().as_os_str().len() < 75,
            "TMPDIR is too long for sockets: {}",
            rundir.path().display()
        );
        let entrance = netns.entrance();
        let mut ovs = Ovs {
            rundir,
            socket,
            entrance,
            datapath,
            ovsdb: None,
            vswitchd: None,
        };
        ovs.create_database()?;
        ovs.start_ovsdb()?;
        ovs.start_vswitchd()?;
        Ok(ovs)
    }

    /// The OVSDB socket, `<rundir>/db.sock`.
    pub fn socket(&self) -> &Path {
        &self.socket
    }

    /// Directory of sockets, pid files (`ovs-vswitchd.pid`), database and logs.
    pub fn rundir(&self) -> &Path {
        self.rundir.path()
    }

    /// The datapath that [`Ovs::add_bridge`] gives to bridges.
    pub fn datapath(&self) -> Datapath {
        self.datapath
    }

    /// Adds a bridge of this fixture's datapath and sets its local port up.
    ///
    /// # Errors
    /// When `ovs-vsctl` fails, or the bridge does not appear in the datapath.
    pub fn add_bridge(&self, name: &str) -> Result<()> {
        let datapath = format!("datapath_type={}", self.datapath.kind());
        self.vsctl(&["add-br", name, "--", "set", "bridge", name, &datapath])?;
        let mut up = self.entrance.tool("ip");
        up.args(["link", "set", name, "up"]);
        self.entrance.finish(up).map(drop)
    }

    /// Runs `ovs-vsctl` on this database and returns what it printed, trimmed. It waits for vswitchd, as always,
    /// unless the arguments begin with `--no-wait`.
    ///
    /// # Errors
    /// When it fails; the message has its standard error.
    pub fn vsctl(&self, arguments: &[&str]) -> Result<String> {
        let database = format!("--db=unix:{}", self.socket.display());
        let timeout = format!(
            "--timeout={}",
            (LIMIT * crate::rig::Rig::patience()).as_secs()
        );
        self.entrance.finish(self.tool(
            "ovs-vsctl",
            [database.as_str(), &timeout].iter().chain(arguments),
        ))
    }

    /// Runs `ovs-ofctl` with this run directory, so that a bridge can be given by name.
    ///
    /// # Errors
    /// When it fails; the message has its standard error.
    pub fn ofctl(&self, arguments: &[&str]) -> Result<String> {
        self.entrance.finish(self.tool("ovs-ofctl", arguments))
    }

    /// Runs `ovs-appctl` against vswitchd.
    ///
    /// # Errors
    /// When it fails or vswitchd does not run.
    pub fn appctl(&self, arguments: &[&str]) -> Result<String> {
        let target = self
            .rundir()
            .join(format!("ovs-vswitchd.{}.ctl", self.vswitchd_pid()?));
        let first = [
            OsStr::new("--timeout=60"),
            OsStr::new("-t"),
            target.as_os_str(),
        ];
        self.entrance.finish(self.tool(
            "ovs-appctl",
            first.into_iter().chain(arguments.iter().map(OsStr::new)),
        ))
    }

    /// Runs `ovs-dpctl` in this namespace; it speaks to the kernel datapath only.
    ///
    /// # Errors
    /// When it fails.
    pub fn dpctl(&self, arguments: &[&str]) -> Result<String> {
        self.entrance.finish(self.tool("ovs-dpctl", arguments))
    }

    /// The process id of the running vswitchd.
    ///
    /// # Errors
    /// When it is stopped or was killed.
    pub fn vswitchd_pid(&self) -> Result<u32> {
        self.vswitchd
            .as_ref()
            .map(Daemon::pid)
            .context("ovs-vswitchd does not run")
    }

    /// A command inside the namespace with the environment that points OVS at this run directory.
    fn tool(&self, program: &str, arguments: impl IntoIterator<Item: AsRef<OsStr>>) -> Command {
        let mut command = self.entrance.tool(program);
        for variable in ["OVS_RUNDIR", "OVS_DBDIR", "OVS_LOGDIR", "OVS_SYSCONFDIR"] {
            command.env(variable, self.rundir());
        }
        command.args(arguments);
        command
    }

    /// The last lines of both logs, for an error or a failed test.
    fn logs(&self) -> String {
        let mut shown = String::new();
        for name in ["ovsdb-server.log", "ovs-vswitchd.log", "ovs-vswitchd.out"] {
            let text = fs::read_to_string(self.rundir().join(name)).unwrap_or_default();
            let lines: Vec<&str> = text.lines().collect();
            let tail = &lines[lines.len().saturating_sub(40)..];
            shown.push_str(&format!("---- {name}\n{}\n", tail.join("\n")));
        }
        shown
    }

    /// Waits for something of OVS; a failure carries the logs.
    fn await_ready(&self, what: &str, condition: impl FnMut() -> bool) -> Result<()> {
        wait::until(LIMIT, what, condition).with_context(|| self.logs())
    }
}

impl Drop for Ovs {
    fn drop(&mut self) {
        diagnosis::note(self.logs());
        // Killed, not asked: the bridges end with the namespace, and a hanging daemon must not hang the test.
        self.vswitchd.take();
        self.ovsdb.take();
    }
}
