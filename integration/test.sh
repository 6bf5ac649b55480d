#!/usr/bin/env bash
# Runs every test there is: here, and in virtual machines on other kernels.
#
#   ./integration/test.sh              # everything
#   ./integration/test.sh lint test    # some of: lint test race cross golden fuzz vm vm/KERNEL
#
# Needs Go. As root on Debian it installs the other tools that it needs; elsewhere it says
# which steps it could not run. Tests that load programs into the running kernel need root.
#
# EBPFX_KERNELS   more kernels, separated by colons: directories as kernel/build.sh makes
#                 them, or directories of such directories
# EBPFX_FUZZTIME  how long each fuzz target runs; without it there is no fuzzing, but for the
#                 part of that name (5s)
# CI=true         what could not run is a failure, also a skipped test that integration/
#                 skips.txt does not list
set -euo pipefail
cd "$(dirname "$0")/.."
export CGO_ENABLED=0
cache=${XDG_CACHE_HOME:-$HOME/.cache}/ebpfx/kernels
bin=$(mktemp -d)
trap 'rm -rf "$bin"' EXIT

# The exit status of a step that could not run.
absent=77

say_absent() {
  echo "cannot run: $*" >&2
  return $absent
}

need() { # command ...
  local c missing=()
  for c in "$@"; do command -v "$c" >/dev/null || missing+=("$c"); done
  ((${#missing[@]} == 0)) || say_absent "no ${missing[*]}"
}

# ---- steps ----------------------------------------------------------------------------

setup() {
  need go
  [[ $(id -u) == 0 && -e /etc/debian_version ]] || return 0
  local missing
  missing=$(comm -23 <(printf '%s\n' bpftool busybox-static clang-19 gcc libc6-dev libstd-rust-web-dev-bpf llvm-19 llvm-22 make qemu-system-x86 rustc-web xz-utils | sort) \
    <(dpkg-query -W -f '${db:Status-Abbrev} ${Package}\n' | awk '$1 == "ii" { print $2 }' | sort))
  # The kernels too are found in the lists of packages.
  if [[ -n $missing || ! -e $cache/debian-6.1/bzImage || ! -e $cache/debian-6.12/bzImage ]]; then
    apt-get -qq update -o APT::Update::Error-Mode=any || echo "apt-get update failed: is there no network? Going on without." >&2
  fi
  if [[ -n $missing ]]; then
    echo "installing" $missing
    DEBIAN_FRONTEND=noninteractive apt-get -qq -y --no-install-recommends install $missing >"$bin/apt.log" 2>&1 ||
      { tail -n 5 "$bin/apt.log" >&2; say_absent "not installed:" $missing; }
  fi
  # Where no systemd did that.
  mountpoint -q /sys/fs/bpf || mount -t bpf bpf /sys/fs/bpf || true
}

lint() {
  local unformatted
  unformatted=$(gofmt -l .)
  [[ -z $unformatted ]] || { printf 'not formatted: %s\n' $unformatted; return 1; }
  go vet ./...
}

# go_test MACHINE ARGUMENT ...
go_test() {
  local machine=$1; shift
  go test -json -count=1 "$@" | "$bin/report" -machine "$machine" -skips integration/skips.txt
}

# On this machine the packages share one kernel, where a name can be registered once.
step_test() {
  go_test host -p 1 ./...
}

race() {
  need gcc
  CGO_ENABLED=1 go_test host -p 1 -race ./...
}

cross() { # os/arch
  GOOS=${1%/*} GOARCH=${1#*/} go build ./...
  GOOS=${1%/*} GOARCH=${1#*/} go vet ./...
}

golden() {
  need make clang-19 llvm-strip-19 bpftool rustc llc-22
  make -s -C testdata check
  make -s -C testdata/rust check
}

fuzz() {
  go test -list '^Fuzz' ./... | awk '/^Fuzz/ { names[++n] = $1 } /^ok/ { for (i = 1; i <= n; i++) print $2, names[i]; n = 0 }' |
    while read -r package name; do
      echo "$package $name"
      go test -run '^$' -fuzz "^$name\$" -fuzztime "${EBPFX_FUZZTIME:-5s}" "$package" </dev/null >"$bin/fuzz.log" ||
        { cat "$bin/fuzz.log"; return 1; }
    done
}

# The packages with tests that talk to the kernel. Each has a machine of its own.
vm() { # name, directory
  need qemu-system-x86_64 busybox
  [[ -n $2 ]] || say_absent "no kernel $1"
  go_test "$1" -vet=off -timeout 20m -exec "$bin/vm -timeout 20m30s -kernel $2" \
    $(go list ./... | grep -E 'ebpfx/(btfx|kfunc|structops|structops/scx|integration|examples/rust_cc|examples/rust_scx)$')
}

# ---- kernels --------------------------------------------------------------------------

# find_kernels prints "name directory" for each kernel, the first directory of a name only.
find_kernels() {
  local dirs dir kernel
  IFS=: read -ra dirs <<<"${EBPFX_KERNELS:-}:../shared/kernels:$cache"
  for dir in "${dirs[@]}"; do
    for kernel in "$dir" "$dir"/*/; do
      if [[ -n $dir && -e $kernel/bzImage ]]; then
        (cd "$kernel" && echo "$(basename "$PWD") $PWD")
      fi
    done
  done | awk '!seen[$1]++'
}

# The kernels that should be there: from debian.sh, and from build.sh.
stock=(debian-6.1 debian-6.12)
expected=("${stock[@]}" 6.12-scx)

all_vms() { # a kernel's name, or nothing for all
  local name kernels
  for name in "${stock[@]}"; do
    [[ ${1:-$name} == "$name" ]] || continue
    ! command -v apt-get >/dev/null || integration/kernel/debian.sh "${name#debian-}" "$cache/$name" || true
  done
  kernels=$(find_kernels)
  for name in ${1:-$(printf '%s\n' "${expected[@]}" $(cut -d' ' -f1 <<<"$kernels") | awk '!seen[$0]++')}; do
    run "vm/$name" vm "$name" "$(awk -v n="$name" '$1 == n { print $2 }' <<<"$kernels")"
  done
}

# ---- run ------------------------------------------------------------------------------

table=$(printf '%-24s %-8s %s' step result seconds)
failed=0

run() { # name, command ...
  local name=$1 start=$SECONDS status result; shift
  echo "== $name"
  set +e
  (set -e; "$@")
  status=$?
  set -e
  case $status in
    0) result=ok ;;
    "$absent") result=absent; [[ ${CI:-} != true ]] || failed=1 ;;
    *) result=FAIL; failed=1 ;;
  esac
  table+=$'\n'$(printf '%-24s %-8s %7d' "$name" $result $((SECONDS - start)))
}

run setup setup
go build -o "$bin" ./integration/vm ./integration/report

# A fuzzer finds something new some day, so it runs only when somebody looks. Its seeds
# are tests like all others.
(($#)) || set -- lint test race cross golden ${EBPFX_FUZZTIME:+fuzz} vm
for part in "$@"; do
  case $part in
    lint | race | golden | fuzz) run "$part" "$part" ;;
    test) run test step_test ;;
    cross) for target in linux/amd64 linux/arm64 linux/s390x darwin/arm64; do run "cross $target" cross $target; done ;;
    vm | vm/*) part=${part#vm}; all_vms "${part#/}" ;;
    *) echo "unknown part: $part" >&2; exit 2 ;;
  esac
done

printf '\n%s\n' "$table"
exit $failed
