# What a newcomer types. Each target says what it does; `make` alone lists them. Everything but build needs root.

SHELL := /bin/bash
TARGET := x86_64-unknown-linux-musl
BIN := target/release
# rustup may be told not to install by itself; install-deps does it.
export PATH := $(or $(CARGO_HOME),$(HOME)/.cargo)/bin:$(PATH)
export CARGO_TERM_PROGRESS_WHEN ?= never

.PHONY: help build install-deps demo test test-vm test-oracle bench-cni bench-ports bench-services vm clean

help:
	@sed -n 's/^## //p' $(firstword $(MAKEFILE_LIST))

## make demo         install what is missing, build, and show ports surviving vswitchd, and Services
demo:
	@rig/demo.sh

## make test         what CI runs: format, lints, unit tests, suites here and some in the VM (up to 40 minutes)
test:
	@rig/test.sh

## make test-vm      every scenario in the VM, for the kernel datapath (hours); FILTER=s04 narrows it down
test-vm:
	@rig/test-vm.sh

## make test-oracle  the verdicts for Services against the real kube-proxy's, as a table (needs Go); FILTER narrows it down
test-oracle:
	@rig/oracle.sh $(FILTER)

## make build        static release programs in target/release: berth and its links, berthd, berthctl
build:
	@rig/build.sh

## make install-deps Debian packages and the Rust toolchain, where missing
install-deps:
	@rig/install-deps.sh test

## make bench-cni    ADD, DEL and outages against the reference plugins (needs Go), as a table
bench-cni: build
	@rig/bench.sh cni $(ARGS)

## make bench-ports  throughput of the port strategies, in the VM under virtual time, as a table
bench-ports: build
	@rig/bench.sh ports $(ARGS)

## make bench-services connections, forwarding and scale of Services against the real kube-proxy (needs Go), as tables
bench-services: build
	@rig/bench.sh services $(ARGS)

## make vm RUN='…'   run one command inside the VM; KERNEL=6.12 or 6.1
KERNEL ?= 6.12
vm:
	@rig/install-deps.sh test
	@VM_VERBOSE=1 rig/vm.sh --kernel $(KERNEL) -- bash -c '$(or $(RUN),uname -a)'

## make clean        remove what was built; the VM's kernels and kube-proxy stay in ~/.cache/berth
clean:
	@cargo clean --quiet
