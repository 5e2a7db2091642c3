//! The first packet of a flow: Service, backend, and whose address its answers come to.

use abi::{Address, AffinityKey, Backend, Flow, Node, Service, Verdict};
use aya_ebpf::helpers::bpf_ktime_get_boot_ns;
use aya_ebpf::maps::lpm_trie::Key;
use ebpf::choice::{Choice, Side, choice};
use ebpf::hash;
use ebpf::headers::TcpFlags;

use super::flows;
use super::maps::{CLUSTER, DEVICES, NODE, SOURCES};
use super::medium::{Kind, Medium, way};
use super::path::{Action, Ended, Place, passable, refuse, send, straight};
use super::scratch::Scratch;
use super::select;

/// The first packet of a flow.
#[inline(always)]
pub fn open<M: Medium>(medium: &mut M, it: &mut Scratch, flags: TcpFlags, place: Place) -> Ended {
    let inside = place == Place::Pod || CLUSTER.get(Key::new(128, it.key.source)).is_some();
    if it.service.flags & Service::CHECK_SOURCE != 0 {
        let range = abi::SourceRange {
            port_id: it.service.port_id,
            address: it.key.source,
        };
        if SOURCES.get(Key::new(160, range)).is_none() {
            return (Verdict::PacketNotAllowed, Action::Drop);
        }
    }
    let side = if inside { Side::Inside } else { Side::Outside };
    let backend = match choice(&it.service, side) {
        Choice::Of { set, count } => backend(it, side, set, count),
        Choice::Reject => return refuse(Verdict::PacketRejected),
        Choice::Drop => return (Verdict::PacketDropped, Action::Drop),
        Choice::Pass => return straight(medium, it, place),
    };
    let Some(backend) = backend else {
        return (Verdict::BackendMissing, Action::Drop);
    };
    let client = it.key.source;
    way(medium, it, client, backend.address);
    if !passable(medium, it) {
        return (Verdict::PacketToTc, Action::ToTc);
    }
    if it.way.kind == Kind::None {
        // No flow: what its packets are to be depends on the way they take once there is one.
        return (Verdict::PacketNoRoute, Action::Drop);
    }
    it.flow.source = client;
    it.flow.destination = backend.address;
    it.flow.source_port_be = it.key.source_port_be;
    it.flow.destination_port_be = backend.port_be;
    it.flow.flags = Flow::FORWARD | flags.ends();
    // SAFETY: reads time alone.
    it.flow.last_ns = unsafe { bpf_ktime_get_boot_ns() };
    it.flow.port_id = it.service.port_id;
    it.flow.pad = 0;
    it.reply.source = it.key.destination;
    it.reply.destination = client;
    it.reply.source_port_be = it.key.destination_port_be;
    it.reply.destination_port_be = it.key.source_port_be;
    it.reply.flags = 0;
    it.reply.last_ns = 0;
    it.reply.port_id = it.service.port_id;
    it.reply.pad = 0;
    // The answer has to come back through here: from a pod behind a routed port and from the
    // node it does, from others only if it is sent to the node or by way of it.
    let comes_back = match it.way.kind {
        Kind::Device | Kind::Ask | Kind::TooBig => {
            place == Place::Pod && it.way.device != medium.device()
        }
        _ => true,
    };
    let asks_outside = !inside && it.service.flags & Service::KEEP_SOURCE == 0;
    let keeps =
        it.way.kind == Kind::Node || (comes_back && !asks_outside && backend.address != client);
    let opened = if keeps {
        flows::open_keeping(it)
    } else {
        Ok(false)
    };
    match opened {
        Ok(true) => {}
        Ok(false) => {
            let Some(node) = NODE.get(0) else {
                return (Verdict::PortsExhausted, Action::Drop);
            };
            it.flow.source = own_address(it, node);
            if let Err(verdict) = flows::open_as_node(it, node) {
                return (verdict, Action::Drop);
            }
        }
        Err(verdict) => return (verdict, Action::Drop),
    }
    send(medium, it, Verdict::PacketOpened)
}

/// A backend for a client that has none.
#[inline(always)]
fn backend(it: &Scratch, side: Side, set: u32, count: u32) -> Option<Backend> {
    let size = it.service.outside_maglev;
    if side == Side::Outside && size != 0 && it.service.affinity_seconds == 0 {
        return select::maglev(set, size, hash::flow(&it.key));
    }
    let client = AffinityKey {
        client: it.key.source,
        port_id: it.service.port_id,
        pad: 0,
    };
    select::backend(&it.service, set, count, &client)
}

/// The node's address for packets that go this way.
#[inline(always)]
fn own_address(it: &Scratch, node: &Node) -> Address {
    let v4 = it.headers.v4;
    if matches!(it.way.kind, Kind::Device | Kind::Ask | Kind::TooBig) {
        // SAFETY: read at once.
        if let Some(own) = unsafe { DEVICES.get(it.way.device) } {
            let own = if v4 { own.v4 } else { own.v6 };
            if own != Address::default() {
                return own;
            }
        }
    }
    if v4 {
        node.addresses.v4
    } else {
        node.addresses.v6
    }
}
