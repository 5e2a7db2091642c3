#!/usr/bin/env bash
# make test: everything that CI runs, step by step. All steps run even when one fails, unless nothing can follow
# it; a summary closes the run, and its status is that of the whole. make test-vm has the whole matrix of the VM.

. "$(dirname "$0")/common.sh"

need_root "the suites make network namespaces and run private Open vSwitches"
cd "$ROOT"
begin=$SECONDS
summary=() failed=0

try() {
    local name="$1" from=$SECONDS outcome=passed
    step "$@" || { outcome=FAILED && failed=1; }
    summary+=("$(printf '%-7s %5d s  %s' "$outcome" $((SECONDS - from)) "$name")")
    [ "$outcome" = passed ]
}

finish() {
    say ""
    printf '%s\n' "${summary[@]}" >&2
    say "$([ "$failed" -eq 0 ] && echo "all steps passed" || echo "FAILED") in $((SECONDS - begin)) s"
    exit "$failed"
}

native() { timeout --kill-after=10 "$1" cargo test --quiet "${@:2}"; }

try "install what is missing" rig/install-deps.sh test || finish
try "format" cargo fmt --all --check || true
try "lints" cargo clippy --quiet --workspace --all-targets -- -D warnings || true
try "lints of the eBPF programs" rig/lint-ebpf.sh || true
try "release programs" rig/build.sh || finish
try "kernels for the VM" bash -c 'rig/kernel.sh 6.12 && rig/kernel.sh 6.1' || finish
try "unit tests and suites of the crates" native 1500 --no-fail-fast --workspace --exclude tests || true
try "harness" native 400 -p tests --lib --test harness || true
try "host-local's rows against the programs" native 400 -p tests --test ipam_rows || true
try "scenarios, userspace datapath" rig/suite.sh --limit 1200 scenarios || true
try "the plugin killed at every system call" rig/suite.sh --limit 900 kill || true
try "Services" rig/suite.sh --limit 700 services || true
try "demonstration" timeout --kill-after=10 300 cargo run --quiet -p tests --bin demo || true
# Under emulation a scenario takes ten seconds and more: here vswitchd killed under each strategy, the other scenarios
# with the one that "auto" takes, the module reloaded, and Services; the rest in make test-vm. Not "rename" on the kernel
# datapath, whose trials take a minute each there.
try "VM 6.12: netlink, and the kernel datapath" rig/suites-in-vm.sh 6.12 2400 netlink:kernel \
    tests:scenarios:"s02_sigkill::kernel --skip bond --skip rename" \
    tests:scenarios:"kernel::bond --skip s01_churn --skip s02_killed_again --skip s05_daemon_killed" \
    tests:services:"every_backend a_client addresses_policies a_bad_document uninstall a_pod_whose policy_local nobody_there xdp_gives" \
    dataplane:verifier: || true
try "VM 6.12: the module unloaded and loaded again" rig/suite.sh --vm 6.12 --limit 900 reload --skip rename || true
try "VM 6.1: netlink, and Services" rig/suites-in-vm.sh 6.1 1500 netlink:kernel \
    tests:services:"every_backend outside::a_client policy_local nobody_there uninstall" \
    dataplane:verifier: || true
finish
