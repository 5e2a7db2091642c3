//! A directory of manifests, watched live.

mod files;

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::task::spawn_blocking;
use tokio::time::{sleep, timeout};

use self::files::Files;
use super::{Source, SourceError, State};

/// How long more changes are waited for after one, so that a copy of hundreds of files is read once.
const SETTLE: Duration = Duration::from_millis(10);

/// How long at most, if changes do not end.
const SETTLE_LIMIT: Duration = Duration::from_millis(200);

/// How long instead after a change that came out of the blue: most often it is the only one, and somebody waits for
/// it.
const SETTLE_FIRST: Duration = Duration::from_millis(1);

/// After how long without one a change comes out of the blue.
const CALM: Duration = Duration::from_millis(50);

/// How often the directory is looked at though nothing was told: it may be on a file system that tells nothing.
const LOOK_AGAIN: Duration = Duration::from_secs(10);

/// The source `dir:PATH`.
#[derive(Debug)]
pub struct Directory {
    path: PathBuf,
    /// Shared with the thread that reads them.
    files: Arc<Mutex<Files>>,
    watch: Option<Watch>,
    /// Files that were told to be written, whole, or to be gone.
    told: BTreeSet<OsString>,
    begun: bool,
    /// When all files were looked at; none if they have to be.
    looked: Option<Instant>,
    /// When the last change was told of.
    changed: Option<Instant>,
}

/// The kernel's notices about the directory.
#[derive(Debug)]
struct Watch {
    inotify: Inotify,
    readable: AsyncFd<OwnedFd>,
}

impl Directory {
    /// The directory at `path`, which need not exist yet.
    pub fn new(path: &Path) -> Self {
        Self {
            path: path.to_owned(),
            files: Arc::new(Mutex::new(Files::of(path))),
            watch: None,
            told: BTreeSet::new(),
            begun: false,
            looked: None,
            changed: None,
        }
    }

    fn error(&self) -> impl FnOnce(io::Error) -> SourceError {
        let place = self.path.display().to_string();
        move |source| SourceError { place, source }
    }

    /// Watches the directory; one that was replaced by another is watched anew.
    fn watch(&mut self) -> io::Result<()> {
        let inotify = Inotify::init(InitFlags::IN_NONBLOCK | InitFlags::IN_CLOEXEC)?;
        let flags = AddWatchFlags::IN_CLOSE_WRITE
            | AddWatchFlags::IN_MOVED_TO
            | AddWatchFlags::IN_MOVED_FROM
            | AddWatchFlags::IN_DELETE
            | AddWatchFlags::IN_DELETE_SELF
            | AddWatchFlags::IN_MOVE_SELF;
        inotify.add_watch(&self.path, flags)?;
        let fd = inotify.as_fd().try_clone_to_owned()?;
        #[expect(
            deprecated,
            reason = "its successor is unsafe for the sake of types that could swap their descriptor; OwnedFd cannot"
        )]
        let readable = AsyncFd::with_interest(fd, Interest::READABLE)?;
        self.watch = Some(Watch { inotify, readable });
        // What happened before that was told to nobody.
        self.looked = None;
        Ok(())
    }

    /// Waits for a notice, and then until there is none for a moment.
    async fn changed(&mut self) {
        let Some(watch) = &self.watch else {
            sleep(LOOK_AGAIN).await;
            return;
        };
        let mut limit = LOOK_AGAIN;
        let mut settle = SETTLE;
        let mut first = None;
        let (mut replaced, mut lost) = (false, false);
        while let Ok(Ok(mut ready)) = timeout(limit, watch.readable.readable()).await {
            let events = watch.inotify.read_events().unwrap_or_default();
            ready.clear_ready();
            for event in events {
                let gone = AddWatchFlags::IN_DELETE_SELF
                    | AddWatchFlags::IN_MOVE_SELF
                    | AddWatchFlags::IN_IGNORED;
                replaced |= event.mask.intersects(gone);
                lost |= event.mask.contains(AddWatchFlags::IN_Q_OVERFLOW);
                self.told.extend(event.name);
            }
            if first.is_none() && self.changed.is_none_or(|at| at.elapsed() > CALM) {
                settle = SETTLE_FIRST;
            }
            limit = settle;
            if first.get_or_insert_with(Instant::now).elapsed() > SETTLE_LIMIT {
                break;
            }
        }
        if first.is_some() {
            self.changed = Some(Instant::now());
        }
        if replaced {
            self.watch = None;
        }
        if lost {
            self.looked = None;
        }
    }

    /// Reads what is new, on a thread where it may take its time.
    async fn read(&mut self) -> io::Result<State> {
        let told = std::mem::take(&mut self.told);
        let is_due = self.looked.is_none_or(|at| at.elapsed() >= LOOK_AGAIN);
        let files = self.files.clone();
        let state = spawn_blocking(move || {
            // A panic while it was held leaves what was read before it.
            let mut files = files.lock().unwrap_or_else(PoisonError::into_inner);
            if is_due {
                files.look(&told)?;
            } else {
                files.look_at(&told);
            }
            Ok::<_, io::Error>(files.tell())
        });
        let state = state.await.map_err(io::Error::other)??;
        if is_due {
            self.looked = Some(Instant::now());
        }
        Ok(state)
    }
}

impl Source for Directory {
    async fn next(&mut self) -> Result<State, SourceError> {
        if self.begun {
            self.changed().await;
        }
        self.begun = true;
        if self.watch.is_none() {
            // Before reading: what changes in between is told. Without it there is the timer.
            self.watch().map_err(self.error())?;
        }
        let read = self.read().await;
        read.map_err(self.error())
    }
}

#[cfg(test)]
mod tests;
