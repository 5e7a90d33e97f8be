#!/usr/bin/env bash
# Builds the Debian package from a tarball of make dist; make deb calls it.
set -euo pipefail
export LC_ALL=C

usage() {
  cat <<'TEXT'
Usage: build.sh TARBALL

Builds collectd-plugin-tcpstates_VERSION-1~RELEASE_ARCH.deb for the Debian or Ubuntu
that it runs on, and leaves it in the current directory. RELEASE is such as
debian12, so that the next release's package of the same version is an upgrade.

Environment: DEBFULLNAME and DEBEMAIL name the maintainer of the package;
DEB_BUILD_OPTIONS as always (nocheck, parallel=N).

Needs: contrib/install-deps.sh build test package. Needs no root.
Touches: the current directory, and deb-build/ in it, which it makes anew.

Exit codes: 0 built, 1 not, 2 wrong usage.
TEXT
}

case ${1-} in
  --help | -h) usage && exit 0 ;;
  *.tar.*) ;;
  *) echo "build.sh: name the tarball of make dist; try --help" >&2 && exit 2 ;;
esac

tarball=$(readlink -e -- "$1") || { echo "build.sh: $1: no such file; make dist makes it" >&2 && exit 1; }
directory=$(basename -- "$tarball")
directory=${directory%.tar.*}
version=${directory##*-}
# shellcheck source=/dev/null
. /etc/os-release
if ! type -P dpkg-buildpackage >/dev/null || ! type -P dh >/dev/null; then
  echo "build.sh: dpkg-dev or debhelper is missing; contrib/install-deps.sh package installs them" >&2
  exit 1
fi

rm -rf -- deb-build
mkdir -- deb-build
tar -xf "$tarball" -C deb-build
source=deb-build/$directory
# The version's heading has its date; before it has one, the tarball's newest file.
date=$(sed -n "s/^## \[${version//./\\.}\] - \([0-9-]*\).*/\1/p" "$source/CHANGELOG.md")
if [[ -z $date ]]; then date=@$(find "$source" -type f -printf '%T@\n' | sort -n | tail -n 1); fi

cp -R -- "$source/contrib/packages/deb" "$source/debian"
rm -- "$source/debian/build.sh"

maintainer=$(sed -n 's/^Maintainer: //p' "$source/debian/control")
if [[ -n ${DEBEMAIL-} ]]; then
  maintainer="${DEBFULLNAME:-$DEBEMAIL} <$DEBEMAIL>"
  sed -i "s|^Maintainer: .*|Maintainer: $(sed 's/[|&\\]/\\&/g' <<<"$maintainer")|" "$source/debian/control"
fi
cat >"$source/debian/changelog" <<TEXT
collectd-tcpstates ($version-1~$ID${VERSION_ID-}) ${VERSION_CODENAME:-unstable}; urgency=medium

  * Version $version; changelog.gz says what is new in it.

 -- $maintainer  $(date -u -R -d "$date")
TEXT

(cd -- "$source" && dpkg-buildpackage --build=binary --no-sign)
mv -- deb-build/*.deb deb-build/*.buildinfo deb-build/*.changes .
rm -rf -- deb-build
ls -- collectd-plugin-tcpstates_"$version"-*.deb
