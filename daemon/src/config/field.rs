//! The table of settings.

/// One setting.
#[derive(Debug)]
pub struct Field {
    /// The flag without its dashes, and the key in the file.
    pub key: &'static str,
    /// The environment variable.
    pub env: &'static str,
    /// What stands for the value in the help text.
    pub value_name: &'static str,
    /// The value when none is given; none where it is found out at start.
    pub default: Option<&'static str>,
    /// One line of help.
    pub help: &'static str,
}

/// Every setting there is, in the order of the help text.
pub const FIELDS: &[Field] = &[
    Field {
        key: "node-name",
        env: "BERTH_NODE_NAME",
        value_name: "NAME",
        default: None,
        help: "This node's name in the API [default: the host name]",
    },
    Field {
        key: "services",
        env: "BERTH_SERVICES",
        value_name: "SOURCE",
        default: Some("none"),
        help: "Where Services come from: none, or dir:PATH with manifests (kubernetes is not available yet)",
    },
    Field {
        key: "state-dir",
        env: "BERTH_STATE_DIR",
        value_name: "DIR",
        default: Some("/run/berth"),
        help: "Attachment records and the control socket",
    },
    Field {
        key: "bpf-dir",
        env: "BERTH_BPF_DIR",
        value_name: "DIR",
        default: Some("/sys/fs/bpf/berth"),
        help: "Pinned maps and programs",
    },
    Field {
        key: "ovsdb",
        env: "BERTH_OVSDB",
        value_name: "SOCKET",
        default: Some("/run/openvswitch/db.sock"),
        help: "OVSDB socket; OVS's pid file and bridge sockets are looked for beside it",
    },
    Field {
        key: "cgroup",
        env: "BERTH_CGROUP",
        value_name: "DIR",
        default: Some("root"),
        help: "cgroup2 directory whose sockets are load-balanced: root is that of the hierarchy, none is off",
    },
    Field {
        key: "nodeport-addresses",
        env: "BERTH_NODEPORT_ADDRESSES",
        value_name: "CIDRS",
        default: Some("primary"),
        help: "Addresses of this node that take NodePorts: primary, or CIDRs separated by commas",
    },
    Field {
        key: "uplink",
        env: "BERTH_UPLINK",
        value_name: "DEVICES",
        default: Some("default"),
        help: "Devices that face the outside, separated by commas: default are those of the default routes, none is off",
    },
    Field {
        key: "xdp",
        env: "BERTH_XDP",
        value_name: "MODE",
        default: Some("auto"),
        help: "XDP on the uplinks: auto (physical devices whose driver has it), native, generic or off",
    },
    Field {
        key: "cluster-cidr",
        env: "BERTH_CLUSTER_CIDR",
        value_name: "CIDRS",
        default: Some("none"),
        help: "Networks of pods, separated by commas: clients there are inside, and keep their address",
    },
    Field {
        key: "healthz",
        env: "BERTH_HEALTHZ",
        value_name: "ADDRESS",
        default: Some("0.0.0.0:10256"),
        help: "Listen address of /healthz, /livez and /readyz; port 0 picks a free one, none is off",
    },
    Field {
        key: "metrics",
        env: "BERTH_METRICS",
        value_name: "ADDRESS",
        default: Some("127.0.0.1:10249"),
        help: "Listen address of /metrics; port 0 picks a free one, none is off",
    },
    Field {
        key: "pod-routes",
        env: "BERTH_POD_ROUTES",
        value_name: "MODE",
        default: Some("none"),
        help: "Routes to other nodes' pods: none (direct and flannel are not available yet)",
    },
    Field {
        key: "ipam-dir",
        env: "BERTH_IPAM_DIR",
        value_name: "DIR",
        default: Some("/var/lib/cni/networks"),
        help: "Address leases of berth-ipam, cleaned at start against the attachment records",
    },
    Field {
        key: "cni-conf-dir",
        env: "BERTH_CNI_CONF_DIR",
        value_name: "DIR",
        default: Some("/etc/cni/net.d"),
        help: "CNI configurations of the container runtime; only read, to know which networks are berth's",
    },
    Field {
        key: "resync",
        env: "BERTH_RESYNC",
        value_name: "SECONDS",
        default: Some("30"),
        help: "Seconds between full passes when nothing happens",
    },
    Field {
        key: "log",
        env: "BERTH_LOG",
        value_name: "FILTER",
        default: Some("info"),
        help: "What is logged on stderr: error, warn, info, debug, trace, or a filter like daemon=debug",
    },
];

/// The setting with this key.
pub fn by_key(key: &str) -> Option<&'static Field> {
    FIELDS.iter().find(|field| field.key == key)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_environment_variable_follows_from_the_key() {
        for field in FIELDS {
            let expected = format!("BERTH_{}", field.key.to_uppercase().replace('-', "_"));
            assert_eq!(field.env, expected);
        }
    }
}
