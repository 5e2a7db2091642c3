//! Watches the life of ovs-vswitchd: the quickest signal that ports may be lost is its death.
//!
//! vswitchd holds a lock on its pid file for as long as it lives, and the kernel names the holder. So a stale file
//! and a process id that was given to somebody else are both seen for what they are, and no name needs comparing.
//! Where the holder belongs to a pid namespace that we do not see, or there is no pid file, an idle connection to its
//! control socket does as well: the kernel closes it when the process dies.
use std::fs::{self, File};
use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::fcntl::{FcntlArg, fcntl};
use nix::libc;
use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify};
use rustix::process::{Pid, PidfdFlags, pidfd_open};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::net::UnixStream;
use tokio::time::timeout;

/// Result of the watch.
pub type Result<T> = std::result::Result<T, Error>;

/// The watch itself failed; that vswitchd is not running is no error.
#[derive(Debug, thiserror::Error)]
#[error("cannot watch ovs-vswitchd by {}: {source}", path.display())]
pub struct Error {
    /// pid file, socket or directory
    pub path: PathBuf,
    /// what the kernel said
    pub source: io::Error,
}

/// Name of the pid file.
const PID_FILE: &str = "ovs-vswitchd.pid";

/// How often to look although the directory showed no change: for one that did not exist, or cannot be watched.
const LOOK: Duration = Duration::from_millis(100);

/// Looks for vswitchd in OVS's run directory.
#[derive(Clone, Debug)]
pub struct VswitchdWatch {
    rundir: PathBuf,
}

impl VswitchdWatch {
    /// Looks in `rundir`.
    pub fn new(rundir: &Path) -> Self {
        VswitchdWatch {
            rundir: rundir.to_owned(),
        }
    }

    /// Looks in the directory of the OVSDB socket.
    pub fn beside(socket: &Path) -> Self {
        VswitchdWatch::new(socket.parent().unwrap_or(Path::new("/")))
    }

    /// The vswitchd that runs now, if one does.
    ///
    /// # Errors
    /// When the kernel does not let it be watched (too many open files, no permission).
    pub async fn running(&self) -> Result<Option<Vswitchd>> {
        let path = self.rundir.join(PID_FILE);
        let failed = |source: io::Error| Error {
            path: path.clone(),
            source,
        };
        match File::open(&path) {
            Ok(file) => match lock_holder(&file).map_err(failed)? {
                Holder::Process(pid) => {
                    let Some(death) = by_process(pid).map_err(failed)? else {
                        return Ok(None);
                    };
                    // the id may have changed hands between the two calls; now it cannot any more
                    let same = lock_holder(&file).map_err(failed)? == Holder::Process(pid);
                    Ok(same.then_some(Vswitchd { pid, death }))
                }
                Holder::Unseen | Holder::Nobody => self.by_socket().await,
            },
            Err(error) if error.kind() == io::ErrorKind::NotFound => self.by_socket().await,
            Err(error) => Err(failed(error)),
        }
    }

    /// Waits until one runs.
    ///
    /// # Errors
    /// As [`running`](VswitchdWatch::running).
    pub async fn appeared(&self) -> Result<Vswitchd> {
        loop {
            // the watch is there before the look, so nothing falls between them
            let changes = changes_in(&self.rundir);
            if let Some(vswitchd) = self.running().await? {
                return Ok(vswitchd);
            }
            match changes {
                Ok(changes) => drop(timeout(LOOK, changes.readable()).await),
                Err(_) => tokio::time::sleep(LOOK).await,
            }
        }
    }

    /// A vswitchd that answers at a control socket. Sockets of dead ones stay behind and refuse.
    async fn by_socket(&self) -> Result<Option<Vswitchd>> {
        let failed = |path: &Path, source| Error {
            path: path.to_owned(),
            source,
        };
        let entries = match fs::read_dir(&self.rundir) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(failed(&self.rundir, error)),
        };
        for entry in entries {
            let path = entry.map_err(|error| failed(&self.rundir, error))?.path();
            let Some(pid) = pid_of_socket(&path) else {
                continue;
            };
            match UnixStream::connect(&path).await {
                Ok(stream) => {
                    return Ok(Some(Vswitchd {
                        pid,
                        death: Death::Socket(stream),
                    }));
                }
                Err(error)
                    if matches!(
                        error.kind(),
                        io::ErrorKind::ConnectionRefused | io::ErrorKind::NotFound
                    ) => {}
                Err(error) => return Err(failed(&path, error)),
            }
        }
        Ok(None)
    }
}

/// One process of ovs-vswitchd.
#[derive(Debug)]
pub struct Vswitchd {
    pid: i32,
    death: Death,
}

#[derive(Debug)]
enum Death {
    /// becomes readable when the process ends
    Process(AsyncFd<OwnedFd>),
    /// is closed by the kernel when the process ends
    Socket(UnixStream),
}

impl Vswitchd {
    /// Process id; that of another pid namespace if the process is not in ours.
    pub fn pid(&self) -> i32 {
        self.pid
    }

    /// Waits until it is dead; returns at once if it is.
    ///
    /// # Errors
    /// When the kernel fails to tell.
    pub async fn died(&self) -> Result<()> {
        let failed = |source| Error {
            path: PathBuf::from(format!("process {}", self.pid)),
            source,
        };
        match &self.death {
            Death::Process(process) => process.readable().await.map(drop).map_err(failed),
            Death::Socket(stream) => loop {
                stream.readable().await.map_err(failed)?;
                match stream.try_read(&mut [0; 64]) {
                    // end of file, or a connection that it never came to accept
                    Ok(0) => return Ok(()),
                    Ok(_) => {}
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                    Err(_) => return Ok(()),
                }
            },
        }
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Holder {
    Nobody,
    Process(i32),
    /// somebody in a pid namespace that is not below ours
    Unseen,
}

/// Who holds the lock on a pid file.
fn lock_holder(file: &File) -> io::Result<Holder> {
    let mut lock = libc::flock {
        l_type: libc::F_WRLCK as libc::c_short,
        l_whence: libc::SEEK_SET as libc::c_short,
        l_start: 0,
        l_len: 0,
        l_pid: 0,
    };
    fcntl(file, FcntlArg::F_GETLK(&mut lock))?;
    Ok(if lock.l_type == libc::F_UNLCK as libc::c_short {
        Holder::Nobody
    } else if lock.l_pid > 0 {
        Holder::Process(lock.l_pid)
    } else {
        Holder::Unseen
    })
}

fn by_process(pid: i32) -> io::Result<Option<Death>> {
    let Some(pid) = Pid::from_raw(pid) else {
        return Ok(None);
    };
    match pidfd_open(pid, PidfdFlags::empty()) {
        Ok(fd) => until_readable(fd).map(|fd| Some(Death::Process(fd))),
        Err(rustix::io::Errno::SRCH) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Becomes readable when a file comes into the directory.
fn changes_in(directory: &Path) -> io::Result<AsyncFd<OwnedFd>> {
    let watch = Inotify::init(InitFlags::IN_CLOEXEC | InitFlags::IN_NONBLOCK)?;
    // OVS writes and locks the file under another name first, and renames it
    watch.add_watch(
        directory,
        AddWatchFlags::IN_CREATE | AddWatchFlags::IN_MOVED_TO,
    )?;
    until_readable(OwnedFd::from(watch))
}

#[allow(
    unsafe_code,
    reason = "tokio has no safe way to wait for a descriptor of a kind it does not know"
)]
fn until_readable(fd: OwnedFd) -> io::Result<AsyncFd<OwnedFd>> {
    // SAFETY: an OwnedFd is open and stays the same descriptor until it is dropped, and AsyncFd owns it.
    unsafe { AsyncFd::register_with_interest(fd, Interest::READABLE) }.map_err(io::Error::from)
}

fn pid_of_socket(path: &Path) -> Option<i32> {
    path.file_name()?
        .to_str()?
        .strip_prefix("ovs-vswitchd.")?
        .strip_suffix(".ctl")?
        .parse()
        .ok()
}
