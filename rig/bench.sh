#!/usr/bin/env bash
# The benches: `bench.sh cni|ports [options of the bench]...`. The release programs must be built.

. "$(dirname "$0")/common.sh"

what="${1:?cni or ports}"
shift
need_root "the benches make network namespaces and run a private Open vSwitch"
cd "$ROOT"
step "install what is missing" rig/install-deps.sh test
step "build the benches" cargo build --release -p benches --bins
bench="$(realpath "${CARGO_TARGET_DIR:-target}/release/bench-$what")"
# What the VM's bench writes has to outlive the VM.
share=()
for argument in "$@"; do
    case "${previous:-}=$argument" in
        --out=*) out="$argument" ;;
        *=--out=*) out="${argument#--out=}" ;;
    esac
    previous="$argument"
done
if [ -n "${out:-}" ]; then
    mkdir -p "$(dirname "$out")"
    share=(--share "$(dirname "$out")")
fi
case "$what" in
    cni)
        step "reference plugins" benches/setup.sh peers
        step "on this machine" "$bench" "$@"
        step "outages on the kernel datapath, in the VM" rig/vm.sh --limit 3600 "${share[@]}" -- "$bench" --only outage "$@"
        ;;
    ports)
        step "traffic programs" benches/setup.sh traffic
        step "in the VM under virtual time" rig/vm.sh --icount --limit 7200 "${share[@]}" -- "$bench" "$@"
        ;;
    *) die "no bench $what: cni or ports" ;;
esac
