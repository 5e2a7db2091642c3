//! Where the unified cgroup hierarchy is.

use std::fs;
use std::path::PathBuf;

/// There is none.
#[derive(Debug, thiserror::Error)]
#[error(
    "no cgroup2 hierarchy is mounted, which the socket programs need: give --cgroup none to do without them"
)]
pub struct NoCgroup;

/// The root of the unified hierarchy: on hosts that have both kinds it is not at /sys/fs/cgroup.
///
/// # Errors
/// When none is mounted.
pub fn root() -> Result<PathBuf, NoCgroup> {
    let mounts = fs::read_to_string("/proc/self/mounts").unwrap_or_default();
    mounted(&mounts).ok_or(NoCgroup)
}

/// The first mount of type cgroup2, as mount(8) would show it.
fn mounted(mounts: &str) -> Option<PathBuf> {
    mounts
        .lines()
        .map(|line| line.split(' ').collect::<Vec<_>>())
        .find(|words| words.get(2) == Some(&"cgroup2"))
        .map(|words| PathBuf::from(words[1]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_unified_hierarchy_is_found_beside_others() {
        let hybrid = "tmpfs /sys/fs/cgroup tmpfs rw 0 0\ncgroup /sys/fs/cgroup/cpu cgroup rw,cpu 0 0\ncgroup2 /sys/fs/cgroup/unified cgroup2 rw 0 0\n";
        assert_eq!(
            mounted(hybrid),
            Some(PathBuf::from("/sys/fs/cgroup/unified"))
        );
        assert_eq!(
            mounted("cgroup2 /sys/fs/cgroup cgroup2 rw 0 0"),
            Some(PathBuf::from("/sys/fs/cgroup"))
        );
        assert_eq!(mounted("proc /proc proc rw 0 0"), None);
    }
}
