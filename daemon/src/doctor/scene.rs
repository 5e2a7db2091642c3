//! The node as one look saw it: plain data for the checks.

use std::collections::BTreeMap;
use std::path::PathBuf;

use attachment::record::{Attachment, Key};
use netlink::Link;
use ovs::{Bridge, PortRow, System};

use crate::confs::Conf;

/// One pod's side of an attachment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Pod {
    /// The path of its namespace is gone.
    Gone,
    /// The path names another namespace than at ADD.
    Replaced,
    /// The path is there, but what it names is no namespace as seen from here.
    NotMounted,
    /// The namespace cannot be looked into.
    Unseen(String),
    /// The namespace is there; the interface and its MTU, if it has the interface.
    Alive(Option<u32>),
}

/// A switch that answers.
#[derive(Debug, Clone, Default)]
pub struct SwitchScene {
    /// Process id of ovs-vswitchd; none when it does not run.
    pub vswitchd: Option<i32>,
    /// Versions and options.
    pub system: Option<System>,
    /// All bridges.
    pub bridges: Vec<Bridge>,
    /// Ports that carry berth's mark.
    pub owned: Vec<PortRow>,
}

/// What the kernel offers.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct KernelScene {
    /// Whether openvswitch.ko is there.
    pub openvswitch: bool,
    /// Features that were tried and refused, with the kernel's answer.
    pub missing: BTreeMap<&'static str, String>,
    /// Why nothing could be tried.
    pub untried: Option<String>,
}

/// An address lease.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Lease {
    /// CNI network.
    pub network: String,
    /// Address.
    pub address: String,
    /// Container that holds it.
    pub container_id: String,
    /// Interface that holds it; empty in files of old host-local versions.
    pub ifname: String,
    /// When it was taken, seconds since 1970.
    pub taken_at: u64,
}

/// Everything the checks look at.
#[derive(Debug, Clone, Default)]
pub struct Scene {
    /// Directory of the attachment records.
    pub state_dir: PathBuf,
    /// The OVSDB socket that the daemon follows.
    pub ovsdb: PathBuf,
    /// Seconds since 1970.
    pub wall: u64,
    /// When the kernel booted, seconds since 1970.
    pub boot: u64,
    /// Whether a daemon answers.
    pub daemon: bool,
    /// What the daemon keeps failing at: subject and error.
    pub failures: Vec<(String, String)>,
    /// Readable records.
    pub records: Vec<Attachment>,
    /// Unreadable records, by path.
    pub broken: Vec<(String, String)>,
    /// Switches by socket; the error of one that does not answer.
    pub switches: BTreeMap<PathBuf, Result<SwitchScene, String>>,
    /// Devices of the node's namespace.
    pub links: Vec<Link>,
    /// Devices of the default routes.
    pub uplinks: Vec<String>,
    /// Pods by attachment.
    pub pods: BTreeMap<Key, Pod>,
    /// What the kernel offers.
    pub kernel: KernelScene,
    /// Address leases.
    pub leases: Vec<Lease>,
    /// CNI configurations in the order in which runtimes read them.
    pub confs: Vec<Conf>,
    /// Files that name namespaces which do not exist.
    pub dead_namespaces: Vec<PathBuf>,
    /// What could not be looked at, and why.
    pub blind: Vec<(String, String)>,
}

impl Scene {
    /// The device of that name in the node's namespace.
    pub fn link(&self, name: &str) -> Option<&Link> {
        self.links.iter().find(|link| link.name == name)
    }

    /// Switches that answer.
    pub fn answering(&self) -> impl Iterator<Item = (&PathBuf, &SwitchScene)> {
        self.switches
            .iter()
            .filter_map(|(socket, switch)| Some((socket, switch.as_ref().ok()?)))
    }
}

/// How a person finds the pod of a record.
pub fn pod_name(record: &Attachment) -> String {
    match &record.pod {
        Some(pod) => format!("{}/{} ({})", pod.namespace, pod.name, record.ifname),
        None => record.key().to_string(),
    }
}
