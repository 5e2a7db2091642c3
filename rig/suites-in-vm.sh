#!/usr/bin/env bash
# Builds several suites here and runs them one after another in one VM:
#   suites-in-vm.sh KERNEL LIMIT PACKAGE:NAME[:FILTER]...
# All of them run even when one fails; the status is 1 then. FILTER picks tests by a part of their name; more
# arguments of the suite may follow it.

. "$(dirname "$0")/common.sh"

kernel="${1:?which kernel}" limit="${2:?how many seconds at most}"
shift 2
need_root "suites make network namespaces"

script=""
for suite in "$@"; do
    IFS=: read -r package name filter <<<"$suite"
    executable="$("$ROOT/rig/executable.sh" "$package" "$name")"
    script+="run $package $name $executable $filter"$'\n'
done
# shellcheck disable=SC2016  # for the guest's shell
exec "$ROOT/rig/vm.sh" --kernel "$kernel" --limit "$limit" -- bash -c '
    failed=""
    run() {
        local package="$1" name="$2" executable="$3" begin=$SECONDS
        shift 3
        echo "--> $package $name $*"
        (cd "$0/$package" && "$executable" "$@") || failed+=" $package:$name"
        echo "--> $package $name: $((SECONDS - begin)) s in the VM"
    }
    '"$script"'
    [ -z "$failed" ] || { echo "failed in the VM:$failed"; exit 1; }
' "$ROOT"
