#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Builds the Debian package from a tarball of make dist; make deb calls it.
set -euo pipefail
export LC_ALL=C

usage() {
  cat <<'TEXT'
Usage: build.sh TARBALL

Builds collectd-plugin-tcpstates_VERSION-1~RELEASE_ARCH.deb for the Debian or Ubuntu
that it runs on, and leaves it in the current directory. RELEASE is such as
debian12, so that the next release's package of the same version is an upgrade.

Environment: DEBFULLNAME and DEBEMAIL name the maintainer of the package [you, on this
machine]; DEB_BUILD_OPTIONS as always (nocheck, parallel=N).

Needs: contrib/install-deps.sh build package. Needs no root.
Touches: the current directory, and deb-build/ in it, which it deletes first.

Exit codes: 0 built, 1 not, 2 wrong usage.
TEXT
}

. "$(dirname -- "${BASH_SOURCE[0]}")/../tarball.sh"
# shellcheck source=/dev/null
. /etc/os-release
need_programs dpkg-buildpackage dh

rm -rf -- deb-build
mkdir -- deb-build
tar -xf "$tarball" -C deb-build
source=deb-build/$directory
# The version's heading has its date; before it has one, the tarball's newest file.
date=$(sed -n "s/^## \[${version//./\\.}\] - \([0-9-]*\).*/\1/p" "$source/CHANGELOG.md")
if [[ -z $date ]]; then date=@$(find "$source" -type f -printf '%T@\n' | sort -n | tail -n 1); fi

cp -R -- "$source/contrib/packages/deb" "$source/debian"
rm -- "$source/debian/build.sh"

# Whoever builds it can be reached about it.
email=${DEBEMAIL:-$(id -un)@$(cat /etc/mailname 2>/dev/null || uname -n)}
maintainer="${DEBFULLNAME:-${email%@*}} <$email>"
sed -i "s|^Maintainer: .*|Maintainer: $(sed 's/[|&\\]/\\&/g' <<<"$maintainer")|" "$source/debian/control"
cat >"$source/debian/changelog" <<TEXT
collectd-tcpstates ($version-1~$ID${VERSION_ID-}) ${VERSION_CODENAME:-unstable}; urgency=medium

  * Version $version; changelog.gz says what is new in it.

 -- $maintainer  $(date -u -R -d "$date")
TEXT

(cd -- "$source" && dpkg-buildpackage --build=binary --no-sign)
mv -- deb-build/*.deb deb-build/*.buildinfo deb-build/*.changes .
rm -rf -- deb-build
ls -- collectd-plugin-tcpstates_"$version"-*.deb
