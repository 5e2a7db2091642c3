#!/usr/bin/env bash
# The real etcd, kube-apiserver and kube-proxy, built from their Go modules, for the suites and benches that compare
# with them:
#   kube.sh
# leaves the three in <cache>/kube/<version>, and prints that path as its last line. Done once, in about ten minutes
# on two processors; a later call only prints. Go's own caches keep what was downloaded and compiled (4 GB).

. "$(dirname "$0")/common.sh"

version=1.34.4
programs=(etcd kube-apiserver kube-proxy)
source="$(cd "$(dirname "$0")" && pwd)/kube/main.go"
home="$CACHE/kube/v$version"

find_go() {
    local go=go found major minor
    command -v go >/dev/null || go=/usr/local/go/bin/go
    command -v "$go" >/dev/null ||
        die "Kubernetes is built with Go 1.24 or later and no go is on PATH: install it (https://go.dev/dl)"
    found="$("$go" env GOVERSION)"
    IFS=. read -r major minor _ <<<"${found#go}"
    minor="${minor%%[!0-9]*}"
    [ "$major" -gt 1 ] || [ "$minor" -ge 24 ] || die "Kubernetes needs Go 1.24 or later, $(command -v "$go") is $found"
    echo "$go"
}

# Kubernetes is no module that others can require as it is: it finds the parts of itself beside it. Here they are
# what was published of them, each with the version that belongs to this one; all else is as upstream has tested it.
write_module() {
    local into="$1" go="$2" upstream
    upstream="$(cd "$into" && "$go" mod download -json "k8s.io/kubernetes@v$version")" ||
        die "the Go module k8s.io/kubernetes $version cannot be fetched: $upstream"
    path_of() { sed -n "s/^\t\"$1\": \"\(.*\)\",*$/\1/p" <<<"$upstream"; }
    sed -E -e 's,^module .*,module kube,' -e "s,=> \./staging/src/(.*),=> \1 v0.${version#1.}," \
        -e "s, v0\.0\.0( |$), v0.${version#1.}\1," "$(path_of GoMod)" >"$into/go.mod"
    echo "require k8s.io/kubernetes v$version" >>"$into/go.mod"
    cp "$(path_of Dir)/go.sum" "$into/go.sum"
    chmod u+w "$into/go.sum"
    cp "$source" "$into/main.go"
}

build() {
    local go work package=k8s.io/component-base/version program
    go="$(find_go)"
    mkdir -p "$CACHE/kube"
    # Built aside and moved in: an interrupted build leaves no half of it behind.
    work="$(mktemp -d "$CACHE/kube/.build.XXXXXX")"
    # shellcheck disable=SC2064  # this very directory
    trap "rm -rf '$work'" EXIT
    mkdir "$work/module" "$work/ready"
    say "building etcd, kube-apiserver and kube-proxy $version (about ten minutes, once)"
    write_module "$work/module" "$go"
    (cd "$work/module" && CGO_ENABLED=0 nice -n 10 "$go" build -mod=mod -trimpath -o "$work/ready/kube" \
        -ldflags "-s -w -X $package.gitVersion=v$version -X $package.gitMajor=1 -X $package.gitMinor=34" .) >&2 ||
        die "Kubernetes $version does not build"
    for program in "${programs[@]}"; do ln -s kube "$work/ready/$program"; done
    cksum <"$source" >"$work/ready/source.cksum"
    rm -rf "$home"
    mv "$work/ready" "$home"
}

[ "$(cksum <"$source")" = "$(cat "$home/source.cksum" 2>/dev/null)" ] || build
echo "$home"
