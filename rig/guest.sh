#!/bin/bash
# Second program of the VM, on the host's own root: mounts what a system has, loads the modules that are not loaded
# by themselves, runs the command of this run, leaves its status in the share, and switches the machine off.

export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
rig=/run/rig

mount -t tmpfs none /var/log
mount -t tmpfs none /dev/shm 2>/dev/null || { mkdir -p /dev/shm && mount -t tmpfs none /dev/shm; }
mkdir -p /dev/pts /run/tmp /run/lock && mount -t devpts none /dev/pts
mount -t cgroup2 none /sys/fs/cgroup
mount -t bpf none /sys/fs/bpf
mount -t tracefs none /sys/kernel/tracing 2>/dev/null
mount --make-rshared /
hostname berth-vm
ip link set lo up

release="$(uname -r)"
mkdir -p /lib/modules
rm -rf "/lib/modules/$release"
ln -s "$(cat "$rig/modules")" "/lib/modules/$release"
# Without max_bonds the module makes a bond0 that nobody asked for.
modprobe bonding max_bonds=0
modprobe -a openvswitch tun

export TMPDIR=/run/tmp
number=0
while read -r directory; do
    number=$((number + 1))
    mkdir -p "$directory"
    mount -t 9p -o trans=virtio,version=9p2000.L,msize=512000,cache=none "share$number" "$directory"
done <"$rig/shares"

output="$(echo /dev/vport*p1)"
echo "$(cut -d' ' -f1 /proc/uptime) s" >"$rig/boot"
bash "$rig/command" </dev/null 2>&1 | cat >"$output"
echo "${PIPESTATUS[0]}" >"$rig/status"
sync
echo o >/proc/sysrq-trigger
sleep 100
