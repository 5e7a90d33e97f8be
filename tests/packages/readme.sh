#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# README.md's commands, as they are there, on Debian 12 and 13: on a bare root that
# systemd runs as a machine, from the first look to alerts in a local mailbox. All its
# blocks of commands are run in their order, and after them those in its sentences that
# show values and mails.
. "$(dirname -- "${BASH_SOURCE[0]}")/../support/lib.sh"

if ((EUID != 0)); then skip_all "only root can make a Debian root"; fi
type -P mmdebstrap >/dev/null || skip_all "mmdebstrap is missing; contrib/install-deps.sh package installs it"

. "$(dirname -- "${BASH_SOURCE[0]}")/debian_root.sh"

readonly clone=root/collectd-tcpstates

leak=
at_end() {
  if [[ -n $leak ]]; then kill "$leak" 2>/dev/null || true; fi
  machine_stop
}

# block N: the Nth block of commands.
block() {
  awk -v n="$1" '$0 == "```" { inside = 0 } inside && block == n; $0 == "```sh" { inside = 1; block++ }' "$top/README.md"
}

# inline NAME: the command in backquotes that begins with it, in a sentence.
inline() {
  grep -v '^|' "$top/README.md" | grep -o "\`$1[^\`]*\`" | tr -d '\`'
}

# documented N [PROGRAM...]: runs the Nth block as root in the clone, in the machine.
# said NAME [VALUE]: the same for such a command; VALUE takes the place of NAME in it.
# online COMMANDS: with this system's network, which apt needs; what systemd starts has the machine's.
documented() {
  in_machine "${@:2}" bash -e -c "cd /$clone && $(block "$1")"
}
said() {
  local command
  command=$(inline "$1")
  in_machine bash -e -c "${command/NAME/${2-}}"
}
online() {
  local net=("${outside[@]}")
  "${net[@]}" nsenter --target "$machine" --mount --pid --uts --ipc --cgroup --root --wd \
    env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C.UTF-8 DEBIAN_FRONTEND=noninteractive \
    ${http_proxy:+"http_proxy=$http_proxy"} ${https_proxy:+"https_proxy=$https_proxy"} \
    bash -e -c "cd /$clone && $1" </dev/null
}

packages() {
  in_root "$root" dpkg-query -W -f '${Package}\n' | sort
}
enabled() {
  in_machine systemctl is-enabled collectd 2>&1 || true
}
# mailed PATTERN: root has a mail with this subject.
mailed() {
  said cat 2>"$work/cat" | grep -Eq "^Subject: $1"
}

check_release() {
  local release=$1 state undo
  root=$work/$release
  # As an installation leaves it, with a mirror that apt knows; a machine has an init.
  if ! "${outside[@]}" unshare --mount mmdebstrap --variant=minbase --include=systemd-sysv,dbus "$release" "$root" >"$work/$release.log" 2>&1; then
    if no_mirror "$work/$release.log"; then
      skip "$release: all" "no Debian mirror can be reached"
    else
      fail "$release: a bare root" "$(tail -n 40 "$work/$release.log")"
    fi
    return
  fi
  cp -L -- /etc/resolv.conf "$root/etc/resolv.conf"
  echo web1 >"$root/etc/hostname"
  # One of the two has a host name that resolves.
  echo "127.0.0.1 localhost" >"$root/etc/hosts"
  if [[ $release == bookworm ]]; then echo "127.0.1.1 web1.example web1" >>"$root/etc/hosts"; fi
  mkdir -p "$root/$clone"
  tar -xJf "$tarball" -C "$root/$clone" --strip-components=1
  # A clone has nothing that autoreconf makes.
  rm -rf -- "$root/$clone"/{configure,aclocal.m4,Makefile.in,tcpstates-config.h.in,build-aux,m4}
  machine_start "$root" 2>"$work/machine" || {
    skip "$release: all" "$(<"$work/machine")"
    return
  }
  packages >"$work/before"

  # Try it.
  online "$(block 1)" >"$work/table" 2>"$work/first" || fail "$release: quickstart" "$(tail -n 40 "$work/first")"
  ok "$release: quickstart shows the states" grep -q '^ESTABLISHED  *[0-9]' "$work/table"
  online "$(block 2)" >"$work/table" 2>"$work/progress" || fail "$release: quickstart --config" "$(tail -n 40 "$work/progress")"
  is "$release: and the groups of README's sample" "$(grep -o ' all .*' "$work/table" | xargs)" \
    "$(grep -o '^  *all .*-local .*' "$top/README.md" | xargs)"
  is "$release: collectd's service does not run" "$(in_machine systemctl is-active collectd || true)" inactive
  is "$release: nor will it after the next boot" "$(enabled)" disabled
  undo=$(sed -n 's/.*to undo that: \(apt-get purge .*\)/\1 -y/p' "$work/first")
  ok "$release: the printed line undoes it" online "$undo"
  is "$release: then the packages are those of before" "$(packages)" "$(<"$work/before")"

  # Install, configure. The thresholds take thirty reads.
  ok "$release: the package is made and installed" online "$(block 3)"
  echo 'Interval 1' >"$root/etc/collectd/collectd.conf.d/00-test.conf"
  is "$release: collectd's service is enabled" "$(enabled)" enabled
  ok "$release: it is configured" documented 4
  ok "$release: the values are there" wait_until 60 "values" said "collectdctl listval"
  is "$release: of these groups" "$(said "collectdctl listval" | sed -n 's|.*/tcpstates-\([^/]*\)/tcp_connections-LISTEN$|\1|p' | sort | xargs)" "5432-remote all"

  ok "$release: each has a number" said "collectdctl getval" "$(said "collectdctl listval" | grep -m 1 'tcpstates-all/tcp_connections-LISTEN$')"
  ok "$release: the plugin's alerts are configured" online "$(block 5)"
  ok "$release: and the thresholds" documented 6
  documented 7 >"$work/leak.log" 2>&1 &
  leak=$!
  for state in fin_wait2 close_wait; do
    ok "$release: the plugin's mail about $state comes" wait_until 180 "a mail" mailed "WARNING: web1[^ ]* tcpstates-[^/]*/current_connections-${state}_stuck"
  done
  ok "$release: it says how many there are" grep -q '^30 sockets .* in FIN_WAIT2' <(said cat)
  ok "$release: syslog has it, too" grep -q '30 sockets .* in FIN_WAIT2' <(in_machine journalctl -q -o cat -t collectd)
  ok "$release: so does the thresholds' mail" wait_until 180 "a mail" mailed 'WARNING: web1[^ ]* tcpstates-all/current_connections-fin_wait2_stuck'
  kill "$leak"
  wait "$leak" 2>/dev/null || true
  leak=

  # Without mail there is a trace.
  in_machine sh -c 'rm $(command -v mail); printf "%s\n" "Severity: WARNING" "Host: web1" "Plugin: tcpstates" "" "text" |
    /usr/local/bin/notify-mail.sh root' 2>"$work/trace" || true
  ok "$release: without mail, the log says so" grep -q 'no program "mail".*WARNING: web1' <(in_machine journalctl -q -o cat -t notify-mail.sh)
  machine_stop
}

make_tarball
is "all blocks of README are run here" "$(grep -c '^```sh$' "$top/README.md")" 7
is "and of the sentences' commands these" "$(inline cat; inline collectdctl)" "cat /var/mail/*
collectdctl listval | grep tcpstates
collectdctl getval NAME"
for release in bookworm trixie; do check_release "$release"; done
done_testing
