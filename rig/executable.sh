#!/usr/bin/env bash
# Builds one test target and prints the path of its executable:
#   executable.sh PACKAGE NAME     NAME is a file of PACKAGE/tests, or "lib" for the unit tests

. "$(dirname "$0")/common.sh"

package="${1:?which package}" name="${2:?which target}"
cd "$ROOT"
target=(--test "$name") kind=test
[ "$name" != lib ] || target=(--lib) kind=lib
built="$(cargo test --quiet -p "$package" "${target[@]}" --no-run --message-format=json)"
# Cargo builds the programs of the package too: only the target asked for is meant.
executable="$(sed -n '/"kind":\["'$kind'"\]/s/.*"executable":"\([^"]*\)".*/\1/p' <<<"$built" | tail -n 1)"
[ -n "$executable" ] || die "cargo built no executable for $name of $package"
echo "$executable"
