#!/bin/sh
# First program of the VM: loads what is needed to see the host's root, read-only over 9p, lays a tmpfs over it so
# that everything may be written and nothing is kept, and goes on with the guest script of this run.

export PATH=/bin
busybox mount -t devtmpfs none /dev
busybox mount -t proc none /proc
busybox mount -t sysfs none /sys
for module in /modules/*; do
    busybox insmod "$module" || echo "cannot load $module"
done
options=trans=virtio,version=9p2000.L,msize=512000
busybox mount -t 9p -o "ro,cache=loose,$options" root /lower
busybox mount -t tmpfs -o size=70% none /upper
busybox mkdir /upper/changes /upper/work
busybox mount -t overlay -o lowerdir=/lower,upperdir=/upper/changes,workdir=/upper/work none /root
busybox mount -t tmpfs none /root/run
busybox mkdir /root/run/rig
busybox mount -t 9p -o "cache=none,$options" rig /root/run/rig
busybox mount --move /dev /root/dev
busybox mount --move /proc /root/proc
busybox mount --move /sys /root/sys
exec busybox switch_root /root /bin/bash /run/rig/guest.sh
