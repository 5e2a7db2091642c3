//! `auto`: which strategy, by datapath and by what the kernel can do.
//!
//! On the kernel datapath a renamed port is lost at vswitchd's next reconfigure, so
//! there the pod gets a bond, or a macvlan where bonding is missing. On the userspace
//! datapath a renamed port is lost at a restart of vswitchd only, and the daemon puts
//! it back.

use std::path::Path;

use crate::record::Datapath;
use crate::strategy::Strategy;

/// What the kernel can do, as far as the choice goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Features {
    /// Bond devices can be made.
    pub bonding: bool,
}

impl Features {
    /// Asks the running kernel, without making anything: the driver is built in or
    /// loaded (`/sys/module`), or lies ready to be loaded on demand.
    pub fn detect() -> Self {
        Self {
            bonding: Path::new("/sys/module/bonding").exists()
                || Path::new("/proc/net/bonding").exists()
                || loadable("bonding"),
        }
    }
}

/// Whether `modprobe` would find the module, by the index it uses itself.
fn loadable(module: &str) -> bool {
    let Ok(release) = std::fs::read_to_string("/proc/sys/kernel/osrelease") else {
        return false;
    };
    let directory = Path::new("/lib/modules").join(release.trim());
    ["modules.dep", "modules.builtin"].iter().any(|index| {
        std::fs::read_to_string(directory.join(index)).is_ok_and(|text| lists(&text, module))
    })
}

/// Whether an index of modules names `module`.
fn lists(index: &str, module: &str) -> bool {
    index.lines().any(|line| {
        let path = line.split(':').next().unwrap_or_default();
        let file = path.rsplit('/').next().unwrap_or_default();
        file.strip_prefix(module)
            .is_some_and(|rest| rest == ".ko" || rest.starts_with(".ko."))
    })
}

/// The strategy for a network: `datapath` is that of its bridge, `None` without one.
pub fn choose(datapath: Option<Datapath>, features: Features) -> Strategy {
    match datapath {
        None => Strategy::Routed,
        Some(Datapath::Userspace) => Strategy::Rename,
        Some(Datapath::Kernel) if features.bonding => Strategy::Bond,
        Some(Datapath::Kernel) => Strategy::Macvlan,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn choice_by_datapath_and_features() {
        for (name, datapath, bonding, expected) in [
            ("no switch", None, true, Strategy::Routed),
            ("no switch, no bonding", None, false, Strategy::Routed),
            ("kernel", Some(Datapath::Kernel), true, Strategy::Bond),
            (
                "kernel, no bonding",
                Some(Datapath::Kernel),
                false,
                Strategy::Macvlan,
            ),
            (
                "userspace",
                Some(Datapath::Userspace),
                true,
                Strategy::Rename,
            ),
            (
                "userspace, no bonding",
                Some(Datapath::Userspace),
                false,
                Strategy::Rename,
            ),
        ] {
            assert_eq!(choose(datapath, Features { bonding }), expected, "{name}");
        }
    }

    #[test]
    fn module_indexes_are_read_by_file_name() {
        let index = "kernel/drivers/net/bonding/bonding.ko.xz: kernel/net/tls/tls.ko.xz\n";
        assert!(lists(index, "bonding"));
        assert!(!lists(index, "tls"), "a dependency is no entry");
        assert!(!lists(
            "kernel/drivers/net/bonding/bonding_x.ko:\n",
            "bonding"
        ));
    }
}
