//! The plugins in this binary, chosen by the name it is called by.

use std::ffi::OsStr;
use std::path::Path;

use serde_json::Value;

use crate::error::Error;
use crate::request::{Request, Verb};
use crate::version::SpecVersion;
use crate::{flannel, ipam_plugin, loopback, ops};

/// Version of the layout shared with the eBPF side.
const ABI_VERSION: u32 = abi::ABI_VERSION;

/// One of the plugins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Program {
    /// The main plugin.
    Berth,
    /// The IPAM plugin, by its own name or that of the one it stands in for.
    Ipam(&'static str),
    /// The loopback interface.
    Loopback,
    /// flannel's plugin.
    Flannel,
}

impl Program {
    /// The plugin for a first argument; any unknown name is `berth`.
    pub fn of_name(argv0: &OsStr) -> Self {
        match Path::new(argv0).file_name().and_then(OsStr::to_str) {
            Some("berth-ipam") => Self::Ipam("berth-ipam"),
            Some("host-local") => Self::Ipam("host-local"),
            Some("loopback") => Self::Loopback,
            Some("flannel") => Self::Flannel,
            _ => Self::Berth,
        }
    }

    /// The plugin's name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Berth => "berth",
            Self::Ipam(name) => name,
            Self::Loopback => "loopback",
            Self::Flannel => "flannel",
        }
    }

    /// What `--version` prints.
    pub fn version(self) -> String {
        format!(
            "{} {} (ABI {ABI_VERSION}, commit {})",
            self.name(),
            env!("CARGO_PKG_VERSION"),
            env!("BERTH_COMMIT"),
        )
    }

    /// What is printed when nothing is asked for.
    pub fn about(self) -> String {
        let what = match self {
            Self::Berth => {
                "CNI plugin: a pod's interface as a routed port or a port of Open vSwitch"
            }
            Self::Ipam(_) => {
                "CNI IPAM plugin: addresses of this node's ranges, in host-local's store"
            }
            Self::Loopback => "CNI plugin: the loopback interface",
            Self::Flannel => "CNI plugin: flannel (not implemented yet)",
        };
        format!(
            "{}\n{what}\nCNI protocol versions supported: {}",
            self.version(),
            SpecVersion::list()
        )
    }

    /// Serves a request; what is returned goes to standard output.
    pub async fn serve(self, request: &Request) -> Result<Option<Value>, Error> {
        match self {
            Self::Berth => match request.verb {
                Verb::Add => ops::add::run(request).await.map(Some),
                Verb::Del => ops::del::run(request).await.map(|()| None),
                Verb::Check => ops::check::run(request).await.map(|()| None),
                Verb::Gc => ops::gc::run(request).await.map(|()| None),
                Verb::Status => ops::status::run(request).await.map(|()| None),
                Verb::Version => Ok(Some(ops::version::answer())),
            },
            Self::Ipam(_) => ipam_plugin::serve(request),
            Self::Loopback => loopback::serve(request).await,
            Self::Flannel => flannel::serve(request),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_chooses_the_plugin() {
        let cases = [
            ("/opt/cni/bin/berth", "berth"),
            ("berth-ipam", "berth-ipam"),
            ("/opt/cni/bin/host-local", "host-local"),
            ("./loopback", "loopback"),
            ("flannel", "flannel"),
            ("/usr/bin/anything", "berth"),
            ("", "berth"),
        ];
        for (argv0, name) in cases {
            assert_eq!(Program::of_name(OsStr::new(argv0)).name(), name, "{argv0}");
        }
    }
}
