#!/usr/bin/env bash
# Builds a suite here and runs it, here or in the VM:
#   suite.sh [--vm 6.12|6.1] [--limit SECONDS] [--package tests] NAME [arguments of the suite]...
# NAME is a file of tests/tests, or "lib" for the unit tests of the package.

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

cd "$ROOT"
target=(--test "$name") kind=test
[ "$name" = lib ] && target=(--lib) kind=lib
built="$(cargo test --quiet -p "$package" "${target[@]}" --no-run --message-format=json)"
# Cargo builds the programs of the package too: only the target asked for is meant.
executable="$(sed -n '/"kind":\["'$kind'"\]/s/.*"executable":"\([^"]*\)".*/\1/p' <<<"$built" | tail -n 1)"
[ -n "$executable" ] || die "cargo built no executable for suite $name of $package"
cd "$package"
if [ -n "$vm" ]; then
    exec "$ROOT/rig/vm.sh" --kernel "$vm" --limit "$limit" -- "$executable" "$@"
fi
exec timeout --kill-after=10 "$limit" "$executable" "$@"
