//! All network namespaces of a machine that can be reached by a path.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs;
use std::os::unix::ffi::OsStringExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use crate::{Netns, NetnsId};

/// The network namespaces of all processes and of all bind mounts that this process sees, each once. One that ends
/// meanwhile is left out. Of a process only the namespace of its first thread is looked at, and a namespace that only
/// an open descriptor keeps is not found.
pub fn all_netns() -> Vec<Netns> {
    let mounts = fs::read("/proc/self/mountinfo").unwrap_or_default();
    let mut known = BTreeSet::new();
    let mut found = Vec::new();
    for path in processes().into_iter().chain(mounted(&mounts)) {
        // Most processes share a namespace: they are told apart without opening it.
        let Ok(meta) = fs::metadata(&path) else {
            continue;
        };
        let id = NetnsId {
            dev: meta.dev(),
            inode: meta.ino(),
        };
        if known.contains(&id) {
            continue;
        }
        if let Ok(netns) = Netns::open(&path) {
            known.insert(netns.id());
            found.push(netns);
        }
    }
    found
}

/// The links to the namespaces of processes.
fn processes() -> Vec<PathBuf> {
    let is_pid = |path: &Path| {
        let name = path.file_name().and_then(|name| name.to_str());
        name.is_some_and(|name| name.bytes().all(|byte| byte.is_ascii_digit()))
    };
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let paths = entries.map(|entry| entry.path());
    paths
        .filter(|path| is_pid(path))
        .map(|path| path.join("ns/net"))
        .collect()
}

/// The mount points of network namespaces in the text of a mountinfo.
fn mounted(mountinfo: &[u8]) -> Vec<PathBuf> {
    let lines = mountinfo.split(|byte| *byte == b'\n');
    lines.filter_map(mount_point).collect()
}

/// `<id> <parent> <device> <root> <mount point> <options> [<tags>…] - <type> <source> <options>`.
fn mount_point(line: &[u8]) -> Option<PathBuf> {
    let words: Vec<&[u8]> = line.split(|byte| *byte == b' ').collect();
    let dash = words.iter().position(|word| word == b"-")?;
    let of_namespaces = words.get(dash + 1)? == b"nsfs" && words.get(3)?.starts_with(b"net:[");
    let path = unescaped(words.get(4)?);
    of_namespaces.then(|| PathBuf::from(OsString::from_vec(path)))
}

/// The kernel writes blanks and the backslash as `\` and three octal digits.
fn unescaped(word: &[u8]) -> Vec<u8> {
    let mut plain = Vec::with_capacity(word.len());
    let mut rest = word;
    while let Some((first, after)) = rest.split_first() {
        let digits = after.get(..3).and_then(|digits| {
            let text = std::str::from_utf8(digits).ok()?;
            u8::from_str_radix(text, 8).ok()
        });
        match digits {
            Some(byte) if *first == b'\\' => {
                plain.push(byte);
                rest = &after[3..];
            }
            _ => {
                plain.push(*first);
                rest = after;
            }
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    const MOUNTS: &str = r"22 28 0:20 / /proc rw shared:5 - proc proc rw
36 35 0:4 net:[4026532275] /run/netns/a\040b rw shared:5 - nsfs nsfs rw
37 35 0:4 mnt:[4026532276] /run/snapd/ns/x.mnt rw - nsfs nsfs rw
38 35 0:4 net:[4026532277] /run/docker/netns/f\134x rw shared:1 master:2 - nsfs nsfs rw
39 35 8:1 / /net:[1] rw - ext4 /dev/sda1 rw
";

    #[test]
    fn mounts_of_network_namespaces_are_found_among_others() {
        let expected = ["/run/netns/a b", r"/run/docker/netns/f\x"].map(PathBuf::from);
        assert_eq!(mounted(MOUNTS.as_bytes()), expected);
        assert_eq!(mounted(b"short - nsfs\n\n"), Vec::<PathBuf>::new());
    }

    #[test]
    fn what_is_no_escape_stays() {
        assert_eq!(unescaped(br"a\04"), br"a\04");
        assert_eq!(unescaped(br"\999\040"), br"\999 ");
    }

    #[test]
    fn the_own_namespace_is_among_all_and_each_is_there_once() {
        let all = all_netns();
        let ids: BTreeSet<NetnsId> = all.iter().map(Netns::id).collect();
        assert_eq!(ids.len(), all.len());
        assert!(ids.contains(&Netns::open(Path::new("/proc/self/ns/net")).unwrap().id()));
    }
}
