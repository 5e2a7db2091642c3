//! The Services of the node, all of them in both families.

use std::net::IpAddr;

use abi::{Backend, Frontend, Service};
use dataplane::node::bits;
use dataplane::tables::{PortKey, PortTable, Target};

use crate::world::{FAMILIES, Family};

const TCP: u8 = 6;
const UDP: u8 = 17;
const SCTP: u8 = 132;

/// An address, of either family.
type AddressOf = fn(Family) -> IpAddr;

/// What a Service is made of: addresses with ports, and who answers.
struct Row {
    name: &'static str,
    protocol: u8,
    /// Frontends: of the cluster and of the outside, and flags.
    addresses: Vec<(AddressOf, u16, u32)>,
    /// Backends for clients inside, and outside.
    inside: Vec<(AddressOf, u16)>,
    outside: Vec<(AddressOf, u16)>,
}

const REJECT: u32 = Service::INSIDE_REJECT | Service::OUTSIDE_REJECT;
const DROP: u32 = Service::INSIDE_DROP | Service::OUTSIDE_DROP;

fn rows() -> Vec<Row> {
    let row = |name, protocol, addresses: &[(AddressOf, u16, u32)], inside: &[_]| Row {
        name,
        protocol,
        addresses: addresses.to_vec(),
        inside: inside.to_vec(),
        outside: inside.to_vec(),
    };
    let (vip1, vip2): (AddressOf, AddressOf) = (|f| f.vip(1), |f| f.vip(2));
    let (web, far): (AddressOf, AddressOf) = (Family::web, Family::far);
    let node: AddressOf = Family::node;
    let mut rows = vec![
        row(
            "web",
            TCP,
            &[(vip1, 80, 0), (node, 30_080, 0), (|f| f.lb(1), 80, 0)],
            &[(web, 8080)],
        ),
        row(
            "dns",
            UDP,
            &[(vip1, 53, 0), (node, 30_053, 0)],
            &[(web, 5353)],
        ),
        row(
            "far",
            TCP,
            &[(vip2, 80, 0), (node, 30_090, 0)],
            &[(far, 8080)],
        ),
        row(
            "far-dns",
            UDP,
            &[(vip2, 53, 0), (node, 30_054, 0)],
            &[(far, 5353)],
        ),
        row(
            "wide",
            TCP,
            &[(|f| f.vip(3), 80, 0)],
            &[(Family::wide, 8080)],
        ),
        row(
            "wide-dns",
            UDP,
            &[(|f| f.vip(3), 53, 0)],
            &[(Family::wide, 53)],
        ),
        row("sctp", SCTP, &[(vip1, 9, 0)], &[(web, 9)]),
        row("sctp-far", SCTP, &[(vip2, 9, 0)], &[(far, 9)]),
        row("sctp-other", SCTP, &[(vip1, 10, 0)], &[(web, 11)]),
        row("none", TCP, &[(|f| f.vip(4), 80, REJECT)], &[]),
        row("none-dropped", TCP, &[(|f| f.vip(4), 81, DROP)], &[]),
        row("none-passed", TCP, &[(|f| f.vip(4), 82, 0)], &[]),
        row(
            "pair",
            TCP,
            &[(|f| f.vip(5), 80, 0)],
            &[(web, 8080), (Family::two, 8080)],
        ),
        row("of-node", TCP, &[(|f| f.vip(6), 6443, 0)], &[(node, 6443)]),
        row(
            "of-node-udp",
            UDP,
            &[(|f| f.vip(6), 53, 0)],
            &[(node, 5300)],
        ),
        row(
            "nowhere",
            TCP,
            &[(|f| f.vip(7), 80, 0)],
            &[(Family::nowhere, 80)],
        ),
        row(
            "silent",
            TCP,
            &[(|f| f.vip(7), 81, 0)],
            &[(Family::silent, 80)],
        ),
        row(
            "back",
            TCP,
            &[(|f| f.vip(7), 82, 0)],
            &[(Family::client, 8080)],
        ),
    ];
    let sided = |name, addresses: &[_], inside: &[_], outside: &[_]| Row {
        outside: outside.to_vec(),
        ..row(name, TCP, addresses, inside)
    };
    let (keep, check) = (Service::KEEP_SOURCE, Service::CHECK_SOURCE);
    let local = Service::OUTSIDE_DROP | keep;
    rows.extend([
        sided(
            "local",
            &[(|f| f.lb(2), 80, keep)],
            &[(far, 8080)],
            &[(web, 8080)],
        ),
        sided(
            "local-far",
            &[(|f| f.lb(2), 81, keep)],
            &[(web, 8080)],
            &[(far, 8080)],
        ),
        sided(
            "local-none",
            &[(|f| f.lb(2), 82, local)],
            &[(web, 8080)],
            &[],
        ),
        sided(
            "inside-none",
            &[(|f| f.lb(2), 83, Service::INSIDE_REJECT)],
            &[],
            &[(web, 8080)],
        ),
        sided(
            "ranges",
            &[(|f| f.lb(3), 80, check), (|f| f.vip(8), 80, 0)],
            &[(web, 8080)],
            &[(web, 8080)],
        ),
    ]);
    rows
}

fn backends(of: &[(AddressOf, u16)]) -> Vec<Backend> {
    let all = FAMILIES
        .iter()
        .flat_map(|family| of.iter().map(move |it| (family, it)));
    all.map(|(family, (address, port))| Backend {
        address: address(*family).into(),
        port_be: port.to_be(),
        pad: 0,
    })
    .collect()
}

/// Those behind the Maglev table, of `family`.
pub fn consistent(family: Family) -> Vec<Backend> {
    (2..7)
        .map(|n| Backend {
            address: family.far_pod(n).into(),
            port_be: 8080_u16.to_be(),
            pad: 0,
        })
        .collect()
}

/// All Service ports.
pub fn ports() -> Vec<(PortKey, Option<PortTable>)> {
    let mut ports = Vec::new();
    let frontend = |address: IpAddr, port: u16, protocol| Frontend {
        address: address.into(),
        port_be: port.to_be(),
        protocol,
        pad: 0,
    };
    for row in rows() {
        let mut table = PortTable {
            sets: vec![backends(&row.inside), backends(&row.outside)],
            ..PortTable::default()
        };
        for (address, port, flags) in &row.addresses {
            for family in FAMILIES {
                let target = Target {
                    inside: 0,
                    outside: 1,
                    flags: *flags,
                };
                table
                    .frontends
                    .insert(frontend(address(family), *port, row.protocol), target);
            }
        }
        match row.name {
            "pair" => table.affinity_seconds = 100,
            "ranges" => {
                for (network, length) in
                    [("192.0.2.16", 28), ("2001:db8::", 64), ("10.244.0.2", 32)]
                {
                    let network: IpAddr = network.parse().expect("an address");
                    table.sources.push((network.into(), bits(network, length)));
                }
            }
            _ => {}
        }
        ports.push((row.name.to_owned(), Some(table)));
    }
    let mut maglev = PortTable {
        consistent: true,
        ..PortTable::default()
    };
    let mut rest = PortTable::default();
    let target = |flags| Target {
        inside: 0,
        outside: 0,
        flags,
    };
    for family in FAMILIES {
        maglev
            .frontends
            .insert(frontend(family.lb(4), 80, TCP), target(0));
        let addresses = (1..=8)
            .map(|n| family.vip(n))
            .chain((1..=4).map(|n| family.lb(n)));
        for address in addresses {
            rest.frontends
                .insert(frontend(address, 0, 0), target(REJECT));
        }
    }
    maglev.sets = vec![
        FAMILIES
            .iter()
            .flat_map(|family| consistent(*family))
            .collect(),
    ];
    rest.sets = vec![Vec::new()];
    ports.push(("maglev".to_owned(), Some(maglev)));
    ports.push(("all other ports".to_owned(), Some(rest)));
    ports
}
