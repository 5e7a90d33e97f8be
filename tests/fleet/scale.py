# SPDX-License-Identifier: MIT
"""What tests/fleet/scale.sh needs besides promtool and Prometheus.

  write FILE SERIES HOSTS SINCE UNTIL STEP   OpenMetrics text of a time for HOSTS machines, made of SERIES,
                                             what one machine and its rules have, as /federate gives it
  ask URL TOP HOSTS UNTIL                    runs every query as Grafana would, and prints a table of them
"""
import json
import math
import pathlib
import re
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
import zlib

PATTERNS = 97  # kinds of curves
SCREEN = 1900  # pixels of a dashboard's width
MAX_SERIES, MAX_BYTES = 50, 1 << 20  # of a panel: one or the other
RUNS = 3  # of each query; the shortest counts
STUCK = 40  # of this many machines one has stuck sockets


def numbers(name, labels, pattern):
    """A value that differs from machine to machine, and from time to time. One machine of PATTERNS
    leaks, and one has nearly all of what a limit allows."""
    base = 5 + pattern * 7 % 40
    if name.startswith("tcpstates:"):
        base = 1000 * (1 + zlib.crc32(labels.encode()) % 9)

    def swings(at):
        return base + base / 5 * math.sin(at / 5000 + pattern)

    if re.search("_stuck|_oldest|_unaccepted", labels):
        if name.startswith("tcpstates:"):
            return lambda at: at // 120 % 500
        return lambda at: at // (120 + pattern) % 500 if pattern % STUCK == 0 else 0
    if "percent" in name:
        return lambda at: round((70 if pattern == 11 else 0) + swings(at) / 3, 1)
    if "protocol_counter" in name:
        return lambda at: at // 100 if pattern % STUCK == 1 else 0
    if "tcp_fin_timeout" in labels or "_max_" in labels:
        return lambda at: 30 if pattern == 13 else 60
    return lambda at: round(swings(at))


def write(file, series, hosts, since, until, step):
    """A series is a line "NAME{LABELS} VALUE TIME"; those of the machine have its name as instance."""
    hosts, times = int(hosts), range(int(since), int(until), int(step))
    with open(file, "w", encoding="utf-8") as out:
        for number, line in enumerate(sorted(set(pathlib.Path(series).read_text().splitlines()))):
            match = re.match(r"([\w:]+)\{(.*)\} \S+ \d+$", line)
            if not match or not match[1].startswith(("collectd_", "instance", "tcpstates:")):
                continue
            # /federate gives a series that has no instance an empty one.
            name, labels = match[1], re.sub(r',?instance=""', "", match[2]).lstrip(",")
            # A rule's values come every 30 s.
            own = times if name.startswith("collectd_") else times[:: max(1, 30 // int(step))]
            tails = []
            for pattern in range(PATTERNS):
                value = numbers(name, labels, pattern)
                # Of nothing that is stuck there is no value.
                sparse = name.startswith("instance_tcpstates:")
                tails.append([f" {value(at)} {at}\n" for at in own if not sparse or value(at) > 0])
            machines = [""] if 'instance="' not in labels else [f"host{n:04}.example.org" for n in range(hosts)]
            for machine, host in enumerate(machines):
                prefix = f"{name}{{{re.sub(r'instance=.[^,]*', f'instance={chr(34)}{host}{chr(34)}', labels)}}}"
                lines = tails[(machine * 7 + number) % PATTERNS]
                out.write(prefix + prefix.join(lines) if lines else "")
        out.write("# EOF\n")


# ---- queries -------------------------------------------------------------------------------


class Failed(Exception):
    pass


def get(url, path, **parameters):
    """The answer, its bytes, and seconds."""
    query = urllib.parse.urlencode(parameters, doseq=True)
    begun = time.monotonic()
    try:
        with urllib.request.urlopen(f"{url}/api/v1/{path}?{query}", timeout=600) as reply:
            text = reply.read()
    except urllib.error.HTTPError as error:
        raise Failed(error.read().decode(errors="replace")[:300]) from None
    return json.loads(text)["data"], len(text), time.monotonic() - begun


def step_of(panel, seconds):
    """As Grafana's, from the width in pixels; not below the panel's interval."""
    pixels = SCREEN * panel["gridPos"]["w"] // 24
    return max(int(panel["interval"].rstrip("s")), -(-seconds // pixels))


class Table:
    def __init__(self, url, hosts, until):
        self.url, self.hosts, self.until = url, int(hosts), int(until)
        self.failed = []
        self.slowest = 0
        print(f"# {'seconds':>8} {'series':>7} {'bytes':>9} {'samples':>11}  query of {hosts} machines")

    def row(self, name, seconds, series, size, samples=0):
        print(f"# {seconds:8.3f} {series:7} {size:9} {samples:11}  {name}", flush=True)

    def run(self, name, path, **parameters):
        """Series, bytes, seconds, and how many samples were in memory at a time, of which Prometheus allows 50 millions."""
        best = None
        try:
            for _ in range(RUNS):
                data, size, seconds = get(self.url, path, **parameters)
                if best is None or seconds < best[2]:
                    samples = data["stats"]["samples"]["peakSamples"] if isinstance(data, dict) and "stats" in data else 0
                    series = len(data["result"]) if isinstance(data, dict) else len(data)
                    best = series, size, seconds, samples
                if seconds > 5:
                    break
        except Failed as error:
            self.failed.append(f"{name}: {error}")
            return 0, 0, 0, 0
        return best

    def panel(self, name, panel, values, seconds):
        series = size = samples = 0
        longest = 0
        since = GONE_SECONDS.get(panel.get("timeFrom"), seconds)
        for target in panel["targets"]:
            expr = re.sub(r"\$(\w+)", lambda match: (values | {"__range": f"{since}s"})[match[1]], target["expr"])
            if target["instant"]:
                one = self.run(name, "query", query=expr, time=self.until, stats="all")
            else:
                step = step_of(panel, since)
                one = self.run(name, "query_range", query=expr, start=self.until - since, end=self.until, step=step, stats="all")
            series, size, samples = series + one[0], size + one[1], samples + one[3]
            longest = max(longest, one[2])
        self.slowest = max(self.slowest, longest)
        self.row(name, longest, series, size, samples)
        if self.hosts <= 1000 and series > MAX_SERIES and size > MAX_BYTES:
            self.failed.append(f"{name}: {series} series and {size} bytes")

    def variable(self, name, variable, values):
        query = re.sub(r"\$(\w+)", lambda match: values[match[1]], variable["query"]["query"])
        match = re.fullmatch(r"label_values\((.*), (\w+)\)", query)
        for path in (f"label/{match[2]}/values", "series"):
            window = {"start": self.until - 21600, "end": self.until}
            series, size, seconds, _ = self.run(name, path, **{"match[]": match[1]}, **window)
            self.row(f"{name}, by /{path.split('/')[0]}", seconds, series, size)
            # Each name is in it once: as many bytes as there are machines, or groups.
            if size > MAX_BYTES * max(1, self.hosts / 1000):
                self.failed.append(f"{name}: {size} bytes by {path}")


GONE_SECONDS = {"5m": 300, "1h": 3600}


def result(text, problems):
    print("not ok" if problems else "ok", text, "\\n".join(problems), sep="\t", flush=True)


def ask(url, top, hosts, until):
    top = pathlib.Path(top)
    table = Table(url, hosts, until)
    choices = {
        "fleet": [{"host": ".*"}],
        "machine": [{"host": "host0000.example.org"}],
        "group": [{"host": ".*", "group": "all"}, {"host": "host0000.example.org", "group": "all"}],
    }
    for name, hosts_of in choices.items():
        dashboard = json.loads((top / f"contrib/dashboards/prometheus/{name}.json").read_text())
        for values in hosts_of:
            values |= {"job": ".*", "fin_timeout": "60"}
            which = "" if values["host"] == ".*" else " of one machine" if name == "group" else ""
            for variable in dashboard["templating"]["list"]:
                if variable["type"] == "query":
                    table.variable(f"{name}{which}: variable {variable['name']}", variable, values)
            for days, seconds in (("6 h", 21600), ("2 d", 172800)):
                for panel in dashboard["panels"]:
                    if "timeFrom" not in panel or days == "6 h":
                        table.panel(f"{name}{which}, {days}: {panel['title']}", panel, values, seconds)
    queries, table.slowest = table.slowest, 0
    rounds = {"record": 0, "alert": 0}
    # YAML without a library: promtool writes the rules one a line.
    for kind, name, expr in rules(top / "contrib/prometheus/alerts.yml"):
        series, size, seconds, samples = table.run(name, "query", query=expr, time=table.until, stats="all")
        table.row(f"{kind} {name}", seconds, series, size, samples)
        rounds[kind] += seconds
    result(f"{hosts} machines: no query fails, and no panel has more than {MAX_SERIES} series and a megabyte", table.failed)
    print(f"# figures: {hosts} machines: the slowest query {queries:.2f} s, a round of the recording rules {rounds['record']:.2f} s, of the alerts {rounds['alert']:.2f} s")


def rules(path):
    """Kind, name and expression of each rule of our file."""
    text = path.read_text()
    for match in re.finditer(r"- (record|alert): (\S+)\n +expr: (?:>-\n((?: {10}.*\n)+)|(.*)\n)", text):
        yield match[1], match[2], " ".join((match[3] or match[4]).split())


{"write": write, "ask": ask}[sys.argv[1]](*sys.argv[2:])
