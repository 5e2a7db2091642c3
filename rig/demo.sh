#!/usr/bin/env bash
# make demo: from a fresh machine to a pod whose port survives the loss of vswitchd.

. "$(dirname "$0")/common.sh"

need_root "the demonstration makes network namespaces and runs a private Open vSwitch"
cd "$ROOT"
step "install what is missing" rig/install-deps.sh demo
step "build berth, berthd, berthctl" rig/build.sh
step "build the demonstration" cargo build -p tests --bin demo
step "demonstration" timeout --kill-after=10 300 "${CARGO_TARGET_DIR:-target}/debug/demo"
