#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The Debian package, on Debian 11, 12 and 13: built in a clean root from what it says
# it needs, then in another clean root installed, enabled by the documented line,
# used by Debian's collectd with Debian's configuration, removed and purged.
. "$(dirname -- "${BASH_SOURCE[0]}")/../support/lib.sh"

if ((EUID != 0)); then skip_all "only root can make a Debian root"; fi
type -P mmdebstrap >/dev/null || skip_all "mmdebstrap is missing; contrib/install-deps.sh package installs it"

. "$(dirname -- "${BASH_SOURCE[0]}")/debian_root.sh"

readonly releases=(bullseye bookworm trixie)
readonly package=collectd-plugin-tcpstates
readonly conf_d=etc/collectd/collectd.conf.d

preparations=()
running=
# unshare does not heed a SIGTERM, and takes its processes along at a SIGKILL.
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

  mkdir -p "$made/build/debian"
  cp -- "$top/contrib/packages/deb/control" "$made/build/debian/"
  apt "$made" build-dep /build
  rm -r "$made/build/debian"
  cp -- "$tarball" "$top/contrib/packages/deb/build.sh" "$made/build/"
  chown -R 65534:65534 "$made/build"
  in_root "$made" setpriv --reuid=65534 --regid=65534 --clear-groups \
    sh -c "cd /build && ./build.sh ${tarball##*/}" 2>&1
  apt "$made" install lintian
  apt "$root" install collectd
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
  if ! wait "$2"; then
    if no_mirror "$work/$release.log"; then
      skip "$release: all" "no Debian mirror can be reached"
      return
    fi
    fail "$release: it builds in a clean root from its Build-Depends" "$(tail -n 60 "$work/$release.log")"
    return
  fi
  pass "$release: it builds in a clean root from its Build-Depends"
  local deb
  deb=$(cd -- "$made/build" && ls "$package"_*.deb)
  is "$release: lintian finds nothing" \
    "$(in_root "$made" sh -c 'lintian -i -E --allow-root --fail-on error,warning /build/*.changes; echo $?' 2>&1)" 0
  is "$release: it has these files" \
    "$(dpkg-deb --fsys-tarfile "$made/build/$deb" | tar -t | grep -v '/$' | sort)" \
    "$({
      printf './usr/%s\n' lib/collectd/tcpstates.so share/man/man5/collectd-tcpstates.5.gz \
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

  cp -- "$made/build/$deb" "$root/tmp/"
  # What collectd says and counts, beside what Debian configures.
  printf '%s\n' 'LoadPlugin logfile' '<Plugin logfile>' 'LogLevel warning' 'File "stderr"' '</Plugin>' \
    'LoadPlugin csv' '<Plugin csv>' 'DataDir "/tmp/csv"' '</Plugin>' >"$root/$conf_d/00-test.conf"
  run "$root"
  local before packages line
  before=$(listing "$root")
  packages=$(packages "$root")
  ok "$release: apt installs it" apt "$root" install "/tmp/$deb"
  is "$release: installed, it has changed no configuration" \
    "$(listing "$root" | grep ' etc/')" "$(grep ' etc/' <<<"$before")"
  run "$root"
  is "$release: installed, it is not loaded" "$loaded" no

  line=$(sed -n "s|^    \(echo 'LoadPlugin tcpstates' .*\)|\1|p" "$root/usr/share/doc/$package/README.Debian")
  ok "$release: README has the same line" grep -qxF "    $line" "$top/README.md"
  in_root "$root" sh -c "$line"
  sockets make established ipv4 "$3" 3
  sockets make fin-wait2-held ipv6 "$3" 2
  run "$root"
  is "$release: the documented line enables it" "$loaded" yes
  is "$release: Debian's collectd counts what there is" "$(counted "$root/tmp/csv")" "$(wanted all | of_states)"
  is "$release: it has no complaint" \
    "$(grep -ai tcpstates "$work/output" || true)" ""
  is "$release: Debian's configuration is untouched" "$(in_root "$root" dpkg --verify collectd collectd-core)" ""

  ok "$release: apt removes it" apt "$root" remove "$package"
  run "$root"
  is "$release: removed, collectd starts without it" "$loaded" no
  ok "$release: apt installs it again" apt "$root" install "/tmp/$deb"
  run "$root"
  is "$release: it is enabled as before" "$loaded" yes
  in_root "$root" cp "/usr/share/doc/$package/examples/collectd.conf.d/tcpstates.conf" "/$conf_d/"
  run "$root"
  is "$release: the shipped configuration enables it, too" "$loaded" yes

  mv -- "$root/$conf_d/tcpstates.conf" "$root/$conf_d/of-ours.conf"
  apt "$root" remove "$package" >"$work/removal"
  ok "$release: where another file loads it, the removal says so" grep -F "/$conf_d/of-ours.conf" "$work/removal"
  rm -- "$root/$conf_d/of-ours.conf"

  apt "$root" install "/tmp/$deb" >/dev/null
  in_root "$root" sh -c "$line"
  # Debian's collectd recommends libmnl0, so that autoremove would keep it.
  is "$release: only libmnl0 came with it" "$(comm -13 <(echo "$packages") <(packages "$root") | xargs)" "$package libmnl0"
  ok "$release: apt purges both" apt "$root" purge "$package" libmnl0
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
