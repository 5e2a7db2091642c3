//! The maps. They are pinned by userspace, which also may give them other sizes.

use abi::{
    AffinityKey, AffinityValue, Backend, Frontend, MemberKey, Service, SlotKey, SocketKey,
    SocketOrigin, Verdict, names,
};
use aya_ebpf::bindings::BPF_F_NO_PREALLOC;
use aya_ebpf::macros::map;
use aya_ebpf::maps::{HashMap, LruHashMap, PerCpuArray};

#[map]
pub static SERVICES: HashMap<Frontend, Service> =
    HashMap::with_max_entries(names::SERVICES_MAX, BPF_F_NO_PREALLOC);

#[map]
pub static SLOTS: HashMap<SlotKey, Backend> =
    HashMap::with_max_entries(names::SLOTS_MAX, BPF_F_NO_PREALLOC);

#[map]
pub static MEMBERS: HashMap<MemberKey, u32> =
    HashMap::with_max_entries(names::MEMBERS_MAX, BPF_F_NO_PREALLOC);

#[map]
pub static AFFINITY: LruHashMap<AffinityKey, AffinityValue> =
    LruHashMap::with_max_entries(names::AFFINITY_MAX, 0);

#[map]
pub static SOCKETS: LruHashMap<SocketKey, SocketOrigin> =
    LruHashMap::with_max_entries(names::SOCKETS_MAX, 0);

#[map]
pub static VERDICTS: PerCpuArray<u64> = PerCpuArray::with_max_entries(Verdict::COUNT, 0);
