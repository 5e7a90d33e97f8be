#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The rpm package: it builds from the tarball, has the files and dependencies that
# Fedora and RHEL want, and can be removed. Here, without their libraries.
. "$(dirname -- "${BASH_SOURCE[0]}")/../support/lib.sh"

type -P rpmbuild >/dev/null || skip_all "rpmbuild is missing; contrib/install-deps.sh package installs it"

readonly package=collectd-plugin-tcpstates
readonly conf=etc/collectd.d/tcpstates.conf
version=$(sed -n 's/^PACKAGE_VERSION = //p' "$build/Makefile")
tarball=$work/collectd-tcpstates-$version.tar.xz
# The other tests of packages make it, too, and may run now.
flock "$build" sh -c 'make -s -C "$1" dist && cp -- "$1/${2##*/}" "$2"' - "$build" "$tarball" >"$work/dist.log" 2>&1 ||
  fail "make dist" "$(<"$work/dist.log")"
cd -- "$work"

options=()
if [[ " ${DEB_BUILD_OPTIONS-} " == *' nocheck '* ]]; then options=(--without check); fi
if ! "$top/contrib/packages/rpm/build.sh" "$tarball" "${options[@]}" >build.log 2>&1 </dev/null; then
  fail "it builds from the tarball" "$(tail -n 60 build.log)"
  done_testing
  exit
fi
pass "it builds from the tarball"
rpm=$(ls "$package-$version"-*.rpm)
if ! rpm -q rpm >/dev/null 2>&1; then
  ok "where rpm's database is empty, it says that it builds without dependencies" grep -q -- --nodeps build.log
fi

# Fedora's rpm compresses man pages, and names the documents without the version.
is "it has these files" \
  "$(rpm -qlp "$rpm" | grep -v '/\.build-id' | sed -E "s|^(/usr/share/(doc\|licenses)/$package)-$version|\1|; s|\.5\.gz$|.5|" | sort)" \
  "$({
    echo "/$conf"
    printf '/usr/%s\n' lib64/collectd/tcpstates.so share/man/man5/collectd-tcpstates.5 \
      "share/licenses/$package"{,/LICENSE} "share/doc/$package"{,/CHANGELOG.md,/README.md,/contrib}
    (cd -- "$top" && find "${packaged_contrib[@]}" -printf "/usr/share/doc/$package/%p\n")
  } | sort)"
mkdir unpacked
rpm2archive - <"$rpm" | tar -xz -C unpacked
is "its pages link to files that are there" "$(dead_links unpacked/usr/share/doc/*)" ""
is "one of them is a configuration file" "$(rpm -qcp "$rpm")" "/$conf"
is "no script is in it" "$(rpm -qp --scripts "$rpm")" ""
requires=$(rpm -qRp "$rpm")
is "it requires collectd 5.10 up to, not including, 6" "$(grep '^collectd' <<<"$requires" | sort)" \
  "$(printf '%s\n' 'collectd < 6' 'collectd >= 5.10')"
ok "it requires libmnl by the library's own name" grep -Eq '^libmnl\.so\.0\(' <<<"$requires"
is "beside these, only the C library, rpm and a shell" \
  "$(grep -Ev '^(collectd [<>]|config\(|libmnl\.so|lib[cm]\.so|ld-linux|rtld|rpmlib|/bin/sh$)' <<<"$requires" || true)" ""
is "nor does it provide more than itself" "$(rpm -qP "$rpm" 2>&1 | sed 's/^config(//; s/[() =].*//' | sort -u)" "$package"

if ((EUID == 0)); then
  # The same once more, as a newer release.
  sed 's/^Release: .*/Release: 2/' "$top/contrib/packages/rpm/$package.spec" >newer.spec
  mkdir -p newer/SOURCES
  cp -- "$tarball" newer/SOURCES/
  ok "a newer release builds" rpmbuild -bb --nodeps --without check --define "_topdir $work/newer" \
    --define '_libdir %{_prefix}/lib64' newer.spec
  rpm_in() {
    rpm --root "$work/root" "$1" --nodeps "${@:2}"
  }
  mkdir root
  ok "rpm installs it" rpm_in -i "$rpm"
  ok "the plugin is there" test -f "root/usr/lib64/collectd/tcpstates.so"
  ok "its configuration loads it" grep -qx 'LoadPlugin tcpstates' "root/$conf"
  echo '# mine' >>"root/$conf"
  ok "rpm upgrades it" rpm_in -U newer/RPMS/*/*.rpm
  is "an upgrade leaves the configuration alone" "$(tail -n 1 "root/$conf")" '# mine'
  ok "rpm removes it" rpm_in -e "$package"
  is "a removal saves what was changed where collectd does not read it" "$(ls root/etc/collectd.d)" tcpstates.conf.rpmsave
  rm -- "root/$conf.rpmsave"
  ok "rpm installs it again" rpm_in -i "$rpm"
  ok "rpm removes it again" rpm_in -e "$package"
  is "removed, it leaves nothing" "$(find root -type f -not -path '*/lib/rpm/*' -not -path '*/.rpmdb/*' -o -name '*tcpstates*')" ""
else
  skip "rpm installs and removes it" "only root can use rpm --root"
fi

# An old version in the spec file is reported.
mkdir old
tar -xf "$tarball" -C old
mv -- "old/collectd-tcpstates-$version" old/collectd-tcpstates-99.0
tar -cJf collectd-tcpstates-99.0.tar.xz -C old collectd-tcpstates-99.0
status=0
"$top/contrib/packages/rpm/build.sh" collectd-tcpstates-99.0.tar.xz >build.log 2>&1 </dev/null || status=$?
is "a spec of another version than the tarball's is refused" "$status" 1
ok "and the refusal says what to change" grep -q 'change that line' build.log
if type -P rpmlint >/dev/null; then
  ok "rpmlint has no error about the spec" rpmlint "$top/contrib/packages/rpm/$package.spec"
fi
done_testing
