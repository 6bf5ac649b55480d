#!/bin/busybox sh
# First process of the machine. ttyS0 is the kernel's console, ttyS1 takes the
# output of the command, ttyS2 its exit status. See main.go.
/bin/busybox --install -s /bin
export PATH=/bin

mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev 2>/dev/null # the kernel may have done so
mkdir -p /dev/shm
mount -t tmpfs tmp /dev/shm
mount -t bpf bpf /sys/fs/bpf
mount -t cgroup2 cgroup /sys/fs/cgroup
mount -t debugfs debug /sys/kernel/debug
mount -t tracefs trace /sys/kernel/tracing
ip link set lo up
cp /config "/boot/config-$(uname -r)"

for module in /modules/*.ko; do
	[ -e "$module" ] && insmod "$module"
done

stty -F /dev/ttyS1 raw
sh /run </dev/null >/dev/ttyS1 2>&1
echo "exit $?" >/dev/ttyS2
reboot -f
