#!/usr/bin/env bash
# Builds the kernel with sched_ext, HID-BPF and the BPF test module from Debian's source package.
#
#   ./build.sh OUT [SRC]     # test.sh looks in ~/.cache/ebpfx/kernels/6.12-scx
#
# OUT gets bzImage, config, fragment, bpf_testmod.ko, tcp_bbr.ko and vmlinux.btf. SRC is an
# unpacked linux-source-6.12, in which the kernel is built; without it a temporary directory
# is used, with 12 GB. As root on Debian it installs what it needs. About 22 minutes with 2
# processors.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
out=$(mkdir -p "${1:?usage: build.sh OUT [SRC]}" && cd "$1" && pwd)
src=${2:-}

if [[ $(id -u) == 0 && -e /etc/debian_version ]]; then
  apt-get -qq update
  DEBIAN_FRONTEND=noninteractive apt-get -qq -y --no-install-recommends install >/dev/null \
    linux-source-6.12 build-essential flex bison bc libelf-dev libssl-dev libdw-dev pahole cpio kmod python3 rsync xz-utils
fi
if [[ -z $src ]]; then
  work=$(mktemp -d)
  trap 'rm -rf "$work"' EXIT
  tar -xf /usr/src/linux-source-6.12.tar.xz -C "$work"
  src=$work/linux-source-6.12
fi
cd "$src"

selftests=tools/testing/selftests
make defconfig kvm_guest.config
scripts/kconfig/merge_config.sh -m .config $selftests/bpf/config $selftests/bpf/config.x86_64 \
  $selftests/bpf/config.vm $selftests/sched_ext/config "$here/fragment"
make olddefconfig mod2yesconfig olddefconfig
scripts/config -m TCP_CONG_BBR -d DEBUG_ATOMIC_SLEEP -d GCC_PLUGINS -d WERROR
make olddefconfig

make -s -j"$(nproc)" bzImage modules
make -s M=$selftests/bpf/bpf_testmod modules

objcopy -O binary --only-section=.BTF --set-section-flags .BTF=alloc vmlinux "$out/vmlinux.btf"
strip --strip-debug -o "$out/bpf_testmod.ko" $selftests/bpf/bpf_testmod/bpf_testmod.ko
strip --strip-debug -o "$out/tcp_bbr.ko" net/ipv4/tcp_bbr.ko
cp .config "$out/config"
cp "$here/fragment" "$out/fragment"
cp arch/x86/boot/bzImage "$out/bzImage" # last: a directory with a bzImage is a kernel
