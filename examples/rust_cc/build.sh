#!/bin/sh
# Builds NAME.o from NAME.rs. Debian packages: rustc-web libstd-rust-web-dev-bpf llvm-22.
# rustc is named with its path: it is the one that has a core library for BPF.
set -eu
/usr/bin/rustc --edition 2024 --target bpfel-unknown-none --crate-type=rlib -C opt-level=2 -C debuginfo=2 \
	-C panic=abort -C codegen-units=1 -C embed-bitcode=no --remap-path-prefix="$PWD=." --emit=llvm-bc="$1.bc" "$1.rs"
llc-22 -march=bpfel -mcpu=v3 -filetype=obj "$1.bc" -o "$1.o"
llvm-strip-22 -g "$1.o" # DWARF, which is two thirds
rm "$1.bc"
