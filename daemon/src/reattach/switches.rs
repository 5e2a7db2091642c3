//! The switches as a pass sees them: the daemon's own from its session, others by asking.

use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use attachment::record::Attachment;
use attachment::view::SwitchView;
use attachment::{look_at_switch, switch_of_snapshot};

use super::run::Reattach;

/// A switch that has not answered by then counts as away, so that it does not hold up the others.
const LIMIT: Duration = Duration::from_secs(2);

impl Reattach {
    /// Every switch that a record names, and the daemon's own.
    pub(super) async fn switches(&self, records: &[Attachment]) -> BTreeMap<PathBuf, SwitchView> {
        let alive = self.board.facts().vswitchd.is_alive();
        let own = switch_of_snapshot(&self.session.snapshot(), alive);
        let mut switches = BTreeMap::new();
        for record in records {
            let Some(port) = record.port.switch() else {
                continue;
            };
            if switches.contains_key(&port.socket) {
                continue;
            }
            let view = if same_socket(&port.socket, &self.ovsdb) {
                own.clone()
            } else {
                ask(&port.socket, records).await
            };
            switches.insert(port.socket.clone(), view);
        }
        switches.entry(self.ovsdb.clone()).or_insert(own);
        switches
    }
}

async fn ask(socket: &Path, records: &[Attachment]) -> SwitchView {
    tokio::time::timeout(LIMIT, look_at_switch(socket, records))
        .await
        .unwrap_or_else(|_| SwitchView::Away(format!("no answer within {} s", LIMIT.as_secs())))
}

/// Whether two paths lead to one socket, as `/var/run` and `/run` do.
fn same_socket(a: &Path, b: &Path) -> bool {
    let id = |path: &Path| path.metadata().map(|file| (file.dev(), file.ino())).ok();
    a == b || id(a).is_some_and(|found| id(b) == Some(found))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_spellings_of_one_path_are_one_socket() {
        let dir = tempfile::tempdir().expect("temporary directory");
        let (real, link) = (dir.path().join("real"), dir.path().join("link"));
        std::fs::create_dir(&real).expect("mkdir");
        std::os::unix::fs::symlink(&real, &link).expect("symlink");
        let socket = real.join("db.sock");
        let _listener = std::os::unix::net::UnixListener::bind(&socket).expect("bind");
        assert!(same_socket(&socket, &link.join("db.sock")));
        assert!(!same_socket(&socket, &real));
        assert!(!same_socket(&real.join("a"), &real.join("b")));
    }
}
