#!/usr/bin/env bash
# Builds libbpf.c and empty.c, static, with the libbpf of Debian's kernel source package.
#
#   ./build.sh DIR [SRC]
#
# DIR gets the binaries libbpf and empty. SRC is an unpacked linux-source-6.12; without it the
# part that is needed is unpacked into ~/.cache/ebpfx. Needs gcc, make, libelf-dev, zlib1g-dev and
# linux-source-6.12.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
out=$(realpath -m "${1:?usage: build.sh DIR [SRC]}")
src=${2:-${XDG_CACHE_HOME:-$HOME/.cache}/ebpfx/linux-source-6.12}

if [[ ! -e $src/tools/lib/bpf/Makefile ]]; then
  mkdir -p "$src"
  tar -xf /usr/src/linux-source-6.12.tar.xz -C "$src" --strip-components=1 \
    linux-source-6.12/{tools/lib/bpf,tools/scripts,tools/build,tools/include,tools/arch/x86/include,include/uapi,scripts}
fi

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
make -s -C "$src/tools/lib/bpf" OUTPUT="$work/" prefix="$work/usr" "$work/libbpf.a" install_headers >"$work/log" 2>&1 ||
  { tail -n 20 "$work/log" >&2; exit 1; }
mkdir -p "$out"
gcc -O2 -Wall -static -o "$out/empty" "$here/empty.c"
gcc -O2 -Wall -static -I"$work/usr/include" -o "$out/libbpf" "$here/libbpf.c" "$work/libbpf.a" -lelf -lz
