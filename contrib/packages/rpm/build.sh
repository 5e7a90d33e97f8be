#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Builds the rpm package from a tarball of make dist; make rpm calls it.
set -euo pipefail
export LC_ALL=C

usage() {
  cat <<'TEXT'
Usage: build.sh TARBALL [RPMBUILD-OPTION...]

Builds collectd-plugin-tcpstates-VERSION-1.ARCH.rpm and leaves it in the current
directory. Options such as --without check go to rpmbuild.

On a system whose packages are not rpm's (Debian), rpm's database is empty. The
package is built there with --nodeps, which is said: good for a look at the
package, not for a Fedora machine, whose libraries are other ones.

Environment: COLLECTD_CFLAGS, the C compiler flags for collectd's headers, where
configure does not find them (Fedora, RHEL; the spec file says how).

Needs: contrib/install-deps.sh build package. Needs no root.
Touches: the current directory, and rpm-build/ in it, which it deletes first.

Exit codes: 0 built, 1 not, 2 wrong usage.
TEXT
}

. "$(dirname -- "${BASH_SOURCE[0]}")/../tarball.sh"
shift
need_programs rpmbuild

rm -rf -- rpm-build
mkdir -p rpm-build/{SPECS,SOURCES,BUILD,BUILDROOT,RPMS,SRPMS}
cp -- "$tarball" rpm-build/SOURCES/
spec=rpm-build/SPECS/collectd-plugin-tcpstates.spec
tar -xOf "$tarball" "$directory/contrib/packages/rpm/collectd-plugin-tcpstates.spec" >"$spec"
if ! grep -Eq "^Version: +${version//./\\.}\$" "$spec"; then
  echo "build.sh: the tarball is version $version, but its contrib/packages/rpm/collectd-plugin-tcpstates.spec" \
    "has \"$(grep '^Version:' "$spec")\"; change that line, and make dist again" >&2
  exit 1
fi

options=(--define "_topdir $PWD/rpm-build")
if ! rpm -q rpm >/dev/null 2>&1; then
  echo "build.sh: this system's packages are not rpm's: --nodeps, and the directories are Fedora's" >&2
  options+=(--nodeps --define '_libdir %{_prefix}/lib64')
fi
rpmbuild -bb "${options[@]}" "$@" "$spec"
mv -- rpm-build/RPMS/*/*.rpm .
rm -rf -- rpm-build
ls -- collectd-plugin-tcpstates-"$version"-*.rpm
