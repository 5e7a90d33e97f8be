#!/bin/sh
# SPDX-License-Identifier: MIT
# A hook of mmdebstrap, called with a directory: leaves the cloud kernel of the Debian
# release that apt knows there, unpacked, in packages/.
set -eu
cd -- "$1"
mkdir packages
cd packages
export APT_CONFIG="$MMDEBSTRAP_APT_CONFIG"
# It is one package or several, by release.
apt-cache depends --recurse --no-recommends --no-suggests --no-conflicts --no-breaks --no-replaces \
  --no-enhances linux-image-cloud-amd64 | grep -E '^linux-(image|binary|modules)-.*-cloud-amd64$' |
  xargs apt-get -q download
for deb in *.deb; do dpkg-deb -x "$deb" .; done
