//! Names and marks by which everything of an attachment is found again.
//!
//! Names are derived from the CNI identity alone, so that DEL works without a
//! record. A name is not proof: links carry an alias and OVSDB rows external ids,
//! and what lacks them is somebody else's and is never touched.

use std::collections::BTreeMap;
use std::path::Path;

use sha2::{Digest, Sha256};

use crate::record::Attachment;

/// First letters of every device and port made by berth.
pub const PREFIX: &str = "brt";

/// Value of the external id [`OWNER_KEY`].
pub const OWNER: &str = "berth";
/// External id that says who made the row.
pub const OWNER_KEY: &str = "owner";
/// External id with the container id.
pub const CONTAINER_KEY: &str = "berth-container";
/// External id with the interface name inside the pod.
pub const IFNAME_KEY: &str = "berth-ifname";
/// External id with the CNI network name.
pub const NETWORK_KEY: &str = "berth-network";
/// External id with the state directory whose records own the row: two nodes on
/// one host may share a switch, and each cleans up only its own.
pub const STATE_DIR_KEY: &str = "berth-state-dir";

fn digest(container_id: &str, ifname: &str) -> [u8; 32] {
    let mut hash = Sha256::new();
    hash.update(container_id.as_bytes());
    hash.update(b"/");
    hash.update(ifname.as_bytes());
    hash.finalize().into()
}

fn hex(prefix: &str, bytes: &[u8]) -> String {
    use std::fmt::Write;
    let mut name = String::from(prefix);
    for byte in bytes {
        // Writing to a String cannot fail.
        let _ = write!(name, "{byte:02x}");
    }
    name
}

/// Name of the host end and of the OVS port: 15 characters, the kernel's limit.
pub fn port_name(container_id: &str, ifname: &str) -> String {
    hex(PREFIX, &digest(container_id, ifname)[..6])
}

/// Name under which a dead device waits in the pod for its deletion.
pub fn aside_name(container_id: &str, ifname: &str) -> String {
    hex("bro", &digest(container_id, ifname)[..6])
}

/// Whether `name` could have been made by [`port_name`].
pub fn is_port_name(name: &str) -> bool {
    name.len() == PREFIX.len() + 12
        && name
            .strip_prefix(PREFIX)
            .is_some_and(|hex| hex.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')))
}

/// IFLA_IFALIAS of every link of an attachment.
pub fn alias(container_id: &str, ifname: &str) -> String {
    format!("berth:{container_id}/{ifname}")
}

/// MAC of the host end of a routed port, stable for an attachment.
pub fn host_mac(container_id: &str, ifname: &str) -> netlink::MacAddr {
    let [_, _, _, _, _, _, a, b, c, d, e, f, ..] = digest(container_id, ifname);
    netlink::MacAddr::locally_administered([a, b, c, d, e, f])
}

/// The external ids that prove a row to be that of `record`, plus those by which
/// OVN and friends find the port.
pub fn external_ids(record: &Attachment, state_dir: &Path) -> BTreeMap<String, String> {
    let mut ids = BTreeMap::from([
        (OWNER_KEY.to_owned(), OWNER.to_owned()),
        (CONTAINER_KEY.to_owned(), record.container_id.clone()),
        (IFNAME_KEY.to_owned(), record.ifname.clone()),
        (NETWORK_KEY.to_owned(), record.network.clone()),
        (STATE_DIR_KEY.to_owned(), state_dir.display().to_string()),
        ("attached-mac".to_owned(), record.mac.to_string()),
        ("iface-status".to_owned(), "active".to_owned()),
        ("vm-id".to_owned(), record.container_id.clone()),
    ]);
    let iface_id = match &record.pod {
        Some(pod) if record.ifname == "eth0" => format!("{}.{}", pod.name, pod.namespace),
        Some(pod) => format!("{}.{}.{}", pod.name, pod.namespace, record.ifname),
        None => format!("{}.{}", record.container_id, record.ifname),
    };
    ids.insert("iface-id".to_owned(), iface_id);
    ids
}

/// Whether a row's external ids say that it belongs to this attachment.
pub fn owns(ids: &BTreeMap<String, String>, container_id: &str, ifname: &str) -> bool {
    let is = |key: &str, value: &str| ids.get(key).is_some_and(|v| v == value);
    is(OWNER_KEY, OWNER) && is(CONTAINER_KEY, container_id) && is(IFNAME_KEY, ifname)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_have_the_length_the_kernel_allows() {
        let name = port_name("0123456789abcdef", "eth0");
        assert_eq!(name.len(), 15);
        assert!(is_port_name(&name), "{name}");
        assert!(!is_port_name("brt0"));
        assert!(!is_port_name("brtzzzzzzzzzzzz"));
    }

    #[test]
    fn names_differ_by_container_and_interface() {
        assert_ne!(port_name("a", "eth0"), port_name("b", "eth0"));
        assert_ne!(port_name("a", "eth0"), port_name("a", "eth1"));
        // The separator is part of the hash: "a" + "b/c" and "a/b" + "c" cannot both
        // be valid, as neither part may hold a slash.
        assert_eq!(port_name("c1", "eth0"), "brtd72e032fedd9");
    }

    #[test]
    fn ownership_needs_all_three_marks() {
        let mut ids = BTreeMap::from([
            (OWNER_KEY.to_owned(), OWNER.to_owned()),
            (CONTAINER_KEY.to_owned(), "c".to_owned()),
            (IFNAME_KEY.to_owned(), "eth0".to_owned()),
        ]);
        assert!(owns(&ids, "c", "eth0"));
        assert!(!owns(&ids, "c", "eth1"));
        ids.remove(OWNER_KEY);
        assert!(!owns(&ids, "c", "eth0"));
    }
}
