#!/usr/bin/env bash
# Lints the eBPF programs for their own target, which the workspace's lints do not see.

. "$(dirname "$0")/common.sh"

cd "$ROOT"
export RUSTC_BOOTSTRAP=1
exec cargo clippy --quiet --package ebpf --target bpfel-unknown-none -Z build-std=core --target-dir target/ebpf -- -D warnings
