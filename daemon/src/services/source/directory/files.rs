//! The files of a directory of manifests, and what is in them.
//!
//! A file is read when it has changed, and a change costs what it touches, not what there is: ten thousand files are
//! one for each Service of a large cluster.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::{OsStr, OsString};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use crate::services::object::{Id, Object};
use crate::services::source::{Problem, State, manifest};

/// A file that nobody has told of is read once it has not changed for so long: it may be half written.
const QUIET: Duration = Duration::from_secs(1);

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

/// The files of a directory.
#[derive(Debug)]
pub struct Files {
    directory: PathBuf,
    files: BTreeMap<Arc<Path>, Known>,
    /// Where each object is: the file and the number in it, of several the first one first.
    places: BTreeMap<Id, Vec<(Arc<Path>, usize)>>,
    /// Those that are in several places.
    contested: BTreeSet<Id>,
    /// Files with something wrong.
    bad: BTreeSet<Arc<Path>>,
    /// Objects that may be others than were told.
    touched: BTreeSet<Id>,
    /// Whether all was told once. At the start nothing is waited for.
    told_all: bool,
}

impl Files {
    /// Those of a directory, which need not exist yet.
    pub fn of(directory: &Path) -> Self {
        Self {
            directory: directory.to_owned(),
            files: BTreeMap::new(),
            places: BTreeMap::new(),
            contested: BTreeSet::new(),
            bad: BTreeSet::new(),
            touched: BTreeSet::new(),
            told_all: false,
        }
    }

    /// Looks at all files, and reads what is new. `told` are names of those that are known to be written, whole.
    pub fn look(&mut self, told: &BTreeSet<OsString>) -> io::Result<()> {
        let mut found = BTreeMap::new();
        for entry in fs::read_dir(&self.directory)? {
            let path = entry?.path();
            // None of a link to a directory, or a file that is gone again.
            if is_manifest(&path)
                && let Some(stamp) = stamp(&path)
            {
                found.insert(path, stamp);
            }
        }
        let is_gone = |path: &&Arc<Path>| !found.contains_key(&***path);
        let gone: Vec<Arc<Path>> = self.files.keys().filter(is_gone).cloned().collect();
        for path in gone {
            self.forget(&path);
        }
        let is_new = |(path, stamp): &(PathBuf, Stamp)| {
            let is_told = path.file_name().is_some_and(|name| told.contains(name));
            let is_known = self.files.get(&**path).map(|known| known.stamp) == Some(*stamp);
            let is_quiet = stamp.0.elapsed().is_ok_and(|age| age > QUIET);
            is_told || (!is_known && (is_quiet || !self.told_all))
        };
        let new: Vec<(PathBuf, Stamp)> = found.into_iter().filter(is_new).collect();
        self.read(new);
        Ok(())
    }

    /// Looks at the files of those names alone.
    pub fn look_at(&mut self, names: &BTreeSet<OsString>) {
        let mut new = Vec::new();
        for name in names {
            let path = self.directory.join(name);
            if !is_manifest(&path) {
                continue;
            }
            match stamp(&path) {
                Some(stamp) => new.push((path, stamp)),
                None => self.forget(&path),
            }
        }
        self.read(new);
    }

    /// What is to be told: at first all, then what has changed.
    pub fn tell(&mut self) -> State {
        let touched = std::mem::take(&mut self.touched);
        let mut state = State {
            gone: self.told_all.then(BTreeSet::new),
            problems: self.problems(),
            ..State::default()
        };
        for id in touched {
            match (self.object(&id), &mut state.gone) {
                (Some(object), _) => drop(state.objects.insert(id, object)),
                (None, Some(gone)) => drop(gone.insert(id)),
                (None, None) => {}
            }
        }
        self.told_all = true;
        state
    }

    /// Of two with one name the one in the first file is taken.
    fn object(&self, id: &Id) -> Option<Arc<Object>> {
        let (path, number) = self.places.get(id)?.first()?;
        self.files.get(path)?.objects.get(*number).cloned()
    }

    fn problems(&self) -> Vec<Problem> {
        let bad = self.bad.iter().filter_map(|path| self.files.get(path));
        let mut problems: Vec<Problem> = bad.filter_map(|known| known.problem.clone()).collect();
        for id in &self.contested {
            let Some([(first, _), others @ ..]) = self.places.get(id).map(Vec::as_slice) else {
                continue;
            };
            problems.extend(others.iter().map(|(path, number)| Problem {
                place: path.display().to_string(),
                document: number + 1,
                error: format!("metadata.name: {id} is in {} already", first.display()),
            }));
        }
        problems
    }

    /// Reads files, and puts what is in them in place of what was. One after the other: two threads that make as many
    /// small strings as this wait for each other in musl's allocator, and take longer together than one.
    fn read(&mut self, files: Vec<(PathBuf, Stamp)>) {
        for (path, stamp) in files {
            let path: Arc<Path> = path.into();
            let (objects, problem) = match read(&path) {
                Ok(objects) => (objects, None),
                Err(problem) => {
                    let known = self.files.get(&path);
                    let last_good = known.map(|known| known.objects.clone());
                    (last_good.unwrap_or_default(), Some(problem))
                }
            };
            self.forget(&path);
            for (number, object) in objects.iter().enumerate() {
                let id = object.id();
                let places = self.places.entry(id.clone()).or_default();
                places.push((path.clone(), number));
                if places.len() > 1 {
                    places.sort();
                    self.contested.insert(id.clone());
                }
                self.touched.insert(id);
            }
            if problem.is_some() {
                self.bad.insert(path.clone());
            }
            let known = Known {
                stamp,
                objects,
                problem,
            };
            self.files.insert(path, known);
        }
    }

    /// Takes a file away, with all that was in it.
    fn forget(&mut self, path: &Path) {
        self.bad.remove(path);
        let Some(known) = self.files.remove(path) else {
            return;
        };
        for object in known.objects {
            let id = object.id();
            if let Some(places) = self.places.get_mut(&id) {
                places.retain(|(place, _)| **place != *path);
                if places.len() < 2 {
                    self.contested.remove(&id);
                }
                if places.is_empty() {
                    self.places.remove(&id);
                }
            }
            self.touched.insert(id);
        }
    }
}

fn read(path: &Path) -> Result<Vec<Arc<Object>>, Problem> {
    let bad = |document: usize, error: String| Problem {
        place: path.display().to_string(),
        document,
        error,
    };
    let is_json = path.extension() == Some(OsStr::new("json"));
    let text = fs::read_to_string(path).map_err(|error| bad(1, error.to_string()))?;
    match manifest::parse(&text, is_json) {
        Ok(objects) => Ok(objects.into_iter().map(Arc::new).collect()),
        Err(found) => Err(bad(found.document, found.error)),
    }
}

/// Whether it is one by its name.
fn is_manifest(path: &Path) -> bool {
    let is_hidden = path
        .file_name()
        .is_none_or(|name| name.to_string_lossy().starts_with('.'));
    let is_known = path.extension().is_some_and(|extension| {
        ["yaml", "yml", "json"]
            .iter()
            .any(|known| extension == *known)
    });
    !is_hidden && is_known
}

fn stamp(path: &Path) -> Option<Stamp> {
    use std::os::unix::fs::MetadataExt;
    let metadata = fs::metadata(path).ok()?;
    metadata
        .is_file()
        .then(|| Some((metadata.modified().ok()?, metadata.len(), metadata.ino())))?
}
