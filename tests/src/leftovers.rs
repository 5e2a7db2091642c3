//! Finds what a test left behind, by comparing what there was before with what there is after.
//!
//! Two scopes: what a test names (a namespace, a directory), compared exactly; and everything of this test
//! process, which must be nothing at the end: namespaces, temporary directories, processes.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;

use crate::netns::{DIRECTORY, Entrance, MARK, Netns};
use crate::ovs::Ovs;
use crate::wait;

/// How long the kernel and exiting processes may take to be rid of what was deleted.
const LIMIT: Duration = Duration::from_secs(10);

/// What is watched, and what there was in it at the beginning.
#[derive(Debug)]
pub struct Leftovers {
    namespaces: Vec<(Entrance, u64)>,
    directories: Vec<PathBuf>,
    switches: Vec<(Entrance, PathBuf)>,
    before: BTreeSet<String>,
    limit: Duration,
}

impl Default for Leftovers {
    fn default() -> Self {
        let (namespaces, directories, switches) = (Vec::new(), Vec::new(), Vec::new());
        Leftovers {
            namespaces,
            directories,
            switches,
            before: BTreeSet::new(),
            limit: LIMIT,
        }
    }
}

impl Leftovers {
    /// A guard that watches nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// With another time that things may take to be gone, where they are known to stay.
    pub fn within(mut self, limit: Duration) -> Self {
        self.limit = limit;
        self
    }

    /// With a namespace watched: its links, addresses, routes, rules, neighbours set by hand, nftables, and the
    /// processes in it.
    ///
    /// # Errors
    /// When it cannot be examined.
    pub fn netns(mut self, netns: &Netns) -> Result<Self> {
        self.namespaces.push((netns.entrance(), netns.inode()?));
        self.before = self.now()?;
        Ok(self)
    }

    /// With a directory watched, and all below it; it need not exist.
    ///
    /// # Errors
    /// When what is watched cannot be examined.
    pub fn directory(mut self, path: &Path) -> Result<Self> {
        self.directories.push(path.to_owned());
        self.before = self.now()?;
        Ok(self)
    }

    /// With the ports and bridges of a switch watched, as its database has them.
    ///
    /// # Errors
    /// When what is watched cannot be examined.
    pub fn switch(mut self, ovs: &Ovs) -> Result<Self> {
        self.switches
            .push((ovs.entrance.clone(), ovs.socket().to_owned()));
        self.before = self.now()?;
        Ok(self)
    }

    /// Compares; what ends a little later than its deletion is waited for.
    ///
    /// # Errors
    /// When something is there that was not, or something is missing: the message lists it.
    pub fn check(&self) -> Result<()> {
        let mut after = BTreeSet::new();
        let clean = wait::until(self.limit, "everything to be as before", || {
            after = self.now().unwrap_or_default();
            after == self.before
        });
        if clean.is_err() {
            let left: Vec<_> = after.difference(&self.before).collect();
            let missing: Vec<_> = self.before.difference(&after).collect();
            bail!("left behind: {left:#?} and missing: {missing:#?}");
        }
        Ok(())
    }

    fn now(&self) -> Result<BTreeSet<String>> {
        let mut found = BTreeSet::new();
        for (entrance, inode) in &self.namespaces {
            found.extend(state_of(entrance)?);
            found.extend(processes_in(*inode));
        }
        for (entrance, socket) in &self.switches {
            found.extend(rows_of(entrance, socket)?);
        }
        for directory in &self.directories {
            walk(directory, &mut found);
        }
        Ok(found)
    }
}

/// Everything that belongs to this test process and has outlived its fixtures; empty is as it should be.
pub fn of_this_process() -> Vec<String> {
    let mut found = Vec::new();
    let settled = wait::until(LIMIT, "the fixtures to be gone", || {
        found = strays();
        found.is_empty()
    });
    if settled.is_ok() { Vec::new() } else { found }
}

fn strays() -> Vec<String> {
    let own = std::process::id();
    let mut found: Vec<String> = entries(Path::new(DIRECTORY))
        .into_iter()
        .filter(|path| {
            path.file_name()
                .is_some_and(|name| name.to_string_lossy().starts_with(&format!("{own}-")))
        })
        .map(|path| format!("namespace {}", path.display()))
        .collect();
    let mark = format!("{MARK}={own}");
    for (pid, directory) in processes() {
        let environment = fs::read(directory.join("environ")).unwrap_or_default();
        if pid != own
            && environment
                .split(|byte| *byte == 0)
                .any(|variable| variable == mark.as_bytes())
        {
            found.push(format!("process {pid} {}", command_line(&directory)));
        }
    }
    found
}

/// One line for each object of the network in a namespace.
fn state_of(entrance: &Entrance) -> Result<BTreeSet<String>> {
    let [addresses, routes, rules, neighbours] = entrance.ip_batch([
        "address show",
        "route show table all type unicast",
        "rule show",
        "neighbour show nud permanent",
    ])?;
    let name = entrance.name();
    let mut found = BTreeSet::new();
    // Of a link the name is its identity, the rest changes by itself.
    for link in items(&addresses) {
        found.insert(format!("{name} link {}", link["ifname"]));
        let of_link = items(&link["addr_info"]).filter(|address| address["scope"] == "global");
        found.extend(of_link.map(|a| {
            let (local, length) = (&a["local"], &a["prefixlen"]);
            format!("{name} address {} {local}/{length}", link["ifname"])
        }));
    }
    for (kind, list) in [
        ("route", routes),
        ("rule", rules),
        ("neighbour", neighbours),
    ] {
        // The route of the link-local addresses comes and goes with a link's carrier.
        let by_itself = |item: &Value| item["protocol"] == "kernel" && item["dst"] == "fe80::/64";
        let own = items(&list).filter(|item| !by_itself(item));
        found.extend(own.map(|item| format!("{name} {kind} {item}")));
    }
    let programs = items(&addresses).filter(|link| !link["xdp"].is_null());
    found.extend(programs.map(|link| format!("{name} xdp {}", link["ifname"])));
    let mut qdiscs = entrance.tool("tc");
    qdiscs.args(["qdisc", "show"]);
    let qdiscs = entrance.finish(qdiscs)?;
    let qdiscs = qdiscs.lines().filter(|line| line.contains("clsact"));
    found.extend(qdiscs.map(|line| format!("{name} {line}")));
    let mut tables = entrance.tool("nft");
    tables.args(["list", "tables"]);
    // A kernel without nftables has none of its objects.
    let tables = entrance.finish(tables).unwrap_or_default();
    found.extend(tables.lines().map(|line| format!("{name} nft {line}")));
    Ok(found)
}

/// The items of a JSON array; none of anything else.
fn items(list: &Value) -> impl Iterator<Item = &Value> {
    list.as_array().into_iter().flatten()
}

/// One line for each bridge, port and interface of a switch.
fn rows_of(entrance: &Entrance, socket: &Path) -> Result<BTreeSet<String>> {
    let mut found = BTreeSet::new();
    let tables = ["bridge", "port", "interface", "mirror"];
    let mut command = entrance.tool("ovs-vsctl");
    command.arg(format!("--db=unix:{}", socket.display()));
    command.args(["--timeout=30", "--format=json"]);
    for table in tables {
        command.args(["--", "--columns=name", "list", table]);
    }
    // One answer for each table, each a document of its own.
    let text = entrance.finish(command)?;
    let answers: Vec<Value> = serde_json::Deserializer::from_str(&text)
        .into_iter()
        .collect::<Result<_, _>>()
        .with_context(|| format!("ovs-vsctl said {text:?}"))?;
    ensure!(answers.len() == tables.len(), "ovs-vsctl said {text:?}");
    for (table, answer) in tables.iter().zip(&answers) {
        let names = items(&answer["data"]).filter_map(|row| row[0].as_str());
        found.extend(names.map(|name| format!("{table} {name}")));
    }
    Ok(found)
}

fn processes_in(inode: u64) -> BTreeSet<String> {
    let own = std::process::id();
    let inside =
        |directory: &Path| fs::metadata(directory.join("ns/net")).is_ok_and(|ns| ns.ino() == inode);
    let strangers = processes()
        .into_iter()
        .filter(|(pid, at)| *pid != own && inside(at));
    // By what they run and not by their ids: a daemon restarted is no leftover.
    let mut lines: Vec<String> = strangers.map(|(_, at)| identity(&at)).collect();
    lines.sort();
    let number = |(index, line): (usize, String)| {
        format!("process {line} (number {index} in its namespace)")
    };
    lines.into_iter().enumerate().map(number).collect()
}

/// The command line of a process; of a daemon of OVS its name, as `ovs-ctl` starts one with other arguments.
fn identity(directory: &Path) -> String {
    let line = command_line(directory);
    let program = line.split(' ').next().unwrap_or_default();
    let daemon = ["ovsdb-server", "ovs-vswitchd"]
        .into_iter()
        .find(|name| Path::new(program).file_name() == Some(OsStr::new(name)));
    daemon.map_or_else(|| line.clone(), str::to_owned)
}

fn processes() -> Vec<(u32, PathBuf)> {
    let numbered = |path: PathBuf| Some((path.file_name()?.to_str()?.parse().ok()?, path));
    entries(Path::new("/proc"))
        .into_iter()
        .filter_map(numbered)
        .collect()
}

fn command_line(directory: &Path) -> String {
    let line = fs::read(directory.join("cmdline")).unwrap_or_default();
    String::from_utf8_lossy(&line)
        .replace('\0', " ")
        .trim_end()
        .to_owned()
}

fn walk(path: &Path, found: &mut BTreeSet<String>) {
    for entry in entries(path) {
        found.insert(format!("file {}", entry.display()));
        if entry.is_dir() && !entry.is_symlink() {
            walk(&entry, found);
        }
    }
}

fn entries(directory: &Path) -> Vec<PathBuf> {
    fs::read_dir(directory)
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.path())
        .collect()
}
