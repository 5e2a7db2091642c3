//! Makes devices and tables what they should be.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use dataplane::devices::{Device, Role, XdpChoice};
use dataplane::loader::Dataplane;
use dataplane::node::NodeTables;
use ipnetwork::IpNetwork;

use super::host_port::HostPort;
use super::records::Records;
use super::scene::{self, Uplinks};
use super::{ports, refuse};
use crate::services::node::Network;

/// What was asked for.
#[derive(Debug, Clone)]
pub struct Wanted {
    /// Devices that face the outside.
    pub uplinks: Uplinks,
    /// How XDP is used there.
    pub xdp: XdpChoice,
    /// Networks of pods.
    pub cluster: Vec<IpNetwork>,
    /// Directory of the attachment records.
    pub state_dir: PathBuf,
}

/// The families that Services have.
#[derive(Debug, Clone, Copy, Default)]
pub struct Families {
    /// IPv4.
    pub v4: bool,
    /// IPv6.
    pub v6: bool,
}

/// What is in force.
#[derive(Debug)]
pub struct Packets {
    tables: NodeTables,
    records: Records,
    attached: BTreeMap<Device, Role>,
    /// Devices with XDP.
    pub xdp: BTreeSet<String>,
    refuses: bool,
    /// What is wrong.
    pub problems: Vec<String>,
}

impl Packets {
    /// Takes over what an earlier run has left, and puts the rules that refuse in place.
    ///
    /// # Errors
    /// When the tables cannot be read.
    pub fn start(dataplane: &mut Dataplane) -> dataplane::Result<Self> {
        dataplane.pin_programs()?;
        let mut packets = Self {
            tables: dataplane.node_tables()?,
            records: Records::default(),
            attached: BTreeMap::new(),
            xdp: BTreeSet::new(),
            refuses: false,
            problems: Vec::new(),
        };
        packets.install();
        Ok(packets)
    }

    fn install(&mut self) -> Option<String> {
        match refuse::install() {
            Ok(()) => {
                self.refuses = true;
                None
            }
            Err(problem) => {
                self.refuses = false;
                Some(problem)
            }
        }
    }

    /// Ports of pods at the node, as of the last look.
    pub fn host_ports(&self) -> &[HostPort] {
        &self.records.host_ports
    }

    /// The devices with programs, by name.
    pub fn devices(&self) -> impl Iterator<Item = (&str, Role)> {
        self.attached
            .iter()
            .map(|(device, role)| (device.name.as_str(), *role))
    }

    /// Makes everything what it should be in a network as it is now.
    pub fn settle(
        &mut self,
        dataplane: &mut Dataplane,
        network: &Network,
        wanted: &Wanted,
        families: Families,
    ) {
        let mut problems = Vec::new();
        if !self.refuses {
            problems.extend(self.install());
        }
        self.records.look(&wanted.state_dir);
        let local = std::fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range");
        let local = local.ok().and_then(|text| ports::parse(&text));
        let ports = ports::range(local.unwrap_or(32_768..=60_999));
        if ports.1 == 0 {
            problems.push(
                "net.ipv4.ip_local_port_range leaves no port for clients from outside".to_owned(),
            );
        }
        let scene = scene::scene(network, &wanted.cluster, ports, self.refuses);
        // The programs need what they are told before there are any.
        if let Err(error) = self.tables.set(&scene) {
            problems.push(error.to_string());
        }
        self.attach(dataplane, network, wanted, &mut problems);
        problems.extend(not_forwarding(&self.attached, families));
        for problem in &problems {
            if !self.problems.contains(problem) {
                tracing::warn!(problem, "Services for packets");
            }
        }
        self.problems = problems;
    }

    fn attach(
        &mut self,
        dataplane: &mut Dataplane,
        network: &Network,
        wanted: &Wanted,
        problems: &mut Vec<String>,
    ) {
        let roles = scene::roles(network, &wanted.uplinks, &self.records.bridges);
        if let Uplinks::Named(names) = &wanted.uplinks {
            for name in names {
                if !roles.keys().any(|device| device.name == *name) {
                    problems.push(format!("--uplink {name}: there is no such Ethernet device"));
                }
            }
        }
        if roles == self.attached {
            return;
        }
        let indexes: BTreeSet<u32> = roles.keys().map(|device| device.index).collect();
        if let Err(error) = dataplane.keep_devices(&indexes) {
            problems.push(error.to_string());
        }
        let before = std::mem::take(&mut self.attached);
        self.xdp
            .retain(|name| roles.keys().any(|device| device.name == *name));
        for (device, role) in roles {
            if before.get(&device) == Some(&role) {
                self.attached.insert(device, role);
                continue;
            }
            if let Err(error) = dataplane.attach_device(&device, role) {
                problems.push(error.to_string());
                continue;
            }
            if role == Role::Outside {
                let kind = network.links.iter().find(|it| it.index == device.index);
                let is_virtual = kind.is_some_and(|link| link.kind.is_some());
                // Virtual devices gain nothing, and some lose packets that are sent back.
                let choice = match wanted.xdp {
                    XdpChoice::Auto if is_virtual => XdpChoice::Off,
                    other => other,
                };
                match dataplane.attach_xdp(&device, choice) {
                    Ok(true) => {
                        self.xdp.insert(device.name.clone());
                    }
                    Ok(false) => {}
                    Err(error) => problems.push(error.to_string()),
                }
            }
            self.attached.insert(device, role);
        }
    }
}

/// The node must forward what it answers for others, in the families that Services have: the programs ask its routing
/// tables.
fn not_forwarding(attached: &BTreeMap<Device, Role>, families: Families) -> Vec<String> {
    if attached.is_empty() {
        return Vec::new();
    }
    let switches = [
        (families.v4, "net.ipv4.ip_forward", "ipv4/ip_forward"),
        (
            families.v6,
            "net.ipv6.conf.all.forwarding",
            "ipv6/conf/all/forwarding",
        ),
    ];
    let off = switches.into_iter().filter(|(used, _, path)| {
        let value = std::fs::read_to_string(format!("/proc/sys/net/{path}"));
        *used && value.is_ok_and(|value| value.trim() == "0")
    });
    off.map(|(_, name, _)| format!("{name} is 0: clients outside are not served"))
        .collect()
}
