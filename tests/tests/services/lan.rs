//! What is around the node: a wire with a client on it and another node, which has a backend.

use std::net::SocketAddr;
use std::path::Path;
use std::process::Child;

use anyhow::{Result, ensure};
use tempfile::TempDir;
use tests::netns::Netns;
use tests::node::Node;
use tests::traffic::Answerer;
use tests::wait;

use crate::rig::{BACKEND, LIMIT, NODE_V4, NODE_V6};

/// The client's addresses.
pub const CLIENT_V4: &str = "192.0.2.1";
pub const CLIENT_V6: &str = "2001:db8::1";

/// The backend on the other node.
pub const REMOTE_V4: &str = "10.99.0.2";
pub const REMOTE_V6: &str = "fd00:99::2";

/// A wire, with the node's device `up0` on it.
pub struct Lan {
    pub client: Netns,
    other: Netns,
    wire: Netns,
    _backends: Vec<Answerer>,
    berthd: Option<(Ended, TempDir)>,
}

impl Lan {
    /// Around a node. The backend on the other node is called `far`.
    pub fn around(node: &Node) -> Result<Self> {
        let wire = Netns::new("wire")?;
        wire.sh("ip link add br0 type bridge && ip link set br0 up")?;
        let (client, other) = (Netns::new("outside")?, Netns::new("other")?);
        let plug = |netns: &Netns, port: &str, v4: &str, v6: &str| -> Result<()> {
            let path = netns.path().display();
            wire.sh(&format!(
                "ip link add {port} type veth peer name up0 netns {path} && ip link set {port} master br0 up"
            ))?;
            // As on a real wire: no checksum is left to whoever receives.
            netlink::Netns::open(netns.path())?.set_checksum_offload("up0", false)?;
            netns.sh(&format!(
                "ip addr add {v4}/24 dev up0; ip addr add {v6}/64 dev up0 nodad; ip link set up0 up"
            ))?;
            Ok(())
        };
        plug(&client, "client", CLIENT_V4, CLIENT_V6)?;
        plug(&other, "other", "192.0.2.20", "2001:db8::20")?;
        plug(&node.netns, "node", NODE_V4, NODE_V6)?;
        node.netns.sh(&format!(
            "ip route add default via {CLIENT_V4}; ip -6 route add default via {CLIENT_V6}; \
             ip route add 10.99.0.0/24 via 192.0.2.20; ip -6 route add fd00:99::/64 via 2001:db8::20"
        ))?;
        // What is not on the wire is asked of the node.
        client.sh(&format!(
            "ip route add default via {NODE_V4}; ip -6 route add default via {NODE_V6}"
        ))?;
        other.sh(&format!(
            "ip addr add {REMOTE_V4}/32 dev lo; ip addr add {REMOTE_V6}/128 dev lo nodad; \
             ip route add default via {NODE_V4}; ip -6 route add default via {NODE_V6}"
        ))?;
        let mut backends = Vec::new();
        for address in [REMOTE_V4, REMOTE_V6] {
            let place = SocketAddr::new(address.parse()?, BACKEND);
            backends.push(Answerer::start(&other, "far", place)?);
        }
        Ok(Self {
            client,
            other,
            wire,
            _backends: backends,
            berthd: None,
        })
    }

    /// Moves the other node behind a device of the node, `up1`, that takes packets of `mtu` bytes.
    pub fn narrow(&self, node: &Node, mtu: u32) -> Result<()> {
        let other = self.other.path().display();
        node.netns.sh(&format!(
            "ip link add up1 mtu {mtu} type veth peer name up1 netns {other}; \
             ip addr add 198.51.100.1/24 dev up1; ip addr add 2001:db8:1::1/64 dev up1 nodad; ip link set up1 up"
        ))?;
        self.other.sh(&format!(
            "ip link set up1 mtu {mtu}; ip addr add 198.51.100.2/24 dev up1; \
             ip addr add 2001:db8:1::2/64 dev up1 nodad; ip link set up1 up; \
             ip route replace default via 198.51.100.1; ip -6 route replace default via 2001:db8:1::1"
        ))?;
        node.netns
            .sh("ip route replace 10.99.0.0/24 via 198.51.100.2; \
             ip -6 route replace fd00:99::/64 via 2001:db8:1::2")?;
        Ok(())
    }

    /// Lets the far end of the node's device take what is sent to it by XDP: a veth delivers that at once only if it
    /// has a program itself. A daemon with no Services puts one there, which lets everything pass.
    pub fn receive_xdp(&mut self, bpf_dir: &Path) -> Result<()> {
        let directory = tempfile::tempdir()?;
        let path = |name: &str| directory.path().join(name).display().to_string();
        std::fs::create_dir(path("manifests"))?;
        let mut berthd = self.wire.command(tests::binaries::berthd()?);
        #[rustfmt::skip]
        berthd.args([
            "--services", &format!("dir:{}", path("manifests")), "--state-dir", &path("state"),
            "--bpf-dir", &bpf_dir.display().to_string(), "--cgroup", "none", "--uplink", "node", "--xdp", "native",
            "--healthz", "none", "--metrics", "none", "--log", "warn",
        ]);
        self.berthd = Some((Ended(berthd.spawn()?), directory));
        wait::until_ok(LIMIT, "a program at the far end", || {
            let shown = self.wire.sh("ip link show node")?;
            ensure!(shown.contains(" xdp "), "{shown}");
            Ok(())
        })
    }
}

/// A process that is ended with this value.
struct Ended(Child);

impl Drop for Ended {
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}
