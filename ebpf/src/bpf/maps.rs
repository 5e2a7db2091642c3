//! The maps. They are pinned by userspace, which also may give them other sizes.

use abi::{
    Address, AffinityKey, AffinityValue, Backend, DeviceAddresses, Flow, FlowKey, FragmentKey,
    FragmentPorts, Frontend, MaglevKey, MaglevPart, MemberKey, Network, Node, Pod, Service,
    SlotKey, SocketKey, SocketOrigin, SourceRange, Verdict, names,
};
use aya_ebpf::bindings::BPF_F_NO_PREALLOC;
use aya_ebpf::macros::map;
use aya_ebpf::maps::{Array, HashMap, LpmTrie, LruHashMap, PerCpuArray};

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
pub static MAGLEV: HashMap<MaglevKey, MaglevPart> =
    HashMap::with_max_entries(names::MAGLEV_MAX, BPF_F_NO_PREALLOC);

#[map]
pub static AFFINITY: LruHashMap<AffinityKey, AffinityValue> =
    LruHashMap::with_max_entries(names::AFFINITY_MAX, 0);

#[map]
pub static SOCKETS: LruHashMap<SocketKey, SocketOrigin> =
    LruHashMap::with_max_entries(names::SOCKETS_MAX, 0);

/// Not one that forgets by itself: half of a flow would be worse than none.
#[map]
pub static FLOWS: HashMap<FlowKey, Flow> =
    HashMap::with_max_entries(names::FLOWS_MAX, BPF_F_NO_PREALLOC);

#[map]
pub static FRAGMENTS: LruHashMap<FragmentKey, FragmentPorts> =
    LruHashMap::with_max_entries(names::FRAGMENTS_MAX, 0);

#[map]
pub static NODE: Array<Node> = Array::with_max_entries(1, 0);

#[map]
pub static DEVICES: HashMap<u32, DeviceAddresses> =
    HashMap::with_max_entries(names::DEVICES_MAX, BPF_F_NO_PREALLOC);

#[map]
pub static PODS: HashMap<Address, Pod> =
    HashMap::with_max_entries(names::PODS_MAX, BPF_F_NO_PREALLOC);

#[map]
pub static CLUSTER: LpmTrie<Network, u32> =
    LpmTrie::with_max_entries(names::CLUSTER_MAX, BPF_F_NO_PREALLOC);

#[map]
pub static SOURCES: LpmTrie<SourceRange, u32> =
    LpmTrie::with_max_entries(names::SOURCES_MAX, BPF_F_NO_PREALLOC);

#[map]
pub static VERDICTS: PerCpuArray<u64> = PerCpuArray::with_max_entries(Verdict::COUNT, 0);
