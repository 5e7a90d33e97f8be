#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The Debian package, on Debian 11, 12 and 13: built in a clean root from what
# install-deps.sh installs (on Debian 11 from its Build-Depends), then in another clean
# root installed, used by Debian's collectd with Debian's configuration, upgraded,
# removed, installed again and purged.
. "$(dirname -- "${BASH_SOURCE[0]}")/../support/lib.sh"

if ((EUID != 0)); then skip_all "only root can make a Debian root"; fi
type -P mmdebstrap >/dev/null || skip_all "mmdebstrap is missing; contrib/install-deps.sh package installs it"

. "$(dirname -- "${BASH_SOURCE[0]}")/debian_root.sh"

readonly releases=(bullseye bookworm trixie)
readonly package=collectd-plugin-tcpstates
readonly conf_d=etc/collectd/collectd.conf.d
readonly conf=$conf_d/tcpstates.conf

preparations=()
running=
# unshare ignores SIGTERM; a SIGKILL ends its processes, too.
at_end() {
  local pid
  for pid in "${preparations[@]}"; do
    kill -TERM -- "-$pid" 2>/dev/null || continue
    sleep 1
    kill -KILL -- "-$pid" 2>/dev/null || true
    wait "$pid" 2>/dev/null || true
  done
  if [[ -n $running ]]; then
    kill -KILL "$running" 2>/dev/null || true
    wait "$running" 2>/dev/null || true
  fi
}

# prepare RELEASE TARBALL: $work/RELEASE becomes a clean root with Debian's collectd
# in it, and $work/RELEASE-build one in which the package was built, in /build.
prepare() {
  # The package's unit tests leave sockets in TIME_WAIT.
  local net=("${outside[@]}")
  local root=$work/$1 made=$work/$1-build tarball=$2
  "${outside[@]}" unshare --mount mmdebstrap --variant=apt "$1" "$root"
  # There is no init that could run a service.
  printf '#!/bin/sh\nexit 101\n' >"$root/usr/sbin/policy-rc.d"
  chmod 755 "$root/usr/sbin/policy-rc.d"
  # Debian's configuration wants a host name that resolves.
  echo "127.0.0.1 localhost $(uname -n).example $(uname -n)" >"$root/etc/hosts"
  apt "$root" update
  cp -a --reflink=auto -- "$root" "$made"

  mkdir "$made/build"
  tar -xJf "$tarball" -C "$made/build" --strip-components=1
  if [[ $1 == bullseye ]]; then
    mkdir "$made/build/debian"
    cp -- "$top/contrib/packages/deb/control" "$made/build/debian/"
    apt "$made" build-dep /build
    rm -r "$made/build/debian"
  else
    (net=("${outside[@]}") && in_root "$made" /build/contrib/install-deps.sh build package) 2>&1
  fi
  chown -R 65534:65534 "$made/build"
  in_root "$made" setpriv --reuid=65534 --regid=65534 --clear-groups \
    sh -c "cd /build && ./configure && DEBFULLNAME='A Builder' DEBEMAIL=builder@machine.test make deb" 2>&1
  apt "$made" install lintian
  apt "$root" install collectd
  touch "$work/$1.built"
}

# listing ROOT: all files but the accounts of dpkg and apt, logs, and collectd's data.
listing() {
  local name
  local -a without=()
  for name in proc sys dev tmp run var/cache var/log var/lib/apt var/lib/dpkg var/lib/collectd/rrd etc/ld.so.cache; do
    without+=(-path "$1/$name" -prune -o)
  done
  find "$1" "${without[@]}" -type f -printf '%m %s %P\n' -o "${without[@]}" -printf '%y %m %P\n' | sort -k 3
}

# packages ROOT: those installed, and those that are removed but not purged.
packages() {
  in_root "$1" dpkg-query -W -f '${Package}\n' | sort
}

# run ROOT: starts Debian's collectd until it has read once; $loaded says whether it
# has loaded the plugin. Its messages go to $work/output, its values to ROOT/tmp/csv.
run() {
  local tenths others=0
  loaded=no
  rm -rf -- "$1/tmp/csv"
  exec_in_root "$1" collectd -f >"$work/output" 2>&1 </dev/null &
  running=$!
  for ((tenths = 0; tenths < 300; tenths++)); do
    sleep 0.1
    if ! kill -0 "$running" 2>/dev/null; then
      loaded="collectd has ended: $(tail -n 20 "$work/output")"
      break
    fi
    # It dispatches these after "all".
    if compgen -G "$1/tmp/csv/*/tcpstates-machine/*" >/dev/null; then
      loaded=yes
      break
    fi
    # The other plugins have read for 3 s.
    if compgen -G "$1/tmp/csv/*/load/load-*" >/dev/null && ((++others > 30)); then break; fi
  done
  sleep 0.5
  pkill -TERM -P "$running" 2>/dev/null || true
  wait "$running" 2>/dev/null || true
  running=
}

check_release() {
  local release=$1 root=$work/$1 made=$work/$1-build
  # Of a process that ended long ago bash need not know the status any more.
  wait "$2" 2>/dev/null || true
  if [[ ! -e $work/$release.built ]]; then
    if no_mirror "$work/$release.log"; then
      skip "$release: all" "no Debian mirror can be reached"
      return
    fi
    fail "$release: it builds in a clean root" "$(tail -n 60 "$work/$release.log")"
    return
  fi
  pass "$release: it builds in a clean root"
  local deb
  deb=$(cd -- "$made/build" && ls "$package"_*.deb)
  is "$release: lintian finds nothing" \
    "$(in_root "$made" sh -c 'lintian -i -E --allow-root --fail-on error,warning /build/*.changes; echo $?' 2>&1)" 0
  is "$release: it has these files" \
    "$(dpkg-deb --fsys-tarfile "$made/build/$deb" | tar -t | grep -v '/$' | sort)" \
    "$({
      echo "./$conf"
      printf './usr/%s\n' lib/collectd/tcpstates.so share/collectd/tcpstates.load share/man/man5/collectd-tcpstates.5.gz \
        "share/doc/$package/"{README.Debian,README.md.gz,changelog.gz,changelog.Debian.gz,copyright,contrib}
      (cd -- "$top" && find "${packaged_contrib[@]}" -type f -printf "./usr/share/doc/$package/examples/%p\n" | sed 's|/examples/contrib/|/examples/|')
    } | sort)"
  dpkg-deb -x "$made/build/$deb" "$made/unpacked"
  is "$release: its pages link to files that are there" "$(dead_links "$made/unpacked/usr/share/doc/$package")" ""
  is "$release: README.Debian names what examples/ has" \
    "$(sed -nE 's/^    ([^ ]+|[^ ]+, [^ ]+)  .*/\1/p' "$made/unpacked/usr/share/doc/$package/README.Debian" | tr -d , | tr ' ' '\n' | sort)" \
    "$(cd -- "$made/unpacked/usr/share/doc/$package/examples" &&
      find ./* -maxdepth 0 ! -name collectd.conf.d \( -type d -printf '%f/\n' -o -printf '%f\n' \) | sort)"
  is "$release: it depends on collectd 5.10 up to, not including, 6" \
    "$(dpkg-deb -f "$made/build/$deb" Depends | tr ',' '\n' | grep collectd | xargs)" \
    "collectd-core (>= 5.10) collectd-core (<< 6~)"

  is "$release: its maintainer is who has built it" "$(dpkg-deb -f "$made/build/$deb" Maintainer)" "A Builder <builder@machine.test>"
  is "$release: it has no maintainer scripts" "$(dpkg-deb -I "$made/build/$deb" | grep -E '(pre|post)(inst|rm)' || true)" ""
  is "$release: its configuration file" "$(dpkg-deb --info "$made/build/$deb" conffiles)" "/$conf"

  # The next version, with a configuration file that has changed.
  dpkg-deb -R "$made/build/$deb" "$made/newer"
  sed -i 's/^Version: .*/&+newer/' "$made/newer/DEBIAN/control"
  echo '# newer' >>"$made/newer/$conf"
  dpkg-deb --root-owner-group -b "$made/newer" "$root/tmp/newer.deb" >/dev/null

  cp -- "$made/build/$deb" "$root/tmp/"
  # What collectd says and counts, beside what Debian configures.
  printf '%s\n' 'LoadPlugin logfile' '<Plugin logfile>' 'LogLevel warning' 'File "stderr"' '</Plugin>' \
    'LoadPlugin csv' '<Plugin csv>' 'DataDir "/tmp/csv"' '</Plugin>' >"$root/$conf_d/00-test.conf"
  run "$root"
  local before packages of_ours
  before=$(listing "$root")
  packages=$(packages "$root")
  ok "$release: apt installs it" apt "$root" install "/tmp/$deb"
  is "$release: installed, one configuration file has come" \
    "$(comm -13 <(grep ' etc/' <<<"$before" | sort) <(listing "$root" | grep ' etc/' | sort) | sed 's/.* //')" "$conf"

  sockets make established ipv4 "$3" 3
  sockets make fin-wait2-held ipv6 "$3" 2
  run "$root"
  is "$release: installed, it is loaded" "$loaded" yes
  is "$release: Debian's collectd counts what there is" "$(counted "$root/tmp/csv")" "$(wanted all | of_states)"
  is "$release: it has no complaint" \
    "$(grep -ai tcpstates "$work/output" || true)" ""
  is "$release: Debian's configuration is untouched" "$(in_root "$root" dpkg --verify collectd collectd-core)" ""

  # With what an administrator has written.
  printf '%s\n' '<Plugin tcpstates>' "LocalPort $3" 'AllPortsSummary true' '</Plugin>' >>"$root/$conf"
  of_ours=$(<"$root/$conf")
  run "$root"
  is "$release: its options count" "$(counted "$root/tmp/csv" "$3-local")" "$(wanted "$3-local" | of_states)"
  ok "$release: apt upgrades it" apt "$root" -o DPkg::Options::=--force-confold install /tmp/newer.deb
  is "$release: upgraded, the options are there" "$(<"$root/$conf")" "$of_ours"
  rm -- "$root/$conf.dpkg-dist"
  run "$root"
  is "$release: upgraded, it is loaded" "$loaded" yes
  ok "$release: apt removes it" apt "$root" remove "$package"
  is "$release: removed, the options are there" "$(<"$root/$conf")" "$of_ours"
  run "$root"
  is "$release: removed, collectd starts without it" "$loaded" no
  ok "$release: apt installs it again" apt "$root" install /tmp/newer.deb
  is "$release: installed again, the options are there" "$(<"$root/$conf")" "$of_ours"
  run "$root"
  is "$release: installed again, it is loaded" "$loaded" yes

  # A file of the administrator's own stays as it is, and loading twice does no harm.
  in_root "$root" cp "/usr/share/doc/$package/examples/collectd.conf.d/tcpstates.conf" "/$conf_d/of-ours.conf"
  run "$root"
  is "$release: with the example beside it, it is loaded" "$loaded" yes
  # Debian's collectd recommends libmnl0, so that autoremove would keep it.
  is "$release: only libmnl0 came with it" "$(comm -13 <(echo "$packages") <(packages "$root") | xargs)" "$package libmnl0"
  ok "$release: apt purges both" apt "$root" purge "$package" libmnl0
  ok "$release: the administrator's file is there" cmp "$root/$conf_d/of-ours.conf" "$top/contrib/collectd.conf.d/tcpstates.conf"
  rm -- "$root/$conf_d/of-ours.conf"
  is "$release: purged, it leaves nothing" "$(listing "$root")" "$before"
  is "$release: dpkg has forgotten it" "$(packages "$root")" "$packages"
}

make_tarball
# Each in a process group of its own.
set -m
for release in "${releases[@]}"; do
  (prepare "$release" "$tarball") >"$work/$release.log" 2>&1 </dev/null &
  preparations+=($!)
done
set +m
for i in "${!releases[@]}"; do check_release "${releases[i]}" "${preparations[i]}" "$((18000 + i))"; done
done_testing
