//! What the path of a packet keeps while it goes on: more than the stack of a program has room
//! for, so it is in a map, each CPU's own.

use abi::{Flow, FlowKey, Frontend, Service};
use aya_ebpf::bindings::bpf_fib_lookup;
use aya_ebpf::macros::map;
use aya_ebpf::maps::PerCpuArray;
use ebpf::headers::Headers;
use ebpf::icmp::About;

use super::medium::Way;

/// Of one packet.
pub struct Scratch {
    /// Its headers.
    pub headers: Headers,
    /// What it is about, if it is an ICMP error.
    pub about: About,
    /// The key of its flow.
    pub key: FlowKey,
    /// What becomes of it.
    pub flow: Flow,
    /// What becomes of answers to it.
    pub reply: Flow,
    /// Their key.
    pub back: FlowKey,
    /// What is looked for among Services.
    pub frontend: Frontend,
    /// The Service it asks for.
    pub service: Service,
    /// What the routing tables are asked, and answer.
    pub fib: bpf_fib_lookup,
    /// Where it goes.
    pub way: Way,
}

/// Puts a value into its place such that what is read from there is, for the verifier, any value.
/// Kernels before 6.4 would else follow each way through the headers to the end of the program by
/// itself, as each leaves other bounds of the same numbers behind: twenty-four times the work.
#[inline(always)]
pub fn forget_how<T>(place: &mut T, value: T) {
    // SAFETY: a reference may be written to.
    unsafe { core::ptr::from_mut(place).write_volatile(value) }
}

#[map]
static SCRATCH: PerCpuArray<Scratch> = PerCpuArray::with_max_entries(1, 0);

/// That of this CPU. A program is not interrupted by another one on its CPU that uses it: both
/// hooks of a device run with interrupts of the network turned off, and one after the other.
#[inline(always)]
pub fn scratch() -> Option<&'static mut Scratch> {
    // SAFETY: see above; zero, as which it is made, is a value of each field.
    SCRATCH.get_ptr_mut(0).map(|it| unsafe { &mut *it })
}
