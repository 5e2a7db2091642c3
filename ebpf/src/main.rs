//! The eBPF programs. For any other target than BPF this is an empty program, so that the
//! workspace builds, tests and lints as a whole.
#![cfg_attr(target_arch = "bpf", no_std, no_main)]

#[cfg(target_arch = "bpf")]
mod bpf;

#[cfg(not(target_arch = "bpf"))]
fn main() {}
