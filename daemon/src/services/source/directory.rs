//! A directory of manifests, watched live.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::fs;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::time::{sleep, timeout};

use super::manifest;
use super::{Problem, Source, SourceError, State};
use crate::services::object::{Id, Object};

/// How long more changes are waited for after one, so that a copy of hundreds of files is read once.
const SETTLE: Duration = Duration::from_millis(10);

/// How long at most, if changes do not end.
const SETTLE_LIMIT: Duration = Duration::from_millis(200);

/// A file that nobody has told of is read once it has not changed for so long: it may be half written.
const QUIET: Duration = Duration::from_secs(1);

/// How often the directory is looked at though nothing was told: it may be on a file system that tells nothing.
const LOOK_AGAIN: Duration = Duration::from_secs(10);

/// What tells one content of a file from another without reading it.
type Stamp = (SystemTime, u64, u64);

/// A file as it was last read.
#[derive(Debug)]
struct Known {
    stamp: Stamp,
    /// Its last good state.
    objects: Vec<Arc<Object>>,
    /// What is wrong with it now.
    problem: Option<Problem>,
}

/// The source `dir:PATH`.
#[derive(Debug)]
pub struct Directory {
    path: PathBuf,
    files: BTreeMap<PathBuf, Known>,
    watch: Option<Watch>,
    /// Files that were told to be written, whole.
    told: BTreeSet<OsString>,
    begun: bool,
    /// Whether all was read once: at the start nothing is waited for.
    read_once: bool,
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
            files: BTreeMap::new(),
            watch: None,
            told: BTreeSet::new(),
            begun: false,
            read_once: false,
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
        Ok(())
    }

    /// Waits for a notice, and then until there is none for a moment.
    async fn changed(&mut self) {
        let Some(watch) = &self.watch else {
            sleep(LOOK_AGAIN).await;
            return;
        };
        let mut limit = LOOK_AGAIN;
        let mut first = None;
        let mut replaced = false;
        while let Ok(Ok(mut ready)) = timeout(limit, watch.readable.readable()).await {
            let events = watch.inotify.read_events().unwrap_or_default();
            ready.clear_ready();
            self.told
                .extend(events.iter().filter_map(|event| event.name.clone()));
            replaced |= events.iter().any(|event| {
                let gone = AddWatchFlags::IN_DELETE_SELF
                    | AddWatchFlags::IN_MOVE_SELF
                    | AddWatchFlags::IN_IGNORED;
                event.mask.intersects(gone)
            });
            limit = SETTLE;
            if first.get_or_insert_with(Instant::now).elapsed() > SETTLE_LIMIT {
                break;
            }
        }
        if replaced {
            self.watch = None;
        }
    }

    /// Reads what is new, and tells all.
    fn read(&mut self) -> io::Result<State> {
        let mut found = BTreeMap::new();
        for entry in fs::read_dir(&self.path)? {
            let path = entry?.path();
            let hidden = path
                .file_name()
                .is_none_or(|name| name.to_string_lossy().starts_with('.'));
            if hidden || !is_manifest(&path) {
                continue;
            }
            // A link to a directory, or a file that is gone again.
            if let Some(stamp) = stamp(&path) {
                found.insert(path, stamp);
            }
        }
        self.files.retain(|path, _| found.contains_key(path));
        let told = std::mem::take(&mut self.told);
        for (path, stamp) in found {
            let is_told = path.file_name().is_some_and(|name| told.contains(name));
            let known = self.files.get(&path).map(|known| known.stamp);
            let is_quiet = stamp.0.elapsed().is_ok_and(|age| age > QUIET);
            if is_told || (known != Some(stamp) && (is_quiet || !self.read_once)) {
                self.read_file(path, stamp);
            }
        }
        self.read_once = true;
        Ok(self.state())
    }

    fn read_file(&mut self, path: PathBuf, stamp: Stamp) {
        let is_json = path
            .extension()
            .is_some_and(|extension| extension == "json");
        let place = path.display().to_string();
        let parsed = match fs::read_to_string(&path) {
            Ok(text) => manifest::parse(&text, is_json).map_err(|bad| Problem {
                place,
                document: bad.document,
                error: bad.error,
            }),
            Err(error) => Err(Problem {
                place,
                document: 1,
                error: error.to_string(),
            }),
        };
        let known = self.files.remove(&path);
        let last_good = known.map(|known| known.objects).unwrap_or_default();
        let known = match parsed {
            Ok(objects) => Known {
                stamp,
                objects: objects.into_iter().map(Arc::new).collect(),
                problem: None,
            },
            Err(problem) => Known {
                stamp,
                objects: last_good,
                problem: Some(problem),
            },
        };
        self.files.insert(path, known);
    }

    /// All objects; of two with one name the one in the first file is taken.
    fn state(&self) -> State {
        let mut state = State::default();
        let mut places: BTreeMap<Id, &Path> = BTreeMap::new();
        for (path, known) in &self.files {
            state.problems.extend(known.problem.clone());
            for (index, object) in known.objects.iter().enumerate() {
                let id = object.id();
                if let Some(first) = places.get(&id) {
                    state.problems.push(Problem {
                        place: path.display().to_string(),
                        document: index + 1,
                        error: format!("metadata.name: {id} is in {} already", first.display()),
                    });
                    continue;
                }
                places.insert(id.clone(), path);
                state.objects.insert(id, object.clone());
            }
        }
        state
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
        let read = self.read();
        read.map_err(self.error())
    }
}

fn is_manifest(path: &Path) -> bool {
    path.extension().is_some_and(|extension| {
        ["yaml", "yml", "json"]
            .iter()
            .any(|known| extension == *known)
    })
}

fn stamp(path: &Path) -> Option<Stamp> {
    use std::os::unix::fs::MetadataExt;
    let metadata = fs::metadata(path).ok()?;
    metadata
        .is_file()
        .then(|| Some((metadata.modified().ok()?, metadata.len(), metadata.ino())))?
}

#[cfg(test)]
mod tests;
