#!/usr/bin/env bash
# What the benches compare with and measure by, fetched once.
#
#   setup.sh peers     the reference CNI plugins, built from their Go modules
#   setup.sh traffic   iperf3 and sockperf, from Debian
#   setup.sh proxies   what kube-proxy and its API server need beside them, from Debian
#   setup.sh           all of it
#
# The peers go to a cache outside the source tree, one folder per version, so
# that a clean clone on the same machine finds them. The last line of `peers`
# is that folder: the benches read it.
set -euo pipefail

version=v1.9.1
module=github.com/containernetworking/plugins/plugins
plugins=(main/bridge main/ptp ipam/host-local main/loopback)
export HOME=${HOME:-/root}
cache=${XDG_CACHE_HOME:-$HOME/.cache}/berth/peers/$version

say() { printf '%s\n' "$*" >&2; }
fail() { say "setup: $*"; exit 1; }

# Go is needed for the peers only; a machine without it can still build berth.
find_go() {
    local go=go
    command -v go >/dev/null || go=/usr/local/go/bin/go
    command -v "$go" >/dev/null ||
        fail "the reference plugins are built with Go 1.24 or later and no go is on PATH; install it (https://go.dev/dl) and run this again"
    local found major minor
    found=$("$go" env GOVERSION)
    IFS=. read -r major minor _ <<<"${found#go}"
    minor=${minor%%[!0-9]*}
    [[ $major -gt 1 || ( $major -eq 1 && $minor -ge 24 ) ]] ||
        fail "the reference plugins need Go 1.24 or later, $(command -v "$go") is $found"
    printf '%s\n' "$go"
}

peers() {
    local missing=() plugin go
    for plugin in "${plugins[@]}"; do
        [[ -x $cache/${plugin##*/} ]] || missing+=("$module/$plugin@$version")
    done
    if [[ ${#missing[@]} -gt 0 ]]; then
        go=$(find_go)
        say "setup: building ${#missing[@]} reference plugins $version into $cache (about a minute, once)"
        mkdir -p "$cache"
        # Built aside and moved in, so that an interrupted build leaves no half plugin behind.
        staging=$(mktemp -d "$cache/.build.XXXXXX")
        trap 'rm -rf "$staging"' EXIT
        # As upstream releases them: static, and with the version in the binary.
        CGO_ENABLED=0 GOBIN=$staging "$go" install -trimpath -ldflags \
            "-s -w -X github.com/containernetworking/plugins/pkg/utils/buildversion.BuildVersion=$version" \
            "${missing[@]}" >&2 || fail "go install of ${missing[*]} failed"
        mv "$staging"/* "$cache"/
    fi
    printf '%s\n' "$cache"
}

# Programs that Debian has in packages of the same name.
packages() {
    local missing=() tool
    for tool in "$@"; do
        command -v "$tool" >/dev/null || missing+=("$tool")
    done
    [[ ${#missing[@]} -gt 0 ]] || return 0
    [[ $(id -u) -eq 0 ]] || fail "${missing[*]} missing: run as root to install, or: apt-get install ${missing[*]}"
    say "setup: installing ${missing[*]}"
    export DEBIAN_FRONTEND=noninteractive
    apt-get install -y -q --no-install-recommends "${missing[@]}" >&2 ||
        { apt-get update -q >&2 && apt-get install -y -q --no-install-recommends "${missing[@]}" >&2; } ||
        fail "could not install ${missing[*]}"
}

traffic() { packages iperf3 sockperf; }

proxies() { packages curl iptables openssl; }

case ${1:-all} in
    peers) peers ;;
    traffic) traffic ;;
    proxies) proxies ;;
    all) traffic; proxies; peers ;;
    *) fail "unknown part '$1': peers, traffic, proxies or nothing for all" ;;
esac
