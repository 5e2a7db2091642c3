//! Where the suites run: natively, or in the VM with a stock Debian kernel; and what exists there.
//!
//! The same scenario code runs in each rig. Natively the kernel may have neither the openvswitch nor the bonding
//! module, so there Open vSwitch runs its userspace datapath; the kernel datapath and bonds are the VM's.

use std::fmt;

use crate::ovs::Datapath;

/// Environment variable that names the rig: `native` (the default), `vm-6.12` or `vm-6.1`.
pub const VARIABLE: &str = "BERTH_RIG";

/// The machine a suite runs on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rig {
    /// This machine's own kernel.
    Native,
    /// QEMU with Debian's 6.12 kernel.
    Vm612,
    /// QEMU with Debian's 6.1 kernel, for the fall-backs.
    Vm61,
}

/// How a pod's interface becomes a port of the bridge; the names are those of the `port` key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Strategy {
    /// A veth pair, its host end in the bridge.
    Veth,
    /// The internal port itself, moved and renamed.
    Rename,
    /// A bond in the pod over the moved internal port.
    Bond,
    /// A macvlan in the pod over the internal port, which stays.
    Macvlan,
}

impl Rig {
    /// The rig named by [`VARIABLE`].
    ///
    /// # Panics
    /// When the variable names no rig: a typing error must not pass for a run elsewhere.
    pub fn current() -> Self {
        match std::env::var(VARIABLE).as_deref() {
            Err(_) | Ok("" | "native") => Rig::Native,
            Ok("vm-6.12") => Rig::Vm612,
            Ok("vm-6.1") => Rig::Vm61,
            Ok(other) => panic!("{VARIABLE}={other} names no rig: native, vm-6.12, vm-6.1"),
        }
    }

    /// Whether this is one of the VMs.
    pub fn is_vm(self) -> bool {
        self != Rig::Native
    }

    /// The datapaths of Open vSwitch that exist here.
    pub fn datapaths(self) -> &'static [Datapath] {
        match self {
            Rig::Native => &[Datapath::Userspace],
            Rig::Vm612 | Rig::Vm61 => &[Datapath::Kernel, Datapath::Userspace],
        }
    }

    /// The strategies to try with a datapath here. What runs natively is not repeated under emulation, so the
    /// VM's userspace datapath has the bond alone.
    pub fn strategies(self, datapath: Datapath) -> &'static [Strategy] {
        use Strategy::{Bond, Macvlan, Rename, Veth};
        match (self, datapath) {
            (Rig::Native, _) => &[Veth, Rename, Macvlan],
            (_, Datapath::Kernel) => &[Veth, Rename, Bond, Macvlan],
            (_, Datapath::Userspace) => &[Bond],
        }
    }

    /// By how much the limits of waits are stretched: emulation is slow.
    pub fn patience() -> u32 {
        if Rig::current().is_vm() { 6 } else { 1 }
    }
}

impl fmt::Display for Rig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Rig::Native => "native",
            Rig::Vm612 => "vm-6.12",
            Rig::Vm61 => "vm-6.1",
        })
    }
}

impl Strategy {
    /// All of them, in the order of the documentation.
    pub const ALL: [Strategy; 4] = [
        Strategy::Veth,
        Strategy::Rename,
        Strategy::Bond,
        Strategy::Macvlan,
    ];

    /// The value of the `port` key that asks for it.
    pub fn name(self) -> &'static str {
        match self {
            Strategy::Veth => "veth",
            Strategy::Rename => "rename",
            Strategy::Bond => "bond",
            Strategy::Macvlan => "macvlan",
        }
    }
}

impl fmt::Display for Strategy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}
