//! Files of the daemon, and directories that are empty then.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use super::Removal;
use crate::config::Settings;

pub fn remove(settings: &Settings, removal: &mut Removal) {
    let state_dir = &settings.state_dir;
    for name in ["berthd.sock", "berthd.lock", ".b.sock"] {
        file(&state_dir.join(name), removal);
    }
    let records = state_dir.join("attachments");
    if !is_empty_or_gone(&records) {
        // Live pods need the rest.
        return;
    }
    let locks = state_dir.join("locks");
    for entry in fs::read_dir(&locks).into_iter().flatten().flatten() {
        file(&entry.path(), removal);
    }
    for directory in [&records, &locks, state_dir] {
        match fs::remove_dir(directory) {
            Ok(()) => removal
                .removed
                .push(format!("directory {}", directory.display())),
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) if error.kind() == ErrorKind::DirectoryNotEmpty => {
                let line = format!("directory {}: not empty", directory.display());
                removal.left.push(line);
            }
            Err(error) => removal
                .errors
                .push(format!("directory {}: {error}", directory.display())),
        }
    }
}

fn file(path: &Path, removal: &mut Removal) {
    match fs::remove_file(path) {
        Ok(()) => removal.removed.push(format!("file {}", path.display())),
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        Err(error) => removal
            .errors
            .push(format!("file {}: {error}", path.display())),
    }
}

fn is_empty_or_gone(directory: &Path) -> bool {
    match directory.read_dir() {
        Ok(mut entries) => entries.next().is_none(),
        Err(error) => error.kind() == ErrorKind::NotFound,
    }
}
