#!/usr/bin/env bash
# Fetches a stock Debian kernel for the VM and prepares it in the cache, without installing it:
#   kernel.sh 6.12|6.1
# leaves vmlinuz, lib/modules/<release>, initramfs.cpio and release in <cache>/kernel-<series>, and prints that path.
# Done once; a later call only prints.

. "$(dirname "$0")/common.sh"

series="${1:?which kernel: 6.12 or 6.1}"
home="$CACHE/kernel-$series"

# The image package of the series, as the package lists have it now.
image_package() {
    local metapackages
    case "$series" in
        6.12) metapackages="linux-image-6.12-amd64 linux-image-amd64" ;;
        6.1) metapackages="linux-image-amd64" ;;
        *) die "no kernel $series: 6.12 or 6.1" ;;
    esac
    local metapackage
    for metapackage in $metapackages; do
        apt-cache depends "$metapackage" 2>/dev/null | sed -n "s/^ *Depends: \(linux-image-${series//./\\.}\.[0-9.]*[^ ]*-amd64\)$/\1/p"
    done | head -n 1
}

download() {
    local package="$1" into="$2"
    (cd "$into" && apt -o APT::Sandbox::User=root download "$package" >/dev/null)
}

fetch() {
    local into="$1" package
    package="$(image_package)"
    if [ -z "$package" ] || ! download "$package" "$into"; then
        apt_update_once
        package="$(image_package)"
        [ -n "$package" ] || die "the package lists have no Debian kernel $series: is bookworm-security among the sources?"
        download "$package" "$into" || die "cannot download $package"
    fi
}

# The modules that the initramfs needs to reach the host's root, and the console port.
early_modules="virtio_pci virtio_console 9pnet_virtio 9p overlay"

# An initramfs of a static busybox and the early modules, decompressed, numbered in the order to load them.
build_initramfs() {
    local from="$1" release="$2" tree module path number=100
    tree="$(mktemp -d)"
    mkdir -p "$tree"/{bin,dev,proc,sys,modules,lower,upper,root}
    local busybox
    busybox="$(command -v busybox)" || die "busybox is missing: install busybox-static"
    cp "$busybox" "$tree/bin/busybox"
    ln -s busybox "$tree/bin/sh"
    cp "$(dirname "$0")/initramfs-init.sh" "$tree/init"
    chmod 755 "$tree/init"
    declare -A taken=()
    for module in $early_modules; do
        while read -r path; do
            [ -n "${taken[$path]:-}" ] && continue
            taken[$path]=1
            number=$((number + 1))
            local name
            name="$(basename "${path%.xz}")"
            case "$path" in
                *.xz) xz -dc "$path" >"$tree/modules/$number-$name" ;;
                *) cp "$path" "$tree/modules/$number-$name" ;;
            esac
        done < <(modprobe --ignore-install --show-depends -d "$from" -S "$release" "$module" | sed -n 's/^insmod \([^ ]*\).*/\1/p')
    done
    (cd "$tree" && find . | cpio --quiet -o -H newc) >"$from/initramfs.cpio"
    rm -rf "$tree"
}

prepare() {
    local work
    mkdir -p "$CACHE"
    work="$(mktemp -d "$CACHE/.kernel-$series.XXXXXX")"
    # shellcheck disable=SC2064  # this very directory
    trap "rm -rf '$work'" EXIT
    say "fetching Debian's kernel $series for the VM (about 100 MB, once)"
    fetch "$work"
    say "unpacking $(basename "$work"/*.deb)"
    dpkg-deb -x "$work"/*.deb "$work/tree"
    rm "$work"/*.deb
    local modules=("$work"/tree/lib/modules/* "$work"/tree/usr/lib/modules/*)
    local release
    for release in "${modules[@]}"; do [ -d "$release" ] && break; done
    mkdir -p "$work/ready/lib/modules"
    mv "$release" "$work/ready/lib/modules/"
    release="$(basename "$release")"
    mv "$work/tree/boot/vmlinuz-$release" "$work/ready/vmlinuz"
    depmod -b "$work/ready" "$release"
    build_initramfs "$work/ready" "$release"
    cksum <"$(dirname "$0")/initramfs-init.sh" >"$work/ready/init.cksum"
    echo "$release" >"$work/ready/release"
    rm -rf "$home"
    mv "$work/ready" "$home"
}

if [ ! -e "$home/release" ]; then
    prepare
elif [ "$(cksum <"$(dirname "$0")/initramfs-init.sh")" != "$(cat "$home/init.cksum")" ]; then
    build_initramfs "$home" "$(cat "$home/release")"
    cksum <"$(dirname "$0")/initramfs-init.sh" >"$home/init.cksum"
fi
echo "$home"
