#!/usr/bin/env bash
# Builds the release programs, statically linked, and leaves them in target/release with the names that berth answers to.

. "$(dirname "$0")/common.sh"

cd "$ROOT"
target=x86_64-unknown-linux-musl
command -v cargo >/dev/null || die "cargo is missing: run make install-deps"
if ! rustup target list --installed 2>/dev/null | grep -q "^$target$" || ! command -v bpf-linker >/dev/null; then
    "$(dirname "$0")/install-deps.sh" demo
fi
cargo build --release --target "$target" -p cni-plugin -p daemon

directory="${CARGO_TARGET_DIR:-$ROOT/target}"
mkdir -p "$directory/release"
for program in berth berthd berthctl; do
    # Replaced, not written into: the old one may be running.
    cp "$directory/$target/release/$program" "$directory/release/.$program.new"
    mv "$directory/release/.$program.new" "$directory/release/$program"
done
for name in flannel berth-ipam host-local loopback; do
    ln -sfn berth "$directory/release/$name"
done
