//! The life of the two daemons: what an upgrade, a crash, or an operator does to them.

use std::fs;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::OnceLock;

use anyhow::{Context, Result, bail};

use super::daemon::Daemon;
use super::{Datapath, LIMIT, Ovs, SCHEMA};
use crate::wait;

/// The init script.
const CTL: &str = "/usr/share/openvswitch/scripts/ovs-ctl";

/// Seconds after boot from which on OVS 3.1.0 starts its upcall handlers; begun earlier it runs none at all.
const SETTLED_UPTIME: f64 = 11.0;

/// An empty database, as ovsdb-tool makes it: made once in a process and copied from then on.
static EMPTY: OnceLock<Vec<u8>> = OnceLock::new();

impl Ovs {
    /// Kills vswitchd with SIGKILL, as a crash or the OOM killer does; its ports and flows stay as they are.
    ///
    /// # Errors
    /// When it does not run.
    pub fn kill_vswitchd(&mut self) -> Result<()> {
        self.vswitchd
            .take()
            .context("ovs-vswitchd does not run")
            .map(drop)
    }

    /// Asks vswitchd to exit and waits for its end; with `cleanup` it first removes its ports and datapaths.
    ///
    /// # Errors
    /// When it does not run or does not end.
    pub fn stop_vswitchd(&mut self, cleanup: bool) -> Result<()> {
        let arguments: &[&str] = if cleanup {
            &["exit", "--cleanup"]
        } else {
            &["exit"]
        };
        self.appctl(arguments)?;
        let mut daemon = self.vswitchd.take().context("ovs-vswitchd does not run")?;
        wait::until(LIMIT, "the end of ovs-vswitchd", || daemon.ended())
    }

    /// Starts vswitchd and returns when it answers and has its bridges configured.
    ///
    /// # Errors
    /// When it runs already, ends at once or does not answer.
    pub fn start_vswitchd(&mut self) -> Result<()> {
        self.spawn_vswitchd()?;
        // A change to the database is answered only when vswitchd has configured everything up to it.
        let pid = format!("external_ids:vswitchd-pid={}", self.vswitchd_pid()?);
        self.vsctl(&["set", "open_vswitch", ".", &pid])
            .with_context(|| self.logs())?;
        Ok(())
    }

    /// Starts vswitchd and returns at once: for those who want to watch it come up.
    ///
    /// # Errors
    /// When it runs already or cannot be executed.
    pub fn spawn_vswitchd(&mut self) -> Result<()> {
        if self.vswitchd.is_some() {
            bail!("ovs-vswitchd runs already");
        }
        wait::until(LIMIT, "an uptime of 11 s", || uptime() > SETTLED_UPTIME)?;
        let remote = format!("unix:{}", self.socket.display());
        self.vswitchd = Some(self.daemon("ovs-vswitchd", &[&remote])?);
        Ok(())
    }

    /// Ends ovsdb-server and starts it again on the same database.
    ///
    /// # Errors
    /// When it does not come up again.
    pub fn restart_ovsdb(&mut self) -> Result<()> {
        self.stop_ovsdb();
        self.start_ovsdb()
    }

    /// Kills ovsdb-server: its socket is there but nobody answers.
    pub fn stop_ovsdb(&mut self) {
        self.ovsdb.take();
    }

    /// Starts ovsdb-server on the database there is, and returns when it answers.
    ///
    /// # Errors
    /// When it runs already or does not come up.
    pub fn start_ovsdb(&mut self) -> Result<()> {
        if self.ovsdb.is_some() {
            bail!("ovsdb-server runs already");
        }
        fs::remove_file(&self.socket).ok();
        let database = self.rundir().join("conf.db").display().to_string();
        let remote = format!("--remote=punix:{}", self.socket.display());
        self.ovsdb = Some(self.daemon("ovsdb-server", &[&database, &remote])?);
        self.await_ready("ovsdb-server to listen", || {
            UnixStream::connect(&self.socket).is_ok()
        })?;
        self.vsctl(&["--no-wait", "init"])
            .with_context(|| self.logs())?;
        Ok(())
    }

    /// Replaces the database by an empty one under a running vswitchd, as a lost `conf.db` does.
    ///
    /// # Errors
    /// When the database cannot be made or served.
    pub fn wipe_database(&mut self) -> Result<()> {
        self.stop_ovsdb();
        self.create_database()?;
        self.start_ovsdb()
    }

    /// Runs Open vSwitch's own init script on this switch: `ovs-ctl restart`, `force-reload-kmod`.
    ///
    /// # Errors
    /// When it fails, or the daemons do not run afterwards; the message has what it printed.
    pub fn ctl(&mut self, verb: &str) -> Result<()> {
        let daemons = [self.ovsdb.take(), self.vswitchd.take()];
        // The script waits for their ends, which come only when their parent has heard of them.
        let reapers: Vec<_> = daemons.into_iter().flatten().map(Daemon::release).collect();
        let mut script = self.tool(CTL, ["--system-id=berth-tests", "--no-monitor"]);
        script.args(["--no-mlockall", "--no-record-hostname"]);
        // As in its upgrades: a priority needs no right that the rig may lack.
        script.args([
            "--ovsdb-server-priority=0",
            "--ovs-vswitchd-priority=0",
            verb,
        ]);
        let printed = self.entrance.finish(script);
        let adopted = ["ovsdb-server", "ovs-vswitchd"]
            .map(|name| Daemon::adopt(name, &self.rundir().join(format!("{name}.pid"))));
        for reaper in reapers {
            reaper.join().ok();
        }
        let [ovsdb, vswitchd] = adopted;
        printed.with_context(|| self.logs())?;
        self.ovsdb = Some(ovsdb?);
        self.vswitchd = Some(vswitchd?);
        Ok(())
    }

    /// Stops vswitchd, deletes the kernel's datapaths of this namespace under it, and starts it.
    ///
    /// # Errors
    /// When a step fails.
    pub fn reload_datapath(&mut self) -> Result<()> {
        self.stop_vswitchd(false)?;
        if self.datapath == Datapath::Kernel {
            for datapath in self.dpctl(&["dump-dps"])?.lines() {
                self.dpctl(&["del-dp", datapath])?;
            }
        }
        self.start_vswitchd()
    }

    /// Makes an empty database in place of the one there is.
    pub(super) fn create_database(&self) -> Result<()> {
        let database = self.rundir().join("conf.db");
        for stale in ["conf.db", ".conf.db.~lock~"] {
            fs::remove_file(self.rundir().join(stale)).ok();
        }
        if let Some(empty) = EMPTY.get() {
            return fs::write(&database, empty)
                .with_context(|| format!("cannot write {}", database.display()));
        }
        let arguments = [Path::new("create"), &database, Path::new(SCHEMA)];
        self.entrance
            .finish(self.tool("ovsdb-tool", arguments))
            .context("is openvswitch-switch installed?")?;
        let empty =
            fs::read(&database).with_context(|| format!("cannot read {}", database.display()))?;
        EMPTY.get_or_init(|| empty);
        Ok(())
    }

    /// Starts a daemon of OVS in the foreground, with its pid file, control socket and log in the run directory.
    fn daemon(&self, program: &str, arguments: &[&str]) -> Result<Daemon> {
        let pidfile = self.rundir().join(format!("{program}.pid"));
        let log = self.rundir().join(format!("{program}.log"));
        let mut command = self.tool(program, arguments);
        command.arg(format!("--pidfile={}", pidfile.display()));
        command.arg(format!("--log-file={}", log.display()));
        command.args(["-vconsole:off", "-vsyslog:off", "-vfile:info"]);
        let output = self.rundir().join(format!("{program}.out"));
        self.entrance.run(|| Daemon::spawn(command, &output))
    }
}

/// Seconds since boot.
fn uptime() -> f64 {
    let text = fs::read_to_string("/proc/uptime").unwrap_or_default();
    text.split_whitespace()
        .next()
        .and_then(|seconds| seconds.parse().ok())
        .unwrap_or(f64::MAX)
}
