//! The network configuration of `"type": "berth"`.
//!
//! Everything is read and checked before anything is changed; a wrong type or
//! value names its key. DEL and GC read only [`Cleanup`], so that an attachment
//! can be removed with a configuration that ADD would refuse today.

mod runtime;
mod switch;
mod valid;

use std::path::PathBuf;

use attachment::record::Pod;
use netlink::MacAddr;

pub use runtime::Runtime;
pub use switch::{PortChoice, SwitchConfig};
pub use valid::{Valid, valid_attachments};

use crate::error::Error;
use crate::field::{Field, FieldError};
use crate::request::{Request, Verb};
use crate::result::{CniResult, Dns};

/// The IPAM plugin that runs inside this process.
pub const OWN_IPAM: &str = "berth-ipam";

/// Keys that have a meaning here; any other is reported at debug level.
const KNOWN: [&str; 28] = [
    "cniVersion",
    "cniVersions",
    "name",
    "type",
    "bridge",
    "port",
    "socket_file",
    "vlan",
    "trunk",
    "ofport_request",
    "isGateway",
    "isDefaultGateway",
    "mtu",
    "ipMasq",
    "ipMasqBackend",
    "ipam",
    "dns",
    "runtimeConfig",
    "capabilities",
    "args",
    "stateDir",
    "bpfDir",
    "prevResult",
    "disableCheck",
    "disableGC",
    "loadOnlyInlinedPlugins",
    VALID_ATTACHMENTS,
    ATTACHMENTS,
];

/// The key under which GC gets the attachments that are still valid.
pub const VALID_ATTACHMENTS: &str = "cni.dev/valid-attachments";
/// The same key without its qualifier, as some runtimes write it.
pub const ATTACHMENTS: &str = "cni.dev/attachments";

/// What becomes of the gateway addresses that IPAM names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gateway {
    /// Somebody else has them.
    Elsewhere,
    /// The bridge's own port gets them.
    Bridge,
    /// As `Bridge`, and pods get a default route through them.
    Default,
}

/// Where addresses come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum IpamSource {
    /// `berth-ipam`, inside this process.
    InProcess,
    /// A plugin of this name, executed.
    Delegate(String),
    /// The addresses in `prevResult`.
    PrevResult,
}

/// The state that outlives a request, and where it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Places {
    /// Attachment records, locks and the daemon's socket.
    pub state_dir: PathBuf,
    /// OVSDB's socket.
    pub socket_file: PathBuf,
    /// Pinned maps and programs.
    pub bpf_dir: PathBuf,
}

/// A configuration that ADD and CHECK can work with.
#[derive(Debug, Clone)]
pub struct Config {
    /// State and sockets.
    pub places: Places,
    /// The switch and how to plug into it; none for a routed port.
    pub switch: Option<SwitchConfig>,
    /// Role of the gateway addresses.
    pub gateway: Gateway,
    /// MTU of the pod's interface in bytes; none means that of the uplink or bridge.
    pub mtu: Option<u32>,
    /// Whether traffic that leaves the pod network is masqueraded.
    pub ip_masq: bool,
    /// Where addresses come from.
    pub ipam: IpamSource,
    /// Resolver settings of the configuration.
    pub dns: Dns,
    /// The MAC asked for, of all the places where one can be.
    pub mac: Option<MacAddr>,
    /// What the runtime adds for this container.
    pub runtime: Runtime,
    /// The result of the plugins before this one.
    pub prev_result: Option<CniResult>,
    /// The pod, where the runtime names it.
    pub pod: Option<Pod>,
}

impl Config {
    /// Reads and checks the whole configuration of a request.
    pub fn parse(request: &Request) -> Result<Self, Error> {
        let root = Field::root(&request.config);
        report_unknown(&root, &KNOWN)?;
        let prev_result = prev_result(request)?;
        let runtime = Runtime::parse(&root.key("runtimeConfig")?)?;
        let switch = SwitchConfig::parse(&root)?;
        let backend = root.key("ipMasqBackend")?;
        if !matches!(backend.string()?, None | Some("" | "nftables")) {
            return Err(backend
                .wrong("\"nftables\", the only backend there is")
                .into());
        }
        Ok(Self {
            places: Places::parse(&root)?,
            gateway: gateway(&root)?,
            mtu: mtu(&root)?,
            ip_masq: root.key("ipMasq")?.flag()?,
            // STATUS comes without prevResult to every plugin of a chain.
            ipam: ipam_source(&root, prev_result.is_some() || request.verb == Verb::Status)?,
            dns: Dns::from_field(&root.key("dns")?)?,
            mac: mac(request, &root)?,
            pod: pod(request),
            runtime,
            switch,
            prev_result,
        })
    }
}

/// What DEL and GC need of a configuration.
#[derive(Debug, Clone)]
pub struct Cleanup {
    /// State and sockets.
    pub places: Places,
    /// Whether there may be masquerade rules that no record tells of.
    pub ip_masq: bool,
    /// Whether there may be a port on a switch that no record tells of.
    pub on_switch: bool,
    /// Where the addresses came from; none if the configuration does not say.
    pub ipam: Option<IpamSource>,
}

impl Cleanup {
    /// Reads the few keys that clean-up depends on.
    pub fn parse(request: &Request) -> Result<Self, Error> {
        let root = Field::root(&request.config);
        Ok(Self {
            places: Places::parse(&root)?,
            ip_masq: root.key("ipMasq")?.flag()?,
            on_switch: root
                .key("bridge")?
                .string()?
                .is_some_and(|name| !name.is_empty()),
            ipam: match root.key("ipam")?.is_present() {
                true => Some(ipam_source(&root, true)?),
                false => None,
            },
        })
    }
}

impl Places {
    /// Reads the directories and sockets, with their defaults.
    pub fn parse(root: &Field<'_>) -> Result<Self, FieldError> {
        Ok(Self {
            state_dir: path(root, "stateDir", "/run/berth")?,
            socket_file: path(root, "socket_file", "/run/openvswitch/db.sock")?,
            bpf_dir: path(root, "bpfDir", "/sys/fs/bpf/berth")?,
        })
    }
}

/// The result that came with the request, if one did.
pub fn prev_result(request: &Request) -> Result<Option<CniResult>, FieldError> {
    let field = Field::root(&request.config).key("prevResult")?;
    match field.is_present() {
        true => CniResult::from_field(&field, request.version).map(Some),
        false => Ok(None),
    }
}

fn report_unknown(field: &Field<'_>, known: &[&str]) -> Result<(), FieldError> {
    for key in field.keys()? {
        if !known.contains(&key) {
            tracing::debug!(parent = field.path(), key, "unknown key is ignored");
        }
    }
    Ok(())
}

fn path(root: &Field<'_>, key: &str, default: &str) -> Result<PathBuf, FieldError> {
    let field = root.key(key)?;
    match field.string()? {
        None | Some("") => Ok(PathBuf::from(default)),
        Some(text) if text.starts_with('/') && !text.contains('\0') => Ok(PathBuf::from(text)),
        // A runtime starts plugins in any directory it likes.
        Some(_) => Err(field.wrong("an absolute path")),
    }
}

fn gateway(root: &Field<'_>) -> Result<Gateway, FieldError> {
    let is_gateway = root.key("isGateway")?.flag()?;
    Ok(match root.key("isDefaultGateway")?.flag()? {
        true => Gateway::Default,
        false if is_gateway => Gateway::Bridge,
        false => Gateway::Elsewhere,
    })
}

fn mtu(root: &Field<'_>) -> Result<Option<u32>, FieldError> {
    let field = root.key("mtu")?;
    let mtu = field.number(0..=65535)?.filter(|mtu| *mtu != 0);
    if mtu.is_some_and(|mtu| mtu < 68) {
        return Err(field.wrong("0, or a whole number from 68 to 65535"));
    }
    Ok(mtu.and_then(|mtu| u32::try_from(mtu).ok()))
}

fn ipam_source(root: &Field<'_>, chained: bool) -> Result<IpamSource, FieldError> {
    let ipam = root.key("ipam")?;
    let kind = ipam.key("type")?;
    match kind.string()? {
        Some(OWN_IPAM) => Ok(IpamSource::InProcess),
        Some(name) if is_plugin_name(name) => Ok(IpamSource::Delegate(name.to_owned())),
        Some("") | None if chained && ipam.keys()?.is_empty() => Ok(IpamSource::PrevResult),
        Some(_) | None => {
            let field = if ipam.is_present() { kind } else { ipam };
            Err(field.wrong("the name of an IPAM plugin, or the addresses of a prevResult"))
        }
    }
}

/// Whether `name` is a file name: a delegate is looked for in CNI_PATH only.
fn is_plugin_name(name: &str) -> bool {
    !name.is_empty() && name != "." && name != ".." && !name.contains(['/', '\0'])
}

/// The MAC by descending precedence: the runtime's capability, the
/// configuration's arguments, CNI_ARGS.
fn mac(request: &Request, root: &Field<'_>) -> Result<Option<MacAddr>, Error> {
    let places = [
        root.key("runtimeConfig")?.key("mac")?,
        root.key("args")?.key("cni")?.key("mac")?,
    ];
    let mut chosen = None;
    for field in places {
        const EXPECTED: &str = "the MAC address of one station, as in 0a:58:0a:01:00:05";
        if field.string()? == Some("") {
            continue;
        }
        let mac: Option<MacAddr> = field.parse(EXPECTED)?;
        if mac.is_some_and(|mac| !mac.is_unicast()) {
            return Err(field.wrong(EXPECTED).into());
        }
        chosen = chosen.or(mac);
    }
    if let Some(text) = request.args.get("MAC") {
        let mac = text.parse().ok().filter(|mac: &MacAddr| mac.is_unicast());
        let mac = mac.ok_or_else(|| {
            Error::Environment(format!(
                "invalid value {text:?} for MAC in CNI_ARGS: expected the MAC address of one station"
            ))
        })?;
        chosen = chosen.or(Some(mac));
    }
    Ok(chosen)
}

fn pod(request: &Request) -> Option<Pod> {
    let text = |key| request.args.get(key).unwrap_or_default().to_owned();
    Some(Pod {
        namespace: text("K8S_POD_NAMESPACE"),
        name: request.args.get("K8S_POD_NAME")?.to_owned(),
        uid: text("K8S_POD_UID"),
    })
}

#[cfg(test)]
mod tests;
