#!/usr/bin/env bash
# Builds oracle.c, static, with the libbpf of Debian's kernel source package.
#
#   ./build.sh OUT [SRC]
#
# OUT is the binary. SRC is an unpacked linux-source-6.12; without it the part that is needed
# is unpacked into ~/.cache/ebpfx. As root on Debian it installs what it needs.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
out=$(realpath -m "${1:?usage: build.sh OUT [SRC]}")
src=${2:-${XDG_CACHE_HOME:-$HOME/.cache}/ebpfx/linux-source-6.12}

if [[ $(id -u) == 0 && -e /etc/debian_version ]] &&
  ! dpkg-query -W gcc libc6-dev libelf-dev zlib1g-dev make xz-utils linux-source-6.12 >/dev/null 2>&1; then
  apt-get -qq update
  DEBIAN_FRONTEND=noninteractive apt-get -qq -y --no-install-recommends install >/dev/null \
    gcc libc6-dev libelf-dev zlib1g-dev make xz-utils linux-source-6.12
fi
if [[ ! -e $src/tools/lib/bpf/Makefile ]]; then
  mkdir -p "$src"
  tar -xf /usr/src/linux-source-6.12.tar.xz -C "$src" --strip-components=1 \
    linux-source-6.12/{tools/lib/bpf,tools/scripts,tools/build,tools/include,tools/arch/x86/include,include/uapi,scripts}
fi

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
make -s -C "$src/tools/lib/bpf" OUTPUT="$work/" prefix="$work/usr" "$work/libbpf.a" install_headers >"$work/log" 2>&1 ||
  { tail -n 20 "$work/log" >&2; exit 1; }
gcc -O2 -Wall -static -I"$work/usr/include" -o "$out" "$here/oracle.c" "$work/libbpf.a" -lelf -lz
