# shellcheck shell=bash
# What every script of the rig shares: where the cache is, how it speaks, and how it calls apt.

set -euo pipefail

# Outside the repository: a clean clone finds the kernels of the one before.
CACHE="${XDG_CACHE_HOME:-$HOME/.cache}/berth"
# Other scripts source this and use it.
# shellcheck disable=SC2034
ROOT="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"

say() { printf '%s\n' "$*" >&2; }

die() {
    say "error: $*"
    exit 1
}

need_root() {
    [ "$(id -u)" -eq 0 ] || die "root is needed ($1): run it as root, for example with sudo -E"
}

# apt-get that waits for another apt to end, asks nothing, and tries a failed download again.
apt() {
    DEBIAN_FRONTEND=noninteractive apt-get -q -y -o DPkg::Lock::Timeout=300 -o Acquire::Retries=3 "$@"
}

# The package lists are fetched at most once in a run, and only when something is missing.
apt_update_once() {
    [ -n "${BERTH_APT_UPDATED:-}" ] && return
    local try
    for try in 1 2 3; do
        apt update >/dev/null && { export BERTH_APT_UPDATED=1; return; }
        say "apt-get update failed (attempt $try of 3)"
        sleep $((try * 5))
    done
    die "apt-get update failed three times: is the network there?"
}

# Runs a command as a named step: its name before, its outcome and time after. The outcome is the command's.
step() {
    local name="$1" begin=$SECONDS status=0
    shift
    say ""
    say "==> $name"
    "$@" || status=$?
    if [ "$status" -eq 0 ]; then
        say "==> $name: done in $((SECONDS - begin)) s"
    else
        say "==> $name: FAILED with status $status after $((SECONDS - begin)) s"
    fi
    return "$status"
}
