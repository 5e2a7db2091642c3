//! The path of a packet: headers, flow, Service, backend, new addresses, way out.

use abi::{Flow, Node, Verdict};
use aya_ebpf::bindings::BPF_NOEXIST;
use aya_ebpf::helpers::bpf_ktime_get_boot_ns;
use ebpf::headers::{Fragment, Parsed, TcpFlags, parse};
use ebpf::icmp::About;
use ebpf::rewrite;

use super::flows;
use super::maps::{FLOWS, FRAGMENTS, NODE, PODS, SERVICES};
use super::medium::{Kind, Medium, way};
use super::open::open;
use super::scratch::{Scratch, forget_how, scratch};

/// Where a packet came in.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// From a pod of this node.
    Pod,
    /// From outside.
    Outside,
}

/// What becomes of a packet.
#[derive(Clone, Copy)]
pub enum Action {
    /// It goes on through the kernel.
    Pass,
    /// It is dropped.
    Drop,
    /// It goes on with the mark that the node's rules refuse.
    Refuse,
    /// It is given to the other end of a device.
    Peer(u32),
    /// It is sent from a device, with its MAC addresses.
    Send(u32),
    /// It is sent from a device that has yet to find the MAC address.
    Ask(u32),
    /// This hook cannot serve it, the one after it can.
    ToTc,
}

pub type Ended = (Verdict, Action);

pub const OTHER: Ended = (Verdict::PacketOther, Action::Pass);
pub const MALFORMED: Ended = (Verdict::PacketMalformed, Action::Drop);

/// A packet that comes in.
#[inline(always)]
pub fn enter<M: Medium>(medium: &mut M, place: Place) -> Ended {
    let Some(it) = scratch() else { return OTHER };
    match parse(medium) {
        Parsed::Ip(headers) => forget_how(&mut it.headers, headers),
        Parsed::Other => return OTHER,
        Parsed::Malformed => return (Verdict::PacketMalformed, Action::Pass),
    }
    if !it.headers.has_ports() {
        return without_ports(medium, it, place);
    }
    if let Err(why) = ports(medium, it) {
        return orphan(medium, it, place, why);
    }
    let flags = TcpFlags::of(medium, &it.headers);
    if known(it, flags) {
        let verdict = if it.flow.flags & Flow::FORWARD != 0 {
            Verdict::PacketForward
        } else {
            Verdict::PacketReply
        };
        let (from, to) = (it.flow.source, it.flow.destination);
        way(medium, it, from, to);
        return send(medium, it, verdict);
    }
    it.frontend.port_be = it.key.destination_port_be;
    it.frontend.protocol = it.key.protocol;
    if service(it) {
        return open(medium, it, flags, place);
    }
    if flags.opens() {
        clear_answers(it);
    }
    straight(medium, it, place)
}

/// A connection that a client opens to a backend itself, from a port from which it had asked a
/// Service that gave it the same one: the answers would be taken for those of the Service's flow,
/// so that goes if it is over. One that is not over keeps them.
#[inline(always)]
fn clear_answers(it: &mut Scratch) {
    it.back = it.key.reversed();
    let Some(there) = FLOWS.get_ptr(&it.back) else {
        return;
    };
    // SAFETY: the entry stays readable until the program ends.
    unsafe {
        it.flow = *there;
    }
    let asked = it.flow.other(it.key.protocol);
    let asks = FLOWS.get_ptr(&asked);
    // SAFETY: as above.
    let is_over = it.flow.is_closing() || asks.is_some_and(|it| unsafe { (*it).is_closing() });
    if it.flow.flags & Flow::FORWARD == 0 && is_over {
        flows::forget(&it.back, &asked);
    }
}

/// The flow of a packet, which it keeps alive; none for a packet that opens a new one in place
/// of one that either side has ended.
#[inline(always)]
pub fn known(it: &mut Scratch, flags: TcpFlags) -> bool {
    let Some(there) = FLOWS.get_ptr_mut(&it.key) else {
        return false;
    };
    // SAFETY: the entry stays readable until the program ends; a torn time is near enough.
    unsafe {
        it.flow = *there;
        if flags.opens() && it.flow.flags & Flow::FORWARD != 0 {
            it.back = it.flow.other(it.key.protocol);
            let answers = FLOWS.get_ptr(&it.back);
            if it.flow.is_closing() || answers.is_some_and(|it| (*it).is_closing()) {
                flows::forget(&it.key, &it.back);
                return false;
            }
        }
        (*there).last_ns = bpf_ktime_get_boot_ns();
        let ends = flags.ends();
        if ends != 0 {
            (*there).flags |= ends;
        }
    }
    true
}

/// The flow of a key, if there is one.
#[inline(always)]
pub fn flow(it: &mut Scratch) -> bool {
    match FLOWS.get_ptr(&it.key) {
        Some(there) => {
            // SAFETY: the entry stays readable until the program ends.
            it.flow = unsafe { *there };
            true
        }
        None => false,
    }
}

/// Fills in the key, with the ports of a packet, which of its fragments only the first has.
#[inline(always)]
pub fn ports<M: Medium>(medium: &M, it: &mut Scratch) -> Result<(), Verdict> {
    let headers = &it.headers;
    it.key = headers.key((0, 0));
    let id = match headers.fragment {
        Fragment::Whole => {
            let ports = headers.ports(medium).ok_or(Verdict::PacketMalformed)?;
            (it.key.source_port_be, it.key.destination_port_be) = ports;
            return Ok(());
        }
        Fragment::First(id) | Fragment::Later(id) => id,
    };
    let key = abi::FragmentKey {
        source: headers.source,
        destination: headers.destination,
        id,
        protocol: headers.protocol,
        pad: [0; 3],
    };
    if let Fragment::First(_) = headers.fragment {
        let ports = headers.ports(medium).ok_or(Verdict::PacketMalformed)?;
        let value = abi::FragmentPorts {
            source_port_be: ports.0,
            destination_port_be: ports.1,
        };
        (it.key.source_port_be, it.key.destination_port_be) = ports;
        // A full table forgets another packet; the parts of this one that follow are dropped
        // at worst.
        let _ = FRAGMENTS.insert(&key, &value, 0);
        return Ok(());
    }
    // SAFETY: read at once.
    match unsafe { FRAGMENTS.get(&key) } {
        Some(ports) => {
            it.key.source_port_be = ports.source_port_be;
            it.key.destination_port_be = ports.destination_port_be;
            Ok(())
        }
        None => Err(Verdict::PacketOrphan),
    }
}

/// A packet without ports, though its protocol has some: nobody's if no Service has its address.
#[inline(always)]
fn orphan<M: Medium>(medium: &mut M, it: &mut Scratch, place: Place, why: Verdict) -> Ended {
    it.frontend.port_be = 0;
    it.frontend.protocol = 0;
    if service(it) {
        return (why, Action::Drop);
    }
    straight(medium, it, place)
}

/// ICMP, and protocols that no Service has.
#[inline(always)]
fn without_ports<M: Medium>(medium: &mut M, it: &mut Scratch, place: Place) -> Ended {
    if it.headers.is_icmp()
        && let Some(about) = About::of(medium, &it.headers)
    {
        forget_how(&mut it.about, about);
        it.key = it.about.key();
        if flow(it) {
            return error(medium, it);
        }
    }
    it.frontend.port_be = 0;
    it.frontend.protocol = 0;
    if service(it) {
        // An address of a Service alone: nobody answers there.
        return refuse(Verdict::PacketRejected);
    }
    straight(medium, it, place)
}

/// An ICMP error about a packet of a flow.
#[inline(always)]
fn error<M: Medium>(medium: &mut M, it: &mut Scratch) -> Ended {
    let (from, to) = (it.flow.source, it.flow.destination);
    way(medium, it, from, to);
    if !passable(medium, it) {
        return (Verdict::PacketToTc, Action::ToTc);
    }
    if it.about.translate(medium, &it.headers, &it.flow).is_err() {
        return MALFORMED;
    }
    give(medium, it, Verdict::PacketError)
}

/// A packet of no Service: from a pod straight to another of this node, past the host's stack.
#[inline(always)]
pub fn straight<M: Medium>(medium: &mut M, it: &mut Scratch, place: Place) -> Ended {
    if place == Place::Pod && it.headers.ttl > 1 {
        // SAFETY: read at once.
        if let Some(pod) = unsafe { PODS.get(&it.headers.destination) } {
            it.way.lead_to(pod);
            return give(medium, it, Verdict::PacketLocal);
        }
    }
    OTHER
}

/// Finds the Service of the packet's address and the port in `frontend`; that of all other ports
/// of the address if the port has none.
#[inline(always)]
fn service(it: &mut Scratch) -> bool {
    it.frontend.address = it.headers.destination;
    it.frontend.pad = 0;
    // SAFETY: a copy; userspace replaces values as a whole.
    if let Some(service) = unsafe { SERVICES.get(&it.frontend) } {
        it.service = *service;
        return true;
    }
    if it.frontend.port_be == 0 {
        return false;
    }
    it.frontend.port_be = 0;
    it.frontend.protocol = 0;
    // SAFETY: as above.
    match unsafe { SERVICES.get(&it.frontend) } {
        Some(service) => {
            it.service = *service;
            true
        }
        None => false,
    }
}

/// What the node refuses, it answers; else it is dropped.
#[inline(always)]
pub fn refuse(verdict: Verdict) -> Ended {
    match NODE.get(0) {
        Some(node) if node.flags & Node::REFUSES != 0 => (verdict, Action::Refuse),
        _ => (verdict, Action::Drop),
    }
}

/// Whether packets can be sent the way from this hook.
#[inline(always)]
pub fn passable<M: Medium>(medium: &M, it: &Scratch) -> bool {
    M::SENDS_ANYWHERE || (it.way.kind == Kind::Device && it.way.device == medium.device())
}

/// Gives a packet of a flow its addresses, and sends it.
#[inline(always)]
pub fn send<M: Medium>(medium: &mut M, it: &mut Scratch, verdict: Verdict) -> Ended {
    if !passable(medium, it) {
        return (Verdict::PacketToTc, Action::ToTc);
    }
    match it.way.kind {
        Kind::None => return (Verdict::PacketNoRoute, Action::Drop),
        Kind::TooBig => return too_big(medium, it),
        Kind::Node => {}
        _ if it.headers.ttl <= 1 => return (Verdict::PacketExpired, Action::Drop),
        _ => {}
    }
    let ports = (it.key.source_port_be, it.key.destination_port_be);
    match rewrite::packet(medium, &it.headers, ports, &it.flow) {
        Ok(()) => give(medium, it, verdict),
        Err(rewrite::Fault::FixedPorts) => (Verdict::PacketUnsupported, Action::Drop),
        Err(rewrite::Fault::Short) => MALFORMED,
    }
}

/// A packet that is larger than what its way takes. The kernel is to tell its sender, and does if
/// it forwards a packet that still has its source: so it is given the backend's address alone, and
/// the error, which is about that, is translated when it leaves ([`super::leave`]). What may be cut in
/// pieces is dropped: they would get through with that source.
#[inline(always)]
fn too_big<M: Medium>(medium: &mut M, it: &mut Scratch) -> Ended {
    const DROPPED: Ended = (Verdict::PacketTooBig, Action::Drop);
    if it.headers.v4 {
        match medium.load::<1>(it.headers.l3 + 6) {
            Some([flags]) if flags & 0x40 != 0 => {}
            _ => return DROPPED,
        }
    }
    it.flow.source = it.key.source;
    it.flow.source_port_be = it.key.source_port_be;
    it.back = it.flow.other(it.key.protocol);
    it.reply.source = it.key.destination;
    it.reply.destination = it.key.source;
    it.reply.source_port_be = it.key.destination_port_be;
    it.reply.destination_port_be = it.key.source_port_be;
    it.reply.flags = 0;
    // SAFETY: reads time alone.
    it.reply.last_ns = unsafe { bpf_ktime_get_boot_ns() };
    it.reply.port_id = it.flow.port_id;
    it.reply.pad = 0;
    // It may be there: then it says the same, or another flow's, and the error gets lost.
    let _ = FLOWS.insert(&it.back, &it.reply, BPF_NOEXIST as u64);
    let ports = (it.key.source_port_be, it.key.destination_port_be);
    match rewrite::packet(medium, &it.headers, ports, &it.flow) {
        Ok(()) => (Verdict::PacketTooBig, Action::Pass),
        Err(_) => DROPPED,
    }
}

/// Sends a packet as it is by now.
#[inline(always)]
fn give<M: Medium>(medium: &mut M, it: &mut Scratch, verdict: Verdict) -> Ended {
    let device = it.way.device;
    let action = match it.way.kind {
        Kind::Node => return (verdict, Action::Pass),
        Kind::None | Kind::TooBig => return (Verdict::PacketNoRoute, Action::Drop),
        Kind::Ask => Action::Ask(device),
        Kind::Device => Action::Send(device),
        Kind::Pod => Action::Peer(device),
    };
    if it.headers.ttl <= 1 {
        return (Verdict::PacketExpired, Action::Drop);
    }
    let addressed = it.way.kind == Kind::Ask || medium.store(0, &it.way.macs);
    if addressed && rewrite::hop(medium, &it.headers).is_ok() {
        (verdict, action)
    } else {
        MALFORMED
    }
}
