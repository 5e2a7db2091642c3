//! Choosing a backend of a set.

use abi::{
    AffinityKey, AffinityValue, Backend, MAGLEV_PART, MaglevKey, MemberKey, Service, SlotKey,
};
use aya_ebpf::helpers::{bpf_get_prandom_u32, bpf_ktime_get_ns};
use ebpf::choice::{slot, stays};

use super::maps::{AFFINITY, MAGLEV, MEMBERS, SLOTS};

/// A backend of `set`, which has `count`: that of the client's last connection if the
/// Service asks for that and it is still there, or else any. None if the slot is empty,
/// which userspace prevents.
#[inline(always)]
pub fn backend(service: &Service, set: u32, count: u32, client: &AffinityKey) -> Option<Backend> {
    if service.affinity_seconds == 0 {
        return any(set, count);
    }
    // SAFETY: reads time alone.
    let now = unsafe { bpf_ktime_get_ns() };
    let chosen = match last(service, set, client, now) {
        Some(backend) => backend,
        None => any(set, count)?,
    };
    let value = AffinityValue {
        last_ns: now,
        backend: chosen,
        pad: 0,
    };
    // A full table forgets somebody else first; the client is served in any case.
    let _ = AFFINITY.insert(client, value, 0);
    Some(chosen)
}

/// The backend that a set's Maglev table, of `size` entries, has for a hash. None if it is not
/// there, which userspace prevents.
#[inline(always)]
pub fn maglev(set: u32, size: u32, hash: u32) -> Option<Backend> {
    let entry = slot(hash, size);
    let key = MaglevKey {
        set,
        part: entry / MAGLEV_PART,
    };
    // SAFETY: written once and never changed.
    let part = unsafe { MAGLEV.get(key) }?;
    let key = SlotKey {
        set,
        slot: u32::from(part.slots[(entry % MAGLEV_PART) as usize]),
    };
    // SAFETY: as below.
    unsafe { SLOTS.get(key) }.copied()
}

#[inline(always)]
fn any(set: u32, count: u32) -> Option<Backend> {
    // SAFETY: has no arguments.
    let random = unsafe { bpf_get_prandom_u32() };
    let key = SlotKey {
        set,
        slot: slot(random, count),
    };
    // SAFETY: entries are written once and removed after the grace period of whoever reads.
    unsafe { SLOTS.get(key) }.copied()
}

#[inline(always)]
fn last(service: &Service, set: u32, client: &AffinityKey, now: u64) -> Option<Backend> {
    // SAFETY: a torn read yields a backend that is looked for below.
    let value = unsafe { AFFINITY.get(client) }?;
    if !stays(value.last_ns, now, service.affinity_seconds) {
        return None;
    }
    let member = MemberKey {
        set,
        backend: value.backend,
    };
    // SAFETY: only whether it is there.
    unsafe { MEMBERS.get(member) }.map(|_| value.backend)
}
