#!/usr/bin/env bash
# Installs what is missing: Debian packages, and the Rust toolchain of rust-toolchain.toml. Quick when nothing is.
#   install-deps.sh demo   what builds and shows berth
#   install-deps.sh test   that, and what the suites and the VM need
#   install-deps.sh oracle what builds berth, and what the comparison with kube-proxy needs besides Go

. "$(dirname "$0")/common.sh"

what="${1:-test}"
packages=(ca-certificates gcc git iproute2 libc6-dev nftables openvswitch-switch procps)
case "$what" in
    demo) ;;
    oracle) packages+=(curl iputils-ping openssl util-linux) ;;
    *) packages+=(busybox-static cpio kmod qemu-system-x86 strace xz-utils) ;;
esac

# No service is started: each test has an Open vSwitch of its own. A policy that is there already is respected.
policy=/usr/sbin/policy-rc.d
install_packages() {
    need_root "to install ${missing[*]}"
    say "installing Debian packages: ${missing[*]}"
    if [ ! -e "$policy" ]; then
        trap 'rm -f "$policy"' EXIT
        printf '#!/bin/sh\nexit 101\n' >"$policy"
        chmod 755 "$policy"
    fi
    # Lists that know the packages need no update; ones that are too old do.
    if ! apt install --no-install-recommends "${missing[@]}" >"$log" 2>&1; then
        apt_update_once
        apt install --no-install-recommends "${missing[@]}" >"$log" 2>&1 || {
            tail -n 30 "$log" >&2
            die "cannot install ${missing[*]}"
        }
    fi
}

missing=()
for package in "${packages[@]}"; do
    status="$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null || true)"
    [ "$status" = installed ] || missing+=("$package")
done
if [ "${#missing[@]}" -gt 0 ]; then
    log="$(mktemp)"
    install_packages
    rm -f "$log"
fi

# One value or list of rust-toolchain.toml, as words.
toolchain_key() {
    sed -n "s/^$1 *= *//p" "$ROOT/rust-toolchain.toml" | tr -d '[]"' | tr ',' ' '
}

PATH="${CARGO_HOME:-$HOME/.cargo}/bin:$PATH"
command -v rustup >/dev/null || die "rustup is missing: install it, or add it to PATH"
channel="$(toolchain_key channel | tr -d ' ')"
components="$(toolchain_key components)"
targets="$(toolchain_key targets)"
wanted=()
has() { grep -q "^$2" <<<"$1"; }
if installed="$(rustup component list --installed --toolchain "$channel" 2>/dev/null)"; then
    for component in $components; do has "$installed" "$component" || wanted+=("$component"); done
    for target in $targets; do has "$installed" "rust-std-$target" || wanted+=("$target"); done
else
    wanted+=("toolchain $channel")
fi
if [ "${#wanted[@]}" -gt 0 ]; then
    say "installing Rust $channel: ${wanted[*]}"
    arguments=(--profile minimal --no-self-update)
    for component in $components; do arguments+=(--component "$component"); done
    for target in $targets; do arguments+=(--target "$target"); done
    rustup --quiet toolchain install "$channel" "${arguments[@]}" >&2 || die "rustup cannot install Rust $channel"
fi

# The linker of the eBPF programs: newer ones want a newer LLVM than the toolchain has.
linker=0.10.3
if [ "$(bpf-linker --version 2>/dev/null)" != "bpf-linker $linker" ]; then
    say "installing bpf-linker $linker"
    log="$(mktemp)"
    (cd "$ROOT" && cargo install --quiet --locked --force "bpf-linker@$linker") >"$log" 2>&1 || {
        tail -n 30 "$log" >&2
        die "cargo cannot install bpf-linker $linker"
    }
    rm -f "$log"
fi
