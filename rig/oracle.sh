#!/usr/bin/env bash
# make test-oracle: berth against the real kube-proxy. Words that follow play the scenarios with these in their name.

. "$(dirname "$0")/common.sh"

need_root "the suite makes network namespaces"
cd "$ROOT"
step "install what is missing" rig/install-deps.sh oracle
step "build berth, berthd, berthctl" rig/build.sh
step "build the real kube-proxy and its API server" rig/kube.sh
BERTH_KUBE_DIR="$(rig/kube.sh | tail -n 1)"
export BERTH_KUBE_DIR
step "berth against kube-proxy" rig/suite.sh --limit 1200 oracle "$@"
