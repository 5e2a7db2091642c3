#!/usr/bin/env bash
# The benches: `bench.sh cni|ports|services [options of the bench]...`. The release programs must be built.

. "$(dirname "$0")/common.sh"

what="${1:?cni, ports or services}"
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

# Whether a part of the bench is among those asked for with --only; all are when none was.
asked() {
    local parts="" argument previous=""
    for argument in "${arguments[@]}"; do
        case "$previous=$argument" in
            --only=*) parts+=",$argument" ;;
            *=--only=*) parts+=",${argument#--only=}" ;;
        esac
        previous="$argument"
    done
    [ -z "$parts" ] || [[ "$parts," == *",$1,"* ]]
}
arguments=("$@")

# Services: what counts milliseconds is measured here, what compares path lengths in the VM under virtual time.
services() {
    local rules
    if asked connections || asked forwarding; then
        step "what kube-proxy needs" benches/setup.sh proxies
        BERTH_KUBE_DIR="$(rig/kube.sh | tail -n 1)"
        export BERTH_KUBE_DIR
    fi
    if asked connections || asked scale; then
        step "on this machine" "$bench" "$@"
    fi
    if asked forwarding || asked local; then
        step "traffic programs" benches/setup.sh traffic
        if asked forwarding; then
            rules="$(dirname "$bench")/kube-proxy-rules.nft"
            step "rules of kube-proxy" "$bench" --record "$rules"
            export BERTH_KUBE_RULES="$rules"
        fi
        step "in the VM under virtual time" rig/vm.sh --icount --limit 7200 "${share[@]}" -- "$bench" "$@"
    fi
}

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
    services) services "$@" ;;
    *) die "no bench $what: cni, ports or services" ;;
esac
