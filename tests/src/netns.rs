//! Fresh network namespaces that end with the value that holds them.
//!
//! A namespace is kept by a bind mount under [`DIRECTORY`] and not under `/run/netns`, so that a test never
//! meets the namespaces of the machine it runs on. Names carry the test process and a counter.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::MetadataExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Once};
use std::thread;

use anyhow::{Context, Result, anyhow, bail, ensure};
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sched::{CloneFlags, setns, unshare};
use nix::sys::socket::{
    AddressFamily, MsgFlags, SockFlag, SockProtocol, SockType, recv, send, socket,
};
use serde_json::Value;

/// Where the bind mounts live: one file per namespace, named `<pid>-<counter>-<hint>`.
pub const DIRECTORY: &str = "/run/berth-tests";

/// Environment variable that every process started by [`Netns::command`] carries; its value is the process id
/// of the test. The leftovers guard finds strays by it, even those that made themselves daemons.
pub const MARK: &str = "BERTH_TESTS";

static NEXT: AtomicU32 = AtomicU32::new(0);
static SWEEP: Once = Once::new();

/// One network namespace with `lo` up and nothing else in it; dropped, its name goes, and the namespace itself
/// goes with the last process in it.
#[derive(Debug)]
pub struct Netns {
    name: String,
    path: PathBuf,
    handle: Arc<File>,
}

impl Netns {
    /// Makes a namespace; `hint` becomes part of its name, for those who read logs.
    ///
    /// # Errors
    /// Without root, or when the kernel refuses the namespace or its bind mount.
    pub fn new(hint: &str) -> Result<Self> {
        if !nix::unistd::geteuid().is_root() {
            bail!("network namespaces need root: run the tests as root");
        }
        fs::create_dir_all(DIRECTORY).with_context(|| format!("cannot create {DIRECTORY}"))?;
        SWEEP.call_once(sweep);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("{}-{number}-{hint}", std::process::id());
        let path = Path::new(DIRECTORY).join(&name);
        File::create_new(&path).with_context(|| format!("cannot create {}", path.display()))?;
        let target = path.clone();
        let born = thread::spawn(move || bear(&target))
            .join()
            .expect("the birth of a namespace does not panic");
        match born {
            Ok(handle) => {
                let handle = Arc::new(handle);
                Ok(Netns { name, path, handle })
            }
            Err(error) => {
                fs::remove_file(&path).ok();
                Err(error.context(format!("cannot make network namespace {name}")))
            }
        }
    }

    /// The file that stands for the namespace, as a CNI runtime would pass it in `CNI_NETNS`.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The last component of [`Netns::path`].
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The inode that identifies the namespace while it lives.
    ///
    /// # Errors
    /// When the open handle cannot be examined.
    pub fn inode(&self) -> Result<u64> {
        Ok(self
            .handle
            .metadata()
            .with_context(|| format!("cannot examine {}", self.path.display()))?
            .ino())
    }

    /// Another handle that enters the namespace and outlives neither its processes nor its name.
    pub(crate) fn entrance(&self) -> Entrance {
        Entrance {
            name: self.name.clone(),
            handle: Arc::clone(&self.handle),
        }
    }

    /// Runs `work` in a thread of its own that has entered the namespace; sockets opened there stay there.
    ///
    /// # Errors
    /// When the namespace cannot be entered, or what `work` returns.
    pub fn run<T: Send>(&self, work: impl FnOnce() -> Result<T> + Send) -> Result<T> {
        self.entrance().run(work)
    }

    /// A command that will execute inside the namespace. `/sys` stays that of the caller.
    pub fn command(&self, program: impl AsRef<OsStr>) -> Command {
        self.entrance().command(program)
    }

    /// As [`Netns::command`], in a mount namespace of its own whose `/sys` shows the devices of this namespace.
    pub fn command_with_sysfs(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = self.command("unshare");
        command.args([
            "--mount",
            "sh",
            "-c",
            "umount -l /sys && mount -t sysfs sysfs /sys && exec \"$@\"",
            "sh",
        ]);
        command.arg(program);
        command
    }

    /// Runs a program inside to its end and returns what it printed, trimmed.
    ///
    /// # Errors
    /// When it cannot start or fails: the message has the command, its status and its standard error.
    pub fn output<I>(&self, program: &str, arguments: I) -> Result<String>
    where
        I: IntoIterator<Item: AsRef<OsStr>>,
    {
        let entrance = self.entrance();
        let mut command = entrance.tool(program);
        command.args(arguments);
        entrance.finish(command)
    }

    /// Runs a line of shell inside; convenient for `ip link set a up && ip addr add …`.
    ///
    /// # Errors
    /// As [`Netns::output`].
    pub fn sh(&self, line: &str) -> Result<String> {
        self.output("sh", ["-ec", line])
    }

    /// See [`Entrance::ip_batch`].
    ///
    /// # Errors
    /// As there.
    pub fn ip_batch<const N: usize>(&self, questions: [&str; N]) -> Result<[Value; N]> {
        self.entrance().ip_batch(questions)
    }

    /// Runs `ip -json` inside, the arguments split at blanks, and parses its answer; an empty one is `[]`.
    ///
    /// # Errors
    /// When `ip` fails or prints something that is not JSON.
    pub fn ip_json(&self, arguments: &str) -> Result<Value> {
        let words = ["-json", "-details"]
            .into_iter()
            .chain(arguments.split_whitespace());
        let text = self.output("ip", words)?;
        if text.is_empty() {
            return Ok(serde_json::json!([]));
        }
        serde_json::from_str(&text)
            .with_context(|| format!("ip -json {arguments} printed {text:?}"))
    }
}

impl Drop for Netns {
    fn drop(&mut self) {
        umount2(&self.path, MntFlags::MNT_DETACH).ok();
        fs::remove_file(&self.path).ok();
    }
}

/// The way into a namespace, kept by fixtures that live beside the [`Netns`] itself.
#[derive(Clone, Debug)]
pub(crate) struct Entrance {
    name: String,
    handle: Arc<File>,
}

impl Entrance {
    /// See [`Netns::name`].
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// See [`Netns::run`].
    pub(crate) fn run<T: Send>(&self, work: impl FnOnce() -> Result<T> + Send) -> Result<T> {
        let ended = thread::scope(|scope| {
            scope
                .spawn(|| {
                    setns(&*self.handle, CloneFlags::CLONE_NEWNET)
                        .with_context(|| format!("cannot enter network namespace {}", self.name))?;
                    work()
                })
                .join()
        });
        ended.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    }

    /// A command to be run by [`Entrance::finish`] or within [`Entrance::run`]: it enters no namespace by itself.
    /// Without anything to do between fork and exec it is spawned without a copy of this process's page tables,
    /// which under emulation is most of its cost.
    pub(crate) fn tool(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new(program);
        command.env(MARK, std::process::id().to_string());
        command
    }

    /// Runs a command of [`Entrance::tool`] inside to its end; its standard output, trimmed, or an error with all
    /// that is known.
    pub(crate) fn finish(&self, command: Command) -> Result<String> {
        self.run(|| finish(command))
    }

    /// Asks one `ip -json` inside several questions, as `address show`; the answers in the same order.
    ///
    /// # Errors
    /// When `ip` fails or does not print an array for each.
    pub(crate) fn ip_batch<const N: usize>(&self, questions: [&str; N]) -> Result<[Value; N]> {
        let file = tempfile::NamedTempFile::new().context("no temporary file")?;
        fs::write(&file, questions.join("\n") + "\n").context("no temporary file")?;
        let mut command = self.tool("ip");
        command.args(["-json", "-details", "-batch"]);
        command.arg(file.path());
        let text = self.finish(command)?;
        let answers: Vec<Value> = serde_json::Deserializer::from_str(&text)
            .into_iter()
            .collect::<std::result::Result<_, _>>()
            .with_context(|| format!("ip -json {questions:?} printed {text:?}"))?;
        answers.try_into().map_err(|answers: Vec<_>| {
            anyhow!(
                "ip -json {questions:?} printed {} answers: {text:?}",
                answers.len()
            )
        })
    }

    /// See [`Netns::command`].
    pub(crate) fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = self.tool(program);
        let handle = Arc::clone(&self.handle);
        let enter = move || setns(&*handle, CloneFlags::CLONE_NEWNET).map_err(io::Error::from);
        // SAFETY: between fork and exec the closure makes one system call on a descriptor opened before the
        // fork; it neither allocates nor takes a lock.
        unsafe { command.pre_exec(enter) };
        command
    }
}

/// Unshares this thread and binds its new namespace to `path`.
fn bear(path: &Path) -> Result<File> {
    unshare(CloneFlags::CLONE_NEWNET).context("unshare refused")?;
    let own = Path::new("/proc/thread-self/ns/net");
    mount(
        Some(own),
        path,
        None::<&str>,
        MsFlags::MS_BIND,
        None::<&str>,
    )
    .with_context(|| format!("cannot bind {} to {}", own.display(), path.display()))?;
    set_lo_up().context("cannot set lo up")?;
    File::open(path).with_context(|| format!("cannot open {}", path.display()))
}

/// Sets the first link of this thread's namespace up, without a program: under emulation each costs a tenth of a
/// second.
fn set_lo_up() -> Result<()> {
    let kind = SockType::Raw;
    let protocol = SockProtocol::NetlinkRoute;
    let socket = socket(
        AddressFamily::Netlink,
        kind,
        SockFlag::SOCK_CLOEXEC,
        protocol,
    )?;
    // nlmsghdr: length, RTM_NEWLINK, NLM_F_REQUEST | NLM_F_ACK, sequence, port; ifinfomsg: index 1, IFF_UP.
    let words: [u32; 8] = [32, 16 | (1 | 4) << 16, 1, 0, 0, 1, 1, 1];
    let request: Vec<u8> = words.iter().flat_map(|word| word.to_ne_bytes()).collect();
    send(socket.as_raw_fd(), &request, MsgFlags::empty())?;
    let mut answer = [0; 64];
    let length = recv(socket.as_raw_fd(), &mut answer, MsgFlags::empty())?;
    ensure!(length >= 20, "a netlink answer of {length} bytes");
    let errno = i32::from_ne_bytes([answer[16], answer[17], answer[18], answer[19]]);
    ensure!(
        errno == 0,
        "netlink answers {}",
        io::Error::from_raw_os_error(-errno)
    );
    Ok(())
}

fn finish(mut command: Command) -> Result<String> {
    let shown = format!("{command:?}");
    let output = command
        .output()
        .with_context(|| format!("cannot start {shown}"))?;
    if !output.status.success() {
        let stderr = String::from_utf8_lossy(&output.stderr);
        let stdout = String::from_utf8_lossy(&output.stdout);
        bail!(
            "{shown} ended with {}: {} {}",
            output.status,
            stderr.trim(),
            stdout.trim()
        );
    }
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// Removes the mounts of test processes that were killed before they could: their process id is gone.
fn sweep() {
    let Ok(entries) = fs::read_dir(DIRECTORY) else {
        return;
    };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let Some(pid) = name.to_str().and_then(|name| name.split('-').next()) else {
            continue;
        };
        if pid.parse::<u32>().is_ok() && !Path::new("/proc").join(pid).exists() {
            umount2(&entry.path(), MntFlags::MNT_DETACH).ok();
            fs::remove_file(entry.path()).ok();
        }
    }
}
