//! The table of flows.

use abi::{FlowKey, Node, Verdict};
use aya_ebpf::bindings::{BPF_ANY, BPF_NOEXIST};
use ebpf::hash;
use ebpf::headers::SCTP;
use ebpf::ports::{TRIES, candidate};

use super::maps::{FLOWS, SERVICES};
use super::scratch::Scratch;

/// `-EEXIST`.
const EXISTS: i32 = -17;

/// Removes a flow.
#[inline(always)]
pub fn forget(key: &FlowKey, other: &FlowKey) {
    let _ = FLOWS.remove(key);
    let _ = FLOWS.remove(other);
}

/// Writes the flow of a packet that keeps its source; false if another flow's answers already
/// come the same way.
#[inline(always)]
pub fn open_keeping(it: &mut Scratch) -> Result<bool, Verdict> {
    it.back = it.flow.other(it.key.protocol);
    match FLOWS.insert(&it.back, &it.reply, BPF_NOEXIST as u64) {
        Ok(()) => return commit(it).map(|()| true),
        Err(EXISTS) => {}
        Err(_) => return Err(Verdict::FlowsFull),
    }
    if let Some(there) = FLOWS.get_ptr(&it.back) {
        // SAFETY: the entry stays readable until the program ends.
        let there = unsafe { &*there };
        let same = there.source == it.reply.source
            && there.source_port_be == it.reply.source_port_be
            && there.destination == it.reply.destination
            && there.destination_port_be == it.reply.destination_port_be;
        if !same {
            if !there.is_closing() {
                return Ok(false);
            }
            it.back = there.other(it.key.protocol);
            let _ = FLOWS.remove(&it.back);
            it.back = it.flow.other(it.key.protocol);
        }
    }
    if FLOWS.insert(&it.back, &it.reply, BPF_ANY as u64).is_err() {
        return Err(Verdict::FlowsFull);
    }
    commit(it).map(|()| true)
}

/// Writes the flow of a packet that gets the node's address, which its source is by now, and a
/// port that is free for that backend and no NodePort.
#[inline(always)]
pub fn open_as_node(it: &mut Scratch, node: &Node) -> Result<(), Verdict> {
    let hash = hash::flow(&it.key);
    it.frontend.address = it.flow.source;
    it.frontend.protocol = it.key.protocol;
    for attempt in 0..TRIES {
        let port_be = if it.key.protocol == SCTP {
            it.key.source_port_be
        } else {
            match candidate(node, hash, attempt) {
                Some(port) => port.to_be(),
                None => return Err(Verdict::PortsExhausted),
            }
        };
        it.frontend.port_be = port_be;
        // SAFETY: only whether it is there.
        if unsafe { SERVICES.get(&it.frontend) }.is_some() {
            continue;
        }
        it.flow.source_port_be = port_be;
        it.back = it.flow.other(it.key.protocol);
        match FLOWS.insert(&it.back, &it.reply, BPF_NOEXIST as u64) {
            Ok(()) => return commit(it),
            Err(EXISTS) => {}
            Err(_) => return Err(Verdict::FlowsFull),
        }
    }
    Err(Verdict::PortsExhausted)
}

/// The forward entry, after the one back: there is never the first without the second.
#[inline(always)]
fn commit(it: &Scratch) -> Result<(), Verdict> {
    if FLOWS.insert(&it.key, &it.flow, BPF_ANY as u64).is_ok() {
        return Ok(());
    }
    let _ = FLOWS.remove(&it.back);
    Err(Verdict::FlowsFull)
}
