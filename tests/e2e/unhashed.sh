#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Sockets in no state: how many there are on a machine with several namespaces, IPv6, MPTCP and
# TIME_WAIT, as what the test has made says; whose they are; and why they are not known.
# shellcheck disable=SC2034,SC2154 # lib.sh reads unshare_also and sets unprivileged
. "$(dirname -- "${BASH_SOURCE[0]}")/../support/lib.sh"
if ! command -v python3 >/dev/null; then skip_all "no python3"; fi
unshare_also=(--mount)
# Apart: each read passes every socket of its table, and a machine may have a million others.
enter_netns_apart "$@"
if ((EUID != 0)); then skip_all "only root may enter namespaces without a process"; fi

# missing NAME PATTERN COMMAND...: no value, and one line that matches.
missing() {
  "${@:3}" "$work/plugin_host" --values --types-db "$work/types.db" "$work/tcpstates.so" >"$work/values" 2>"$work/messages" || true
  is "$1: the others are there" "$(grep -c 'machine.current_connections-allocated' "$work/values")" 1
  is "$1: there is no value" "$(grep -c unhashed "$work/values")" 0
  is "$1: one line says why" "$(grep -cE "unhashed sockets.*$2|$2.*unhashed sockets" "$work/messages")" 1
}
cp -- "$build/plugin_host" "$build/.libs/tcpstates.so" "$(first_file {/usr,/usr/local,/opt/collectd}/share/collectd/types.db)" "$work"
chmod 755 "$work"
if ! sees_all_processes; then
  missing "a PID namespace of its own" "PID namespace" env
  skip "the numbers" "a PID namespace of its own: they are not known"
  done_testing
  exit
fi

holder='' host_pid=''
at_end() {
  local pid
  for pid in $holder $host_pid; do kill "$pid"; done
  ip netns del "unhashed_$$" 2>/dev/null
}

cat >"$work/sockets.py" <<'END'
import contextlib, ctypes, glob, os, re, socket, struct, subprocess, sys, time

host, plugin, work = sys.argv[1:]
value_name = "tcpstates-machine/current_connections-unhashed "
changes_end = time.monotonic() + 180  # make check ends a script after 300
V4, V6 = (socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")


def unhashed():
    """What a plugin that has just begun says."""
    out = subprocess.run([host, "--values", plugin], capture_output=True, text=True, check=True)
    values = [line for line in out.stdout.splitlines() if line.startswith(value_name)]
    if not values:
        sys.exit("no value: " + out.stdout + out.stderr)
    return int(values[0].split()[1])


def say(name, got, expected):
    print(f"{name}\t{got}\t{expected}", flush=True)


@contextlib.contextmanager
def closing(sockets):
    yield sockets
    for each in sockets:
        each.close()


def change(name, make, expected):
    """By how much the number rises while there are those sockets. Others come and go on the
    machine, and where they do so meanwhile the number is lower: it is tried until they do not,
    or the time is over that all changes have."""
    end = min(time.monotonic() + 60, changes_end)
    while True:
        before = unhashed()
        with make():
            during = unhashed()
        time.sleep(0.2)
        if unhashed() == before and during - before == expected or time.monotonic() > end:
            break
    say(name, during - before, expected)


def reset(sockets):
    for each in sockets:
        each.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        each.close()


def connections(num, family, protocol=0):
    """Both ends of each, without their listener."""
    where, address = family
    listener = socket.socket(where, socket.SOCK_STREAM, protocol)
    listener.bind((address, 0))
    listener.listen(num)
    ends = []
    for _ in range(num):
        end = socket.socket(where, socket.SOCK_STREAM, protocol)
        end.connect(listener.getsockname())
        ends.append((end, listener.accept()[0]))
    listener.close()
    return ends


def unconnected():
    return closing([socket.socket(family) for family, _ in [V4] * 100 + [V6] * 50])


def bound():
    sockets = [socket.socket(family) for family, _ in [V4] * 10 + [V6] * 10]
    for each, (_, address) in zip(sockets, [V4] * 10 + [V6] * 10):
        each.bind((address, 0))
    return closing(sockets)


def reset_by_peer(protocol=0, num=75):
    ends = connections(num, V4, protocol) + connections(num, V6, protocol)
    reset([end for end, _ in ends])
    time.sleep(0.1)
    return closing([end for _, end in ends])


def established(protocol=0):
    ends = connections(20, V4, protocol) + connections(20, V6, protocol)
    return closing([end for pair in ends for end in pair])


def time_wait():
    for pair in connections(15, V4) + connections(15, V6):
        for end in pair:
            end.close()
    time.sleep(0.2)
    if time_waits() < 30:
        sys.exit("no TIME_WAIT")
    return contextlib.nullcontext()


def time_waits():
    with open("/proc/thread-self/net/sockstat", encoding="ascii") as file:
        return int(next(line for line in file if line.startswith("TCP:")).split()[6])


in_its_own = """
import socket, sys
sockets = [socket.socket(socket.AF_INET6 if i % 2 else socket.AF_INET) for i in range(57)]
for each in sockets[:50]:
    each.listen()
print("made", flush=True)
sys.stdin.read()
"""


@contextlib.contextmanager
def namespaces():
    """Three, each of which has 50 in LISTEN and 7 in no state, and two processes."""
    programs = [
        subprocess.Popen(
            ["unshare", "--net", "sh", "-c", 'sleep 600 & python3 -c "$1"; kill $!', "-", in_its_own],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for _ in range(3)
    ]
    for program in programs:
        program.stdout.readline()
    yield
    for program in programs:
        program.communicate()


@contextlib.contextmanager
def mounted():
    """A namespace without a process: 30 in LISTEN and 5 in no state, whose descriptors are here."""
    name = f"unhashed_{os.getpid()}"
    subprocess.run(["ip", "netns", "add", name], check=True)
    libc = ctypes.CDLL(None, use_errno=True)
    own, other = (os.open(path, os.O_RDONLY) for path in
                  ("/proc/thread-self/ns/net", "/run/netns/" + name))
    libc.setns(other, 0)
    sockets = [socket.socket() for _ in range(35)]
    libc.setns(own, 0)
    os.close(own), os.close(other)
    for each in sockets[:30]:
        each.listen()
    yield
    for each in sockets:
        each.close()
    subprocess.run(["ip", "netns", "del", name], check=True)


def leaked():
    """Accepted with keepalive and never closed, by a program whose peer has closed."""
    ends = connections(50, V4)
    for client, server in ends:
        server.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for option in (socket.TCP_KEEPIDLE, socket.TCP_KEEPINTVL):
            server.setsockopt(socket.IPPROTO_TCP, option, 2)
        client.close()
    for _ in range(300):
        states = subprocess.run(["ss", "-Htan"], capture_output=True, text=True, check=True).stdout
        if "CLOSE-WAIT" not in states:
            break
        time.sleep(0.1)
    global close_waits
    close_waits = states.count("CLOSE-WAIT")
    return closing([server for _, server in ends])


def ss_says():
    """What ss -s says in each network namespace: by its inode, alloc and closed, both without
    TIME_WAIT, which it counts in either. None: one has ended meanwhile."""
    nsfs = os.stat("/proc/thread-self/ns/net").st_dev
    paths = {}
    for path in glob.glob("/proc/[0-9]*/ns/net") + glob.glob("/run/netns/*"):
        with contextlib.suppress(OSError):
            status = os.stat(path)
            if status.st_dev == nsfs:
                paths.setdefault(status.st_ino, path)
    said = {}
    for inode, path in paths.items():
        out = subprocess.run(["nsenter", "--net=" + path, "ss", "-s"], capture_output=True, text=True)
        found = re.search(r"^TCP: +(\d+) .*closed (\d+), .*timewait (\d+)", out.stdout, re.MULTILINE)
        if not found:
            return None
        total, closed, timewait = map(int, found.groups())
        said[inode] = total - timewait, closed - timewait
    return said


def compare(name, expected_of, namespaces_num):
    """What ss says is compared where it says the same before the plugin's read and after it, when
    nothing has come and gone on the machine, and no more namespaces have sockets in a state."""
    end = time.monotonic() + 30
    while time.monotonic() < end:
        before = ss_says()
        got = unhashed()
        if not before or before != ss_says():
            continue
        allocs, closed = zip(*before.values())
        if len(set(allocs)) == 1 and sum(each != allocs[0] for each in closed) <= namespaces_num:
            say(name, got, expected_of(before))
            return
    print(f"# {name}: other programs open and close sockets, or have them in other namespaces", flush=True)


def in_none(said):
    """alloc is of the machine, and closed what it is more than this namespace's inuse."""
    alloc = next(alloc for alloc, _ in said.values())
    return alloc - sum(alloc - closed for _, closed in said.values())


def closed_of_one(said):
    """Of the one namespace that has sockets in a state, or of any, where none has."""
    return min(closed for _, closed in said.values())


with open("/proc/sys/net/ipv4/tcp_fin_timeout", "w", encoding="ascii") as file:
    file.write("3")
change("never connected", unconnected, 150)
change("bound only", bound, 20)
change("reset by the peer", reset_by_peer, 150)
change("ESTABLISHED is a state", established, 0)
change("TIME_WAIT is a state", time_wait, 0)
change("other namespaces count once each", namespaces, 21)
change("a namespace without a process counts", mounted, 5)
change("a CLOSE_WAIT leak with keepalive", leaked, 50)
say("after which no state has them", close_waits, 0)
try:
    socket.socket(socket.AF_INET, socket.SOCK_STREAM, 262).close()
    change("MPTCP: ESTABLISHED is a state", lambda: established(262), 0)
    change("MPTCP: reset by the peer", lambda: reset_by_peer(262, 10), 20)
except OSError as error:
    print(f"# MPTCP: there is none: {error}", flush=True)

with reset_by_peer(), bound(), time_wait(), namespaces():
    compare("it is what ss -s says in all namespaces", in_none, 1000000)
with reset_by_peer(), bound(), time_wait():
    compare("it is closed less timewait of ss -s where one namespace has all that are in a state", closed_of_one, 1)
END
touch "$work/results"
if ! python3 "$work/sockets.py" "$build/plugin_host" "$build/.libs/tcpstates.so" "$work" >"$work/results" 2>"$work/messages"; then
  fail "sockets are made" "$(<"$work/messages")"
fi
while IFS=$'\t' read -r name got expected; do
  if [[ $name == \#* ]]; then
    skip "$(sed 's/^# \(.*\): .*/\1/' <<<"$name")" "${name##*: }"
  else
    is "$name" "$got" "$expected"
  fi
done <"$work/results"

# ---- whose they are ----------------------------------------------------------

read_host() {
  echo >&"$to_host"
  sed -e '/^done$/q' <&"$from_host" >>"$work/host.out"
}
unhashed_now() { sed -n 's/^tcpstates-machine.current_connections-unhashed //p' "$work/host.out" | tail -n 1; }
notice() { grep "^notification $1 tcpstates-machine.current_connections-unhashed: " "$work/host.out"; }
read_until() {
  read_host
  notice "$1" >/dev/null
}
before=$("$build/plugin_host" --values "$build/.libs/tcpstates.so" | sed -n 's/^tcpstates-machine.current_connections-unhashed //p')
limit=$((4 * before + 2000)) number=$((4 * before + 2100))
printf '<Plugin tcpstates>\n  NotifyUnhashed %d\n</Plugin>\n' "$limit" >"$work/tcpstates.conf"
mkfifo "$work/holder.in"
bash -c 'ulimit -n 16384; exec python3 -c "
import socket, sys
sockets = [socket.socket() for i in range(int(sys.argv[1]))]
print(\"made\", flush=True)
sys.stdin.readline()
del sockets
print(\"closed\", flush=True)
sys.stdin.read()" "$1"' - "$number" <"$work/holder.in" >"$work/holder.out" &
holder=$!
exec {to_holder}>"$work/holder.in"
wait_until 60 "sockets that are never connected" grep made "$work/holder.out"
coproc host_io { exec "$build/plugin_host" --stdin --values --config "$work/tcpstates.conf" "$build/.libs/tcpstates.so" 2>"$work/messages"; }
host_pid=$host_io_PID
exec {from_host}<&"${host_io[0]}" {to_host}>&"${host_io[1]}"
read_host
is "one read does not warn" "$(notice WARNING)" ""
wait_until 60 "a WARNING" read_until WARNING
ok "the WARNING names the process and how many it has" grep -qF "[$holder]" <(notice WARNING)
ok "and how many it has" grep -qE "\[$holder\][^,]* \($number\)" <(notice WARNING)
echo >&"$to_holder"
wait_until 60 "they are closed" grep closed "$work/holder.out"
wait_until 60 "an OKAY" read_until OKAY
ok "it is over when they are closed" grep -qE "fewer than half of $limit" <(notice OKAY)
kill "$holder" "$host_pid"
wait "$holder" "$host_pid" 2>/dev/null || true
holder='' host_pid=''

# ---- where it is not known ---------------------------------------------------

missing "a PID namespace of its own" "PID namespace" unshare --pid --fork --mount-proc
if "${unprivileged[@]}" true 2>/dev/null; then
  missing "hidden processes" hidepid unshare --mount sh -c 'mount -t proc -o hidepid=2 proc /proc && exec "$@"' - "${unprivileged[@]}"
  ip netns add "unhashed_$$"
  missing "a namespace that may not be entered" "/run/netns/unhashed_$$" "${unprivileged[@]}"
  ip netns del "unhashed_$$"
else
  skip "hidden processes, namespaces" "cannot become nobody"
fi
done_testing
