#!/usr/bin/env bash
# Fetches a stock Debian kernel, without installing it, and lays it out as build.sh does.
#
#   ./debian.sh 6.1 OUT      # the newest linux-image-6.1.*-amd64 that apt knows
#
# OUT gets bzImage, config, tcp_bbr.ko and tcp_dctcp.ko. Nothing is fetched if it has a bzImage.
set -euo pipefail
version=${1:?usage: debian.sh VERSION OUT}
out=${2:?usage: debian.sh VERSION OUT}
[[ -e $out/bzImage ]] && exit 0

package=$(apt-cache pkgnames "linux-image-$version." | grep -e '-amd64$' | grep -vE -e '-(cloud|rt)-' | sort -V | tail -n 1)
if [[ -z $package ]]; then
  echo "apt knows no linux-image-$version.*-amd64: run apt-get update, or look at its sources" >&2
  exit 1
fi

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
(cd "$work" && apt-get -qq -o APT::Sandbox::User=root download "$package")
dpkg-deb --fsys-tarfile "$work"/*.deb |
  tar -x -C "$work" --wildcards './boot/*' '*/net/ipv4/tcp_bbr.ko*' '*/net/ipv4/tcp_dctcp.ko*'
find "$work/lib" -name '*.ko.xz' -exec unxz {} +

mkdir -p "$(dirname "$out")" "$work/out"
cp "$work"/boot/vmlinuz-* "$work/out/bzImage"
cp "$work"/boot/config-* "$work/out/config"
find "$work/lib" -name '*.ko' -exec cp -t "$work/out" {} +
rm -rf "$out"
mv "$work/out" "$out" # last, so that OUT is complete or absent
echo "$package"
