//! Looks at the kernel and at OVSDB, for one record (CHECK) or for all (the daemon).
//!
//! The root namespace is listed once, each pod is entered once, and a namespace's
//! handle is dropped at once: held, it would keep the namespace alive.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::Duration;

use ipnetwork::IpNetwork;
use netlink::{Link, Netlink, Netns};
use ovs::{PortRow, Snapshot, Switch, VswitchdWatch};

use crate::error::Result;
use crate::flood;
use crate::host::Host;
use crate::memory::Memory;
use crate::names;
use crate::record::{Attachment, Datapath, Neighbour, Route};
use crate::strategy::Strategy;
use crate::view::{
    LinkView, Observed, PodState, PodView, PortView, RootView, SwitchState, SwitchView,
};

/// What the looker brings along.
#[derive(Debug, Clone, Default)]
pub struct Look {
    /// Now, on a monotonic clock of the caller's choice.
    pub now: Duration,
    /// State directory of the records.
    pub state_dir: PathBuf,
    /// Whether the records are all there are and all readable.
    pub complete: bool,
    /// Whether to ask for the NO_FLOOD bit of every port, and not only of those whose
    /// record has it: not for looks that traffic waits for.
    pub flood_bits: bool,
    /// The switches, by socket, as a session knows them or [`look_at_switch`] found.
    pub switches: BTreeMap<PathBuf, SwitchView>,
    /// What earlier looks left behind.
    pub memory: Memory,
}

/// Looks at everything that `records` name.
///
/// # Errors
/// Only if the root namespace cannot be listed; what is wrong with one pod or switch
/// is in its view.
pub async fn observe(host: &Host, records: &[Attachment], look: Look) -> Result<Observed> {
    let Look {
        now,
        state_dir,
        complete,
        flood_bits,
        mut switches,
        memory,
    } = look;
    let root = root(host, records).await?;
    let mut pods = BTreeMap::new();
    for record in records {
        pods.insert(record.key(), pod(host, record).await);
    }
    flood::look(records, &mut switches, flood_bits).await;
    let wall = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .map_or(0, |since| since.as_secs());
    Ok(Observed {
        now,
        wall,
        state_dir,
        complete,
        root,
        switches,
        pods,
        memory,
    })
}

async fn root(host: &Host, records: &[Attachment]) -> Result<RootView> {
    // For one record two look-ups are cheaper than a list of hundreds of devices.
    let links = if let [record] = records {
        let mut links = Vec::new();
        links.extend(host.netlink.link_by_name(&record.port_name).await?);
        if let Some(port) = record.port.switch() {
            links.extend(host.netlink.link_by_name(&port.bridge).await?);
        }
        links
    } else {
        host.netlink.links().await?
    };
    let links: BTreeMap<String, LinkView> = links
        .into_iter()
        .map(|link| (link.name.clone(), view_of(link)))
        .collect();
    let mut host_routes = BTreeSet::new();
    let routed: Vec<&Attachment> = records
        .iter()
        .filter(|record| record.strategy() == Strategy::Routed)
        .collect();
    if !routed.is_empty() {
        let only = match routed.as_slice() {
            [record] => links.get(&record.port_name).map(|link| link.index),
            _ => None,
        };
        for route in host.netlink.routes(only).await? {
            if route.dst.prefix() == IpNetwork::from(route.dst.ip()).prefix() {
                host_routes.insert((route.dst.ip(), route.dev));
            }
        }
    }
    let mut bridge_addresses = BTreeMap::new();
    for port in records.iter().filter_map(|record| record.port.switch()) {
        if port.gateways.is_empty() || bridge_addresses.contains_key(&port.bridge) {
            continue;
        }
        if let Some(link) = links.get(&port.bridge) {
            let addresses = host.netlink.addresses(link.index).await?;
            let addresses: BTreeSet<IpNetwork> = addresses.iter().map(|a| a.address).collect();
            bridge_addresses.insert(port.bridge.clone(), addresses);
        }
    }
    Ok(RootView {
        links,
        host_routes,
        bridge_addresses,
    })
}

fn view_of(link: Link) -> LinkView {
    LinkView {
        index: link.index,
        name: link.name,
        kind: link.kind,
        mac: link.mac,
        mtu: link.mtu,
        up: link.up,
        carrier: link.running,
        master: link.master,
        lower: link.lower,
        lower_elsewhere: link.link_netns.is_some(),
        alias: link.alias,
    }
}

/// Looks into the pod of one record.
pub(crate) async fn pod(host: &Host, record: &Attachment) -> PodView {
    let path = &record.netns.path;
    let netns = match Netns::open(path) {
        Ok(netns) => netns,
        Err(error) => return absent(path, &error),
    };
    let id = netns.id();
    if (id.dev, id.inode) != (record.netns.dev, record.netns.inode) {
        if below_proc(path) {
            return PodView::Unknown(format!("{} is another process's now", path.display()));
        }
        return PodView::Replaced;
    }
    if netns == host.netns {
        return PodView::Unknown(format!("{} is the host's own", path.display()));
    }
    match inside(&netns, record).await {
        Ok(state) => PodView::Alive(state),
        Err(error) => PodView::Unknown(error.to_string()),
    }
}

/// What a namespace that could not be opened proves. Only a missing file in a directory
/// that is there, or a plain file where the bind mount was, proves its end: a daemon in
/// a container may simply not see the directory, and a process that ended may have left
/// its namespace to others.
fn absent(path: &Path, error: &netlink::Error) -> PodView {
    let directory = path.parent().is_some_and(Path::is_dir);
    match error {
        netlink::Error::NotFound { .. } if directory && !below_proc(path) => PodView::Gone,
        _ => PodView::Unknown(error.to_string()),
    }
}

fn below_proc(path: &Path) -> bool {
    path.starts_with("/proc")
}

async fn inside(netns: &Netns, record: &Attachment) -> Result<PodState> {
    let netlink: Netlink = netns.connect()?;
    let links: Vec<LinkView> = netlink.links().await?.into_iter().map(view_of).collect();
    let mut state = PodState {
        links,
        ..PodState::default()
    };
    if state
        .link(&record.ifname)
        .is_some_and(LinkView::is_dead_tap)
    {
        // What is configured on it goes with it; and every pod looked at more quickly is
        // one that is back sooner.
        return Ok(state);
    }
    for key in record.sysctls.keys() {
        if let Ok(value) = netns.sysctl_get(key) {
            state.sysctls.insert(key.clone(), value);
        }
    }
    let Some(index) = state.link(&record.ifname).map(|link| link.index) else {
        return Ok(state);
    };
    if !record.addresses.is_empty() {
        let addresses = netlink.addresses(index).await?;
        state.addresses = addresses.iter().map(|a| a.address).collect();
    }
    if !record.routes.is_empty() {
        state.routes = netlink
            .routes(Some(index))
            .await?
            .into_iter()
            .map(|route| Route {
                dst: route.dst,
                gateway: route.gateway,
                onlink: route.onlink,
                mtu: route.mtu,
                advmss: route.advmss,
                priority: route.priority,
                table: Some(route.table),
                scope: route.scope,
            })
            .collect();
    }
    if !record.neighbours.is_empty() {
        state.neighbours = netlink
            .neighbours(index)
            .await?
            .into_iter()
            .filter(|neighbour| neighbour.permanent)
            .filter_map(|neighbour| {
                Some(Neighbour {
                    address: neighbour.address,
                    mac: neighbour.mac?,
                })
            })
            .collect();
    }
    Ok(state)
}

/// The switch at `socket` as the daemon's session knows it. `vswitchd_alive` comes from
/// the watch on its process, which is quicker than the database.
pub fn switch_of_snapshot(snapshot: &Snapshot, vswitchd_alive: bool) -> SwitchView {
    if let ovs::Connection::Away { reason } = &snapshot.connection {
        return SwitchView::Away(reason.clone());
    }
    let bridges = snapshot
        .bridges
        .values()
        .map(|bridge| (bridge.name.clone(), Some(Datapath::from(bridge.datapath))))
        .collect();
    // Ports of other people are looked at only where their name could be ours.
    let ports = snapshot
        .ports
        .iter()
        .filter(|(name, port)| {
            names::is_port_name(name) || port.external_ids.contains_key(names::OWNER_KEY)
        })
        .filter_map(|(name, _)| Some((name.clone(), view_of_port(&snapshot.port(name)?))))
        .collect();
    SwitchView::Present(SwitchState {
        vswitchd_alive,
        flow_restore_wait: snapshot
            .system
            .as_ref()
            .is_some_and(|system| system.flow_restore_wait()),
        bridges,
        ports,
    })
}

/// Asks the switch at `socket` about the ports of `records`, over a connection of its
/// own: for CHECK, which has no session.
pub async fn look_at_switch(socket: &Path, records: &[Attachment]) -> SwitchView {
    match ask_switch(socket, records).await {
        Ok(state) => SwitchView::Present(state),
        Err(error) => SwitchView::Away(error.to_string()),
    }
}

async fn ask_switch(socket: &Path, records: &[Attachment]) -> Result<SwitchState> {
    let switch = Switch::connect(socket).await?;
    let mut state = SwitchState {
        vswitchd_alive: vswitchd_alive(socket).await,
        flow_restore_wait: switch
            .system()
            .await?
            .is_some_and(|system| system.flow_restore_wait()),
        ..SwitchState::default()
    };
    for record in records {
        let Some(port) = record.port.switch().filter(|p| p.socket == socket) else {
            continue;
        };
        if let Some(bridge) = switch.bridge(&port.bridge).await? {
            let datapath = Some(Datapath::from(bridge.datapath));
            state.bridges.insert(bridge.name, datapath);
        }
        if let Some(row) = switch.port(&record.port_name).await? {
            let view = view_of_port(&row);
            state.ports.insert(record.port_name.clone(), view);
        }
    }
    Ok(state)
}

/// Whether the vswitchd beside an OVSDB socket runs. Where its pid file cannot be read
/// it counts as running: nothing destructive follows from that.
pub(crate) async fn vswitchd_alive(socket: &Path) -> bool {
    VswitchdWatch::beside(socket)
        .running()
        .await
        .map_or(true, |running| running.is_some())
}

fn view_of_port(row: &PortRow) -> PortView {
    let mut external_ids = row.interface.external_ids.clone();
    external_ids.extend(row.port.external_ids.clone());
    PortView {
        bridge: row.bridge.clone(),
        interface_type: row.interface.kind.clone(),
        ofport: row.interface.ofport,
        ifindex: row.interface.ifindex.map(i64::from),
        error: row.interface.error.clone(),
        tag: row.port.tag,
        trunks: row.port.trunks.clone(),
        mac: row.interface.mac.map(|mac| mac.to_string()),
        mtu_request: row.interface.mtu_request.map(i64::from),
        ofport_request: row.interface.ofport_request.map(i64::from),
        external_ids,
        row: Some(row.interface.uuid),
        no_flood: None,
        forgotten: false,
    }
}
