//! Builds the eBPF programs for their target, and leaves the object where
//! `include_bytes_aligned!` finds it.
//!
//! `build-std` is not stable yet; the pinned toolchain is told to allow it, so that no
//! second one is needed. `bpf-linker` and `rust-src` come from `make install-deps`.

use std::env;
use std::path::PathBuf;
use std::process::Command;

const TARGET: &str = "bpfel-unknown-none";

fn main() {
    let manifest = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").expect("cargo sets it"));
    let root = manifest.parent().expect("a workspace around the crate");
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets it"));
    for watched in ["ebpf/src", "ebpf/Cargo.toml", "abi/src", "abi/Cargo.toml"] {
        println!("cargo::rerun-if-changed={}", root.join(watched).display());
    }
    let target = out.join("ebpf");
    let mut cargo = Command::new(env::var_os("CARGO").expect("cargo sets it"));
    cargo
        .current_dir(root)
        .args(["build", "--quiet", "--release", "--package", "ebpf"])
        .args(["--bin", "berth-ebpf", "--target", TARGET])
        .args(["-Z", "build-std=core"])
        .arg("--target-dir")
        .arg(&target)
        .env("RUSTC_BOOTSTRAP", "1")
        .env(
            "CARGO_ENCODED_RUSTFLAGS",
            ["-Cdebuginfo=2", "-Clinker=bpf-linker", "-Clink-arg=--btf"].join("\u{1f}"),
        );
    // The flags and wrappers of the host's build are not this one's.
    for variable in ["RUSTC", "RUSTC_WORKSPACE_WRAPPER", "RUSTFLAGS"] {
        cargo.env_remove(variable);
    }
    let status = cargo.status().expect("cargo can be run");
    assert!(
        status.success(),
        "the eBPF programs could not be built; make install-deps installs what that needs"
    );
    let object = target.join(TARGET).join("release/berth-ebpf");
    println!("cargo::rustc-env=BERTH_EBPF_OBJECT={}", object.display());
}
