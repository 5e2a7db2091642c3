//! A BPF file system and a cgroup of a test's own, so that nothing of it is pinned or attached for the machine.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Once;
use std::sync::atomic::{AtomicU32, Ordering};

use anyhow::{Context, Result};
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use tempfile::TempDir;

static NEXT: AtomicU32 = AtomicU32::new(0);
static SWEEP: Once = Once::new();

/// What names of either begin with, before the process id of the test.
const MARK: &str = "berth-tests-bpf-";

/// A mounted BPF file system; dropped, it is unmounted, and what is pinned there alone ends.
#[derive(Debug)]
pub struct BpfFs {
    directory: TempDir,
}

impl BpfFs {
    /// Mounts one.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub fn new() -> Result<Self> {
        SWEEP.call_once(sweep);
        let prefix = format!("{MARK}{}-", std::process::id());
        let directory = tempfile::Builder::new().prefix(&prefix).tempdir()?;
        mount(
            Some("bpf"),
            directory.path(),
            Some("bpf"),
            MsFlags::empty(),
            None::<&str>,
        )
        .context("cannot mount a BPF file system")?;
        Ok(Self { directory })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        self.directory.path()
    }
}

impl Drop for BpfFs {
    fn drop(&mut self) {
        umount2(self.directory.path(), MntFlags::MNT_DETACH).ok();
    }
}

/// A cgroup below the root of the unified hierarchy; dropped, it is removed.
#[derive(Debug)]
pub struct Cgroup {
    path: PathBuf,
}

impl Cgroup {
    /// Makes one.
    ///
    /// # Errors
    /// When there is no unified hierarchy, or it cannot be made.
    pub fn new(hint: &str) -> Result<Self> {
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        SWEEP.call_once(sweep);
        let name = format!("{MARK}{}-{number}-{hint}", std::process::id());
        let path = root()?.join(name);
        fs::create_dir(&path).with_context(|| format!("cannot make {}", path.display()))?;
        Ok(Self { path })
    }

    /// Its directory.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The arguments with which `sh` runs `words` inside.
    pub fn inside(&self, words: &[&str]) -> Vec<String> {
        let path = self.path.display().to_string();
        ["-ec", "echo $$ >\"$0\"/cgroup.procs && exec \"$@\"", &path]
            .iter()
            .chain(words)
            .map(|word| (*word).to_owned())
            .collect()
    }
}

impl Drop for Cgroup {
    fn drop(&mut self) {
        // Whoever was inside is reaped by now, or a moment later.
        crate::wait::until(
            std::time::Duration::from_secs(5),
            "the cgroup to be empty",
            || fs::remove_dir(&self.path).is_ok() || !self.path.exists(),
        )
        .ok();
    }
}

/// Removes what tests that were killed have left.
fn sweep() {
    let places = [Some(std::env::temp_dir()), root().ok()];
    for place in places.into_iter().flatten() {
        for entry in fs::read_dir(place).into_iter().flatten().flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            let owner = name
                .strip_prefix(MARK)
                .and_then(|rest| rest.split('-').next());
            let dead = owner.is_some_and(|pid| !Path::new("/proc").join(pid).exists());
            if dead {
                umount2(&entry.path(), MntFlags::MNT_DETACH).ok();
                fs::remove_dir(entry.path()).ok();
            }
        }
    }
}

/// The root of the unified hierarchy.
fn root() -> Result<PathBuf> {
    let mounts = fs::read_to_string("/proc/self/mounts")?;
    mounts
        .lines()
        .map(|line| line.split(' ').collect::<Vec<_>>())
        .find(|words| words.get(2) == Some(&"cgroup2"))
        .map(|words| PathBuf::from(words[1]))
        .context("no cgroup2 hierarchy is mounted")
}
