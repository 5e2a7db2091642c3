//! The node that packets come to: its devices, neighbours and routes, its pods, all of them in both families.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};

use abi::{Address, DeviceAddresses, Node, Pod};
use anyhow::Result;
use dataplane::node::{Scene, bits};
use tests::netns::Netns;

/// MAC addresses: of the node's devices, of neighbours, of pods.
pub const LAN: [u8; 6] = [2, 0, 0, 0, 0, 0x10];
pub const WAN: [u8; 6] = [2, 0, 0, 0, 0, 0x20];
pub const PORT: [u8; 6] = [2, 0, 0, 0, 0, 0x30];
pub const CLIENT: [u8; 6] = [2, 0, 0, 0, 1, 0x20];
pub const ROUTER: [u8; 6] = [2, 0, 0, 0, 1, 1];
pub const NODE2: [u8; 6] = [2, 0, 0, 0, 1, 0x30];
pub const NODE3: [u8; 6] = [2, 0, 0, 0, 1, 0x40];
pub const WEB: [u8; 6] = [2, 0, 0, 0, 2, 2];
pub const TWO: [u8; 6] = [2, 0, 0, 0, 2, 3];

/// The MTU of the device `wan`: smaller than that of the others.
pub const WAN_MTU: usize = 1400;

/// Ports that clients get with the node's address.
pub const FIRST_PORT: u16 = 40_000;
pub const PORT_COUNT: u16 = 1_000;

const SETUP: &str = "
echo 1 >/proc/sys/net/ipv4/ip_forward
echo 1 >/proc/sys/net/ipv6/conf/all/forwarding
for device in lan wan port; do
    ip link add $device type veth peer name $device-far
    ip link set $device-far up
done
ip link set lan address 02:00:00:00:00:10 up
ip link set wan address 02:00:00:00:00:20 mtu 1400 up
ip link set port address 02:00:00:00:00:30 up
ip address add 172.16.0.1/32 dev lo
ip address add fd00:1::1/128 dev lo nodad
ip address add 192.0.2.10/24 dev lan
ip address add 2001:db8::10/64 dev lan nodad
ip address add 198.51.100.10/24 dev wan
ip address add 2001:db8:5::10/64 dev wan nodad
neighbour() { ip neighbour add $1 lladdr $2 dev $3 nud permanent; }
for address in 192.0.2.20 2001:db8::20; do neighbour $address 02:00:00:00:01:20 lan; done
for address in 192.0.2.1 2001:db8::1; do neighbour $address 02:00:00:00:01:01 lan; done
for address in 192.0.2.30 2001:db8::30; do neighbour $address 02:00:00:00:01:30 lan; done
for address in 198.51.100.30 2001:db8:5::30; do neighbour $address 02:00:00:00:01:40 wan; done
ip route add default via 192.0.2.1
ip route add default via 2001:db8::1
ip route add 10.244.1.0/24 via 192.0.2.30
ip route add fd00:244:1::/64 via 2001:db8::30
ip route add 10.244.2.0/24 via 198.51.100.30
ip route add fd00:244:2::/64 via 2001:db8:5::30
ip route add unreachable 10.66.0.0/16
ip route add unreachable fd00:66::/64
";

/// Makes the devices, with their routes and neighbours.
pub fn set_up(netns: &Netns) -> Result<()> {
    netns.sh(SETUP).map(drop)
}

/// A family of addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Family {
    pub v4: bool,
}

/// Both.
pub const FAMILIES: [Family; 2] = [Family { v4: true }, Family { v4: false }];

impl Family {
    fn of(self, v4: &str, v6: &str) -> IpAddr {
        let text = if self.v4 { v4 } else { v6 };
        text.parse().expect("an address")
    }

    /// A client on the network of `lan`.
    pub fn client(self) -> IpAddr {
        self.of("192.0.2.20", "2001:db8::20")
    }

    /// A client beyond the router.
    pub fn far_client(self) -> IpAddr {
        self.of("203.0.113.7", "2001:db8:77::7")
    }

    /// A router somewhere on the way.
    pub fn router(self) -> IpAddr {
        self.of("203.0.113.1", "2001:db8:77::1")
    }

    /// A pod of this node.
    pub fn web(self) -> IpAddr {
        self.of("10.244.0.2", "fd00:244::2")
    }

    /// Another.
    pub fn two(self) -> IpAddr {
        self.of("10.244.0.3", "fd00:244::3")
    }

    /// A pod of the node beyond `lan`.
    pub fn far(self) -> IpAddr {
        self.far_pod(2)
    }

    /// Any of its pods.
    pub fn far_pod(self, n: u8) -> IpAddr {
        let (v4, v6) = (format!("10.244.1.{n}"), format!("fd00:244:1::{n}"));
        self.of(&v4, &v6)
    }

    /// A pod of the node beyond `wan`.
    pub fn wide(self) -> IpAddr {
        self.of("10.244.2.2", "fd00:244:2::2")
    }

    /// The node's address on `lan`, which has NodePorts.
    pub fn node(self) -> IpAddr {
        self.of("192.0.2.10", "2001:db8::10")
    }

    /// The address that clients get who are sent to a pod of this node.
    pub fn own(self) -> IpAddr {
        self.of("172.16.0.1", "fd00:1::1")
    }

    /// The address that clients get who are sent out of `wan`, which has none of IPv6.
    pub fn wan(self) -> IpAddr {
        self.of("198.51.100.10", "fd00:1::1")
    }

    /// An address of Services inside.
    pub fn vip(self, n: u8) -> IpAddr {
        let (v4, v6) = (format!("10.96.0.{n}"), format!("fd00:96::{n}"));
        self.of(&v4, &v6)
    }

    /// One outside.
    pub fn lb(self, n: u8) -> IpAddr {
        let (v4, v6) = (format!("198.18.0.{n}"), format!("2001:db8:18::{n}"));
        self.of(&v4, &v6)
    }

    /// Nobody's address behind an unreachable route.
    pub fn nowhere(self) -> IpAddr {
        self.of("10.66.0.1", "fd00:66::1")
    }

    /// A neighbour on `lan` that has not told its MAC address.
    pub fn silent(self) -> IpAddr {
        self.of("192.0.2.99", "2001:db8::99")
    }
}

/// An address and port.
pub fn at(address: IpAddr, port: u16) -> SocketAddr {
    SocketAddr::new(address, port)
}

/// The node's tables, given the indexes of `lan`, `wan` and `port`.
pub fn scene(lan: u32, wan: u32, port: u32) -> Scene {
    let [v4, v6] = FAMILIES;
    let pod = |mac| Pod {
        device: port,
        mac,
        host_mac: PORT,
    };
    let mut scene = Scene {
        node: Node {
            addresses: DeviceAddresses {
                v4: v4.own().into(),
                v6: v6.own().into(),
            },
            first_port: FIRST_PORT,
            port_count: PORT_COUNT,
            flags: Node::REFUSES,
        },
        ..Scene::default()
    };
    let of_lan = DeviceAddresses {
        v4: v4.node().into(),
        v6: v6.node().into(),
    };
    let of_wan = DeviceAddresses {
        v4: v4.wan().into(),
        v6: Address::default(),
    };
    scene.devices = BTreeMap::from([(lan, of_lan), (wan, of_wan)]);
    for family in FAMILIES {
        scene.pods.insert(family.web().into(), pod(WEB));
        scene.pods.insert(family.two().into(), pod(TWO));
    }
    let networks: [(&str, u8); 2] = [("10.244.0.0", 16), ("fd00:244::", 32)];
    for (network, length) in networks {
        let network: IpAddr = network.parse().expect("an address");
        let key = (network.into(), bits(network, length));
        scene.cluster.insert(key, ());
    }
    scene
}
