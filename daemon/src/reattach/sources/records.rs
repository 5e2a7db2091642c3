//! The directory of records, watched with inotify.

use std::ffi::OsString;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::sync::Arc;

use attachment::Store;
use nix::errno::Errno;
use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::sync::mpsc::UnboundedSender;

use super::PAUSE;
use crate::board::Board;

/// What the directory tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Notice {
    /// This file was written or removed.
    File(OsString),
    /// Notices were lost: read everything.
    Everything,
    /// The directory itself is gone.
    Lost,
}

/// A watch on the directory.
#[derive(Debug)]
pub struct Watch {
    inotify: Inotify,
    readable: AsyncFd<OwnedFd>,
}

impl Watch {
    /// Watches the directory. No change after the return of this call is missed.
    pub fn open(directory: &Path) -> std::io::Result<Self> {
        let inotify = Inotify::init(InitFlags::IN_CLOEXEC | InitFlags::IN_NONBLOCK)?;
        inotify.add_watch(
            directory,
            // Writers rename whole files into place; people write them where they are.
            AddWatchFlags::IN_MOVED_TO
                | AddWatchFlags::IN_MOVED_FROM
                | AddWatchFlags::IN_CLOSE_WRITE
                | AddWatchFlags::IN_DELETE
                | AddWatchFlags::IN_ONLYDIR,
        )?;
        let fd = std::os::fd::AsFd::as_fd(&inotify).try_clone_to_owned()?;
        #[expect(
            deprecated,
            reason = "its successor is unsafe for the sake of types that could swap their descriptor; OwnedFd cannot"
        )]
        let readable = AsyncFd::with_interest(fd, Interest::READABLE)?;
        Ok(Self { inotify, readable })
    }

    /// The next notices; none when the directory itself is gone.
    async fn next(&self) -> std::io::Result<Option<Vec<Notice>>> {
        loop {
            let mut ready = self.readable.readable().await?;
            let events = match self.inotify.read_events() {
                Ok(events) => events,
                Err(Errno::EAGAIN) => {
                    ready.clear_ready();
                    continue;
                }
                Err(errno) => return Err(errno.into()),
            };
            let mut notices = Vec::new();
            for event in events {
                if event.mask.contains(AddWatchFlags::IN_IGNORED) {
                    return Ok(None);
                }
                notices.push(match event.name {
                    Some(name) => Notice::File(name),
                    None => Notice::Everything,
                });
            }
            return Ok(Some(notices));
        }
    }
}

/// Follows the directory of a store. `watch` was opened before the first reading of the records.
pub async fn follow(
    store: Store,
    watch: Watch,
    board: Arc<Board>,
    notices: UnboundedSender<Notice>,
) {
    let mut watch = Some(watch);
    loop {
        if let Some(watch) = watch.take() {
            let error = until_it_fails(&watch, &notices).await;
            tracing::warn!(directory = %store.directory().display(), error, "the watch on records ended");
            board.facts().counts.error("records");
        }
        if notices.is_closed() {
            return;
        }
        tokio::time::sleep(PAUSE).await;
        // A directory that somebody removed is made anew.
        let opened = Store::open(store.state_dir())
            .map_err(|error| error.to_string())
            .and_then(|store| Watch::open(store.directory()).map_err(|error| error.to_string()));
        match opened {
            Ok(opened) => {
                watch = Some(opened);
                // Without a receiver the next turn ends the task.
                let _ = notices.send(Notice::Everything);
            }
            Err(error) => tracing::warn!(error, "cannot watch records"),
        }
    }
}

async fn until_it_fails(watch: &Watch, notices: &UnboundedSender<Notice>) -> String {
    loop {
        match watch.next().await {
            Ok(Some(batch)) => {
                for notice in batch {
                    if notices.send(notice).is_err() {
                        return "nobody listens".to_owned();
                    }
                }
            }
            Ok(None) => {
                // Without a receiver the caller ends.
                let _ = notices.send(Notice::Lost);
                return "the directory is gone".to_owned();
            }
            Err(error) => return error.to_string(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn files_that_come_and_go_are_told() {
        let dir = tempfile::tempdir().expect("temporary directory");
        let watch = Watch::open(dir.path()).expect("watch");
        std::fs::write(dir.path().join("a.json"), "x").expect("write");
        std::fs::remove_file(dir.path().join("a.json")).expect("remove");
        let file = Notice::File(OsString::from("a.json"));
        let mut told = Vec::new();
        while told.len() < 2 {
            told.extend(watch.next().await.expect("events").expect("directory"));
        }
        assert_eq!(told, [file.clone(), file]);
    }

    #[tokio::test]
    async fn the_end_of_the_directory_is_told() {
        let dir = tempfile::tempdir().expect("temporary directory");
        let path = dir.path().join("records");
        std::fs::create_dir(&path).expect("mkdir");
        let watch = Watch::open(&path).expect("watch");
        std::fs::remove_dir(&path).expect("rmdir");
        assert_eq!(watch.next().await.expect("events"), None);
    }
}
