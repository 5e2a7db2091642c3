#!/usr/bin/env bash
# Runs one command inside a VM: a stock Debian kernel on this machine's own root file system, which the guest sees
# read-only under a tmpfs. Output is streamed, the command's status is returned; 124 is the time limit, 125 a VM
# that ended without a status (its console is shown).
#
#   vm.sh [--kernel 6.12|6.1] [--cpus N] [--memory MB] [--limit SECONDS] [--icount] [--share DIR]... -- COMMAND...
#
# --icount  virtual time: one instruction is one nanosecond, on one CPU; for measurements that repeat exactly
# --share   a directory that the guest may write to, at the same path
#
# The environment goes along: variables that begin with BERTH_, RUST_ or CARGO_, and those named in VM_ENVIRONMENT.
# VM_VERBOSE=1 reports the time of the boot; VM_ACCELERATOR=kvm uses KVM where it works.

. "$(dirname "$0")/common.sh"

kernel=6.12 cpus=2 memory=3072 limit=900 icount="" shares=()
while [ $# -gt 0 ]; do
    case "$1" in
        --kernel) kernel="$2" && shift 2 ;;
        --cpus) cpus="$2" && shift 2 ;;
        --memory) memory="$2" && shift 2 ;;
        --limit) limit="$2" && shift 2 ;;
        --icount) icount=1 && shift ;;
        --share) shares+=("$(realpath "$2")") && shift 2 ;;
        --) shift && break ;;
        -*) die "unknown option $1" ;;
        *) break ;;
    esac
done
[ $# -gt 0 ] || die "what to run: vm.sh [options] -- COMMAND..."
need_root "the guest sees this machine's root file system"
command -v qemu-system-x86_64 >/dev/null || die "qemu-system-x86_64 is missing: run make install-deps"

home="$("$(dirname "$0")/kernel.sh" "$kernel")"
rig="$(mktemp -d "${TMPDIR:-/tmp}/berth-vm.XXXXXX")"
machine=""
finish() {
    # timeout passes the signal on to qemu.
    [ -n "$machine" ] && kill -TERM "$machine" 2>/dev/null && wait "$machine"
    rm -rf "$rig"
}
trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

cp "$(dirname "$0")/guest.sh" "$rig/guest.sh"
echo "$home/lib/modules/$(cat "$home/release")" >"$rig/modules"
{
    echo "cd $(printf %q "$PWD")"
    for name in $(compgen -e); do
        case "$name" in
            BERTH_* | RUST_* | CARGO_*) ;;
            *) [[ " ${VM_ENVIRONMENT:-} " == *" $name "* ]] || continue ;;
        esac
        echo "export $name=$(printf %q "${!name}")"
    done
    echo "export BERTH_RIG=vm-$kernel"
    printf 'exec'
    printf ' %q' "$@"
    echo
} >"$rig/command"

devices=()
share() {
    devices+=(-fsdev "local,id=$1,path=$2,security_model=none,multidevs=remap$3")
    devices+=(-device "virtio-9p-pci,fsdev=$1,mount_tag=$1")
}
share root / ,readonly=on
share rig "$rig" ""
: >"$rig/shares"
for directory in "${shares[@]}"; do
    echo "$directory" >>"$rig/shares"
    share "share$(wc -l <"$rig/shares")" "$directory" ""
done
options="console=ttyS0 quiet loglevel=3 panic=-1 random.trust_cpu=on"
if [ -n "$icount" ]; then
    # With "fast rep movsb" the kernel copies a byte an instruction: under virtual time that would be a byte a
    # nanosecond, and every throughput the copy's own. Without it, it copies eight: no longer the limit.
    processor="max,erms=off,fsrm=off"
    options+=" mitigations=off tsc=reliable"
    accelerator=(-accel tcg -icount "shift=0,sleep=off" -smp 1)
else
    # Under emulation an instruction that repeats costs as many as it repeats, and hardening costs most of an exec:
    # without both the guest needs half the time.
    processor=max,la57=off,erms=off,fsrm=off,avx=off,smap=off,smep=off,umip=off
    options+=" clearcpuid=112 init_on_alloc=0 hardened_usercopy=off randomize_kstack_offset=off mitigations=off"
    options+=" apparmor=0 audit=0 nowatchdog tsc=reliable rcupdate.rcu_expedited=1"
    # Emulation works everywhere; KVM is present but unusable in many virtual machines, so it is asked for.
    case "${VM_ACCELERATOR:-tcg}" in
        kvm) processor=host accelerator=(-accel kvm -smp "$cpus") ;;
        *) accelerator=(-accel "tcg,thread=multi,tb-size=512" -smp "$cpus") ;;
    esac
fi
qemu=(
    qemu-system-x86_64 -nodefaults -no-user-config -display none -no-reboot -M pc -cpu "$processor" -m "$memory"
    "${accelerator[@]}"
    -kernel "$home/vmlinuz" -initrd "$home/initramfs.cpio"
    -append "$options"
    -chardev "file,id=console,path=$rig/console" -serial chardev:console
    -chardev "file,id=output,path=$rig/output"
    -device virtio-serial-pci -device "virtserialport,chardev=output,name=output"
    "${devices[@]}"
)
# A pipe between, for qemu cannot open every kind of standard output by itself.
mkfifo "$rig/output"
cat "$rig/output" &
reader=$!
timeout --kill-after=5 "$limit" "${qemu[@]}" </dev/null >"$rig/qemu.log" 2>&1 &
machine=$!
ended=0
wait "$machine" || ended=$?
machine=""
# Before qemu has opened the pipe its reader would wait for ever.
timeout 1 sh -c ': >"$1"' sh "$rig/output" || true
wait "$reader"
if [ -n "${VM_VERBOSE:-}" ] && [ -s "$rig/boot" ]; then
    say "vm: booted in $(cat "$rig/boot") of its own time, ended after $SECONDS s"
fi
if [ -s "$rig/status" ]; then
    exit "$(cat "$rig/status")"
fi
if [ "$ended" -eq 124 ]; then
    say "error: the VM was ended after its limit of $limit s"
    exit 124
fi
say "error: the VM ended ($ended) before its command did; its console:"
cat "$rig/qemu.log" >&2
tail -n 40 "$rig/console" >&2
exit 125
