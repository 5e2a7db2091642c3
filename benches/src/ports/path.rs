//! The ways from one pod to another, laid out ready for traffic.

use std::io::ErrorKind;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use tests::netns::Netns;
use tests::ovs::{Datapath, Ovs};
use tests::rig::Strategy;
use tests::wait;

use crate::contender::{self, BRIDGE, Contender};
use crate::node_daemon::NodeDaemon;
use crate::programs::Programs;
use crate::services::manifests;
use crate::services::node::ServiceNode;
use crate::wire;

const CLIENT: Ipv4Addr = Ipv4Addr::new(10, 99, 255, 1);
const SERVER: Ipv4Addr = Ipv4Addr::new(10, 99, 255, 2);

/// A kind of way between two pods of one node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Path {
    /// berth's veth on OVS: what all others are compared with.
    Veth,
    /// An internal port of OVS as it is, moved into the pod by hand.
    Internal,
    /// berth's renamed internal port.
    Rename,
    /// berth's bond over the internal port.
    Bond,
    /// berth's macvlan over the internal port.
    Macvlan,
    /// berth's routed ports, with Services on: programs at the host ends pass packets from one to the other.
    Routed,
    /// The same routed ports by themselves: the host's stack routes.
    Unaided,
    /// A Linux bridge with veths.
    Bridge,
    /// One veth pair with nothing between: the limit.
    Pair,
}

/// Two pods with a way between them; dropped, all of it goes.
#[derive(Debug)]
pub struct Laid {
    /// Where the clients run.
    pub client: Netns,
    /// Where the servers run.
    pub server: Netns,
    /// An address of the server.
    pub address: Ipv4Addr,
    _between: Between,
}

/// What has to live as long as the way does.
#[derive(Debug)]
enum Between {
    Nothing,
    Node {
        _node: Netns,
    },
    Switch {
        _ovs: Ovs,
        _node: Netns,
    },
    Berth {
        _daemon: Option<NodeDaemon>,
        _contender: Box<Contender>,
    },
    Services {
        _node: Box<ServiceNode>,
    },
}

impl Laid {
    /// Wait until packets go past the host's stack: one hop less on them than on those that it routes.
    fn await_fast_path(&self) -> Result<()> {
        let Between::Services { _node: node } = &self._between else {
            return Ok(());
        };
        let passed = || -> Result<u64> {
            let verdicts = node.verdicts()?;
            Ok(verdicts["packet_local"].as_u64().unwrap_or_default())
        };
        wait::until_ok(Duration::from_secs(30), "the fast path", || {
            let before = passed()?;
            self.await_answer()?;
            ensure!(passed()? > before, "{}", node.verdicts()?);
            Ok(())
        })
    }

    /// Wait until the server's pod answers the client's: a port that nobody listens on refuses at once.
    fn await_answer(&self) -> Result<()> {
        let target = SocketAddr::from((self.address, 9));
        wait::until(
            Duration::from_secs(30),
            "the server's pod to answer",
            || {
                let refused = self.client.run(|| {
                    let tried = TcpStream::connect_timeout(&target, Duration::from_secs(1));
                    Ok(tried.is_err_and(|error| error.kind() == ErrorKind::ConnectionRefused))
                });
                refused.unwrap_or(false)
            },
        )
    }
}

impl Path {
    /// Its row's name.
    pub fn label(self) -> &'static str {
        match self {
            Path::Veth => "OVS, veth (berth)",
            Path::Internal => "OVS, internal port, unrenamed (by hand)",
            Path::Rename => "OVS, renamed internal port (berth)",
            Path::Bond => "OVS, bond over internal port (berth)",
            Path::Macvlan => "OVS, macvlan over internal port (berth)",
            Path::Routed => "routed veth, Services on (berth)",
            Path::Unaided => "routed veth (berth)",
            Path::Bridge => "Linux bridge + veth",
            Path::Pair => "one veth pair, nothing between",
        }
    }

    /// Make the two pods and the way.
    ///
    /// # Errors
    /// When anything that it is made of fails.
    pub fn lay(self, programs: &Programs, datapath: Datapath) -> Result<Laid> {
        let cannot = || format!("cannot lay the path {}", self.label());
        let (client, server) = (Netns::new("client")?, Netns::new("server")?);
        let laid = match self {
            Path::Veth => berth(programs, Strategy::Veth, datapath, client, server),
            Path::Rename => renamed(programs, datapath, client, server),
            Path::Bond => berth(programs, Strategy::Bond, datapath, client, server),
            Path::Macvlan => berth(programs, Strategy::Macvlan, datapath, client, server),
            Path::Internal => internal(datapath, client, server),
            Path::Routed => return routed(true).with_context(cannot),
            Path::Unaided => return routed(false).with_context(cannot),
            Path::Bridge => bridge(client, server),
            Path::Pair => pair(client, server),
        };
        laid.and_then(|laid| laid.await_answer().map(|()| laid))
            .with_context(cannot)
    }
}

/// Two routed pods of a node, with berthd and a Service if `services`: then each packet is looked at as on any node.
fn routed(services: bool) -> Result<Laid> {
    let mut node = ServiceNode::everywhere()?;
    let client = node.node.add_pod("client")?;
    let server = node.node.add_pod("server")?;
    let IpAddr::V4(address) = server.v4() else {
        bail!("the server's pod has no IPv4 address");
    };
    if services {
        let text = manifests::text(0, &[address]);
        manifests::put(node.folder(), 0, &text)?;
        node.start(&[])?;
    }
    let laid = Laid {
        client: client.netns,
        server: server.netns,
        address,
        _between: Between::Services {
            _node: Box::new(node),
        },
    };
    laid.await_answer()?;
    if services {
        laid.await_fast_path()?;
    }
    Ok(laid)
}

fn pair(client: Netns, server: Netns) -> Result<Laid> {
    client.run(|| wire::veth(&client, "eth0", &server))?;
    wire::address(&client, "eth0", CLIENT)?;
    wire::address(&server, "eth0", SERVER)?;
    Ok(Laid {
        client,
        server,
        address: SERVER,
        _between: Between::Nothing,
    })
}

fn bridge(client: Netns, server: Netns) -> Result<Laid> {
    let node = Netns::new("node")?;
    node.sh("ip link add br0 type bridge && ip link set br0 up")?;
    for (pod, host_end, address) in [(&client, "client", CLIENT), (&server, "server", SERVER)] {
        wire::veth(&node, host_end, pod)?;
        node.sh(&format!("ip link set {host_end} master br0"))?;
        wire::address(pod, "eth0", address)?;
    }
    Ok(Laid {
        client,
        server,
        address: SERVER,
        _between: Between::Node { _node: node },
    })
}

fn internal(datapath: Datapath, client: Netns, server: Netns) -> Result<Laid> {
    let node = Netns::new("node")?;
    let ovs = Ovs::start(&node, datapath)?;
    ovs.add_bridge(BRIDGE)?;
    for (pod, port, address) in [(&client, "client", CLIENT), (&server, "server", SERVER)] {
        by_hand(&ovs, &node, pod, port, address)?;
    }
    Ok(Laid {
        client,
        server,
        address: SERVER,
        _between: Between::Switch {
            _ovs: ovs,
            _node: node,
        },
    })
}

fn berth(
    programs: &Programs,
    strategy: Strategy,
    datapath: Datapath,
    client: Netns,
    server: Netns,
) -> Result<Laid> {
    let contender = Contender::on_ovs(programs, strategy, datapath)?;
    attach(&contender, "client", &client)?;
    let address = attach(&contender, "server", &server)?;
    let between = Between::Berth {
        _daemon: None,
        _contender: Box::new(contender),
    };
    Ok(Laid {
        client,
        server,
        address,
        _between: between,
    })
}

/// Here only the client's port is berth's. On the kernel datapath a renamed port is lost when the next one is
/// added, so the server has the same port unrenamed; the two differ in nothing that a packet meets. The daemon runs,
/// for it is what puts a lost one back.
fn renamed(programs: &Programs, datapath: Datapath, client: Netns, server: Netns) -> Result<Laid> {
    let contender = Contender::on_ovs(programs, Strategy::Rename, datapath)?;
    let ovs = contender.ovs().context("no switch")?;
    by_hand(ovs, contender.node(), &server, "server", SERVER)?;
    let daemon = NodeDaemon::start(&contender)?;
    attach(&contender, "client", &client)?;
    let between = Between::Berth {
        _daemon: Some(daemon),
        _contender: Box::new(contender),
    };
    Ok(Laid {
        client,
        server,
        address: SERVER,
        _between: between,
    })
}

/// An internal port by hand: made by OVS, moved, never renamed.
fn by_hand(ovs: &Ovs, node: &Netns, pod: &Netns, port: &str, address: Ipv4Addr) -> Result<()> {
    ovs.vsctl(&[
        "add-port",
        BRIDGE,
        port,
        "--",
        "set",
        "interface",
        port,
        "type=internal",
    ])?;
    wire::hand_over(node, port, pod)?;
    wire::address(pod, port, address)
}

/// ADD; the address the pod got.
fn attach(contender: &Contender, container: &str, pod: &Netns) -> Result<Ipv4Addr> {
    let result = contender.inside(|| contender.add(container, pod.path())?.result())?;
    contender::address(&result)?
        .parse()
        .context("an address that is not IPv4")
}
