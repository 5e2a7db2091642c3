#!/usr/bin/env bash
# Builds a suite here and runs it, here or in the VM:
#   suite.sh [--vm 6.12|6.1] [--limit SECONDS] [--package tests] NAME [arguments of the suite]...
# NAME is a file of the package's tests, or "lib" for its unit tests.

. "$(dirname "$0")/common.sh"

vm="" limit=900 package=tests
while [ $# -gt 0 ]; do
    case "$1" in
        --vm) vm="$2" && shift 2 ;;
        --limit) limit="$2" && shift 2 ;;
        --package) package="$2" && shift 2 ;;
        -*) die "unknown option $1" ;;
        *) break ;;
    esac
done
name="${1:?which suite}"
shift
need_root "suites make network namespaces"

executable="$("$ROOT/rig/executable.sh" "$package" "$name")"
cd "$ROOT/$package"
if [ -n "$vm" ]; then
    exec "$ROOT/rig/vm.sh" --kernel "$vm" --limit "$limit" -- "$executable" "$@"
fi
exec timeout --kill-after=10 "$limit" "$executable" "$@"
