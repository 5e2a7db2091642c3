#!/usr/bin/env bash
# make test-vm: every scenario in the VM, for the kernel datapath with each strategy and the userspace datapath with
# bonds, and the suites of the crates that touch the kernel; on 6.12, then the fall-backs on 6.1. More than an hour
# where the processor is emulated. FILTER narrows the scenarios down to a part of their names.

. "$(dirname "$0")/common.sh"

need_root "the VM sees this machine's root file system"
cd "$ROOT"
rig/install-deps.sh test
rig/build.sh
failed=0
step "VM 6.12: crates" rig/suites-in-vm.sh 6.12 3600 tests:harness netlink:kernel attachment:strategies \
    attachment:reattach attachment:undo attachment:events || failed=1
step "VM 6.12: scenarios" rig/suite.sh --vm 6.12 --limit 14400 scenarios ${FILTER:+"$FILTER"} || failed=1
step "VM 6.12: the module unloaded and loaded again" rig/suite.sh --vm 6.12 --limit 1800 reload || failed=1
step "VM 6.12: kill" rig/suite.sh --vm 6.12 --limit 7200 kill || failed=1
step "VM 6.1: fall-backs" rig/suites-in-vm.sh 6.1 3600 netlink:kernel attachment:strategies ipam:mounts || failed=1
exit "$failed"
