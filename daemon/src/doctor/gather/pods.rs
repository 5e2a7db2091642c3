//! Looks into the namespaces of the records, and for namespace files that are dead.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use attachment::record::{Attachment, Phase};
use netlink::{Error, Netns};

use super::super::scene::{Pod, Scene};

/// Where `ip netns` and container runtimes mount namespaces.
const DIRECTORIES: [&str; 2] = ["/run/netns", "/run/docker/netns"];

pub async fn look(scene: &mut Scene) {
    for record in &scene.records {
        if record.phase != Phase::Deleting {
            let pod = pod(record).await;
            scene.pods.insert(record.key(), pod);
        }
    }
    for directory in DIRECTORIES {
        scene
            .dead_namespaces
            .extend(dead_files(Path::new(directory)));
    }
}

async fn pod(record: &Attachment) -> Pod {
    let path = &record.netns.path;
    let netns = match Netns::open(path) {
        Ok(netns) => netns,
        // Below a missing directory nothing can be told: it may not be mounted here.
        Err(Error::NotFound { .. }) if path.parent().is_some_and(|dir| !dir.exists()) => {
            return Pod::Unseen("its directory is not there".to_owned());
        }
        Err(Error::NotFound { .. }) => return Pod::Gone,
        Err(Error::NotNetns { .. }) => return Pod::NotMounted,
        Err(error) => return Pod::Unseen(error.to_string()),
    };
    let id = netns.id();
    if (id.dev, id.inode) != (record.netns.dev, record.netns.inode) {
        return Pod::Replaced;
    }
    let link = async { netns.connect()?.link_by_name(&record.ifname).await };
    match link.await {
        Ok(link) => Pod::Alive(link.map(|link| link.mtu)),
        Err(error) => Pod::Unseen(error.to_string()),
    }
}

/// Files on which no namespace is mounted: they are then on the directory's own file system.
fn dead_files(directory: &Path) -> Vec<PathBuf> {
    let Ok(own) = directory.metadata() else {
        return Vec::new();
    };
    let Ok(entries) = directory.read_dir() else {
        return Vec::new();
    };
    let mut dead: Vec<_> = entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| {
            path.symlink_metadata()
                .is_ok_and(|file| file.is_file() && file.dev() == own.dev())
        })
        .collect();
    dead.sort();
    dead
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plain_file_names_no_namespace() {
        let dir = tempfile::tempdir().expect("temporary directory");
        std::fs::write(dir.path().join("dead"), "").expect("write");
        std::fs::create_dir(dir.path().join("directory")).expect("mkdir");
        assert_eq!(dead_files(dir.path()), [dir.path().join("dead")]);
        assert!(dead_files(&dir.path().join("missing")).is_empty());
    }
}
