# SPDX-License-Identifier: MIT
"""Runs what tests/fleet/dashboards.sh has set up: each query of each panel and
variable, as Grafana would, and compares with what was made and dispatched.

Arguments: the directory of the dashboards, what sockmake has made ("HOST GROUP NAME
VALUE"), what collectd has dispatched (csv's PUTVAL), the first and the last second of
the time in which nothing changed. Prints "ok<TAB>NAME" or "not ok<TAB>NAME<TAB>TEXT".
"""
import collections
import itertools
import json
import operator
import pathlib
import re
import sys
import tomllib
import urllib.error
import urllib.parse
import urllib.request

FIN_TIMEOUT = "60"
OPERATORS = {">": operator.gt, ">=": operator.ge, "!=": operator.ne}
QUANTILE = "9 of 10 machines are below"
# $__interval is shorter by this: collectd's interval is 1 s here instead of 10 s.
FASTER = 5


def get(url, **parameters):
    query = urllib.parse.urlencode(parameters, doseq=True)
    try:
        with urllib.request.urlopen(f"{url}?{query}", timeout=30) as reply:
            return json.load(reply)
    except urllib.error.HTTPError as error:
        raise ValueError(f"{error}: {error.read().decode(errors='replace')[:500]}") from None


def substitute(text, values):
    """$NAME as Grafana does; a name that it would not know is an error."""
    return re.sub(r"\$(\w+)", lambda match: values[match[1]], text)


class Backend:
    def __init__(self, since, until):
        self.since, self.until = since, until
        self.title = getattr(self, "title", self.name)

    def host(self, name):
        """What the backend calls a machine."""
        return name

    def group(self, name):
        """What the backend calls a group."""
        return name

    def one_of(self, hosts):
        """A variable with several values, in a query."""
        return "(" + "|".join(re.escape(host) for host in hosts) + ")"


class Prometheus(Backend):
    name = "prometheus"
    text_of = staticmethod(lambda target: target["expr"])
    url = "http://127.0.0.1:9090/api/v1"

    def one_of(self, hosts):
        return super().one_of(hosts).replace("\\", "\\\\")

    def choices(self, query, values):
        match = re.fullmatch(r"label_values\((.*), (\w+)\)", substitute(query["query"], {"job": ".*"} | values))
        reply = get(f"{self.url}/label/{match[2]}/values", **{"match[]": match[1]})
        return reply["data"]

    def run(self, target, values, interval):
        expr = substitute(target["expr"], values | {"__range": f"{self.until - self.since}s"})
        if target["instant"]:
            reply = get(f"{self.url}/query", query=expr, time=self.until)
        else:
            reply = get(f"{self.url}/query_range", query=expr, start=self.since, end=self.until, step=1)
        result = collections.defaultdict(list)
        for series in reply["data"]["result"]:
            name = re.sub(r"\{\{(\w+)\}\}", lambda label: series["metric"].get(label[1], ""), target["legendFormat"])
            for _, value in series.get("values") or [series["value"]]:
                result[name].append(float(value))
        return result

    def selected(self, text, values):
        found = set()
        for selector in re.findall(r"(?<![\w:])\w+\{[^}]*\}", substitute(text, values | {"__range": "1m"})):
            for labels in get(f"{self.url}/series", **{"match[]": selector, "start": self.since, "end": self.until})["data"]:
                value_type = re.sub("^collectd_tcpstates_|_seconds$", "", labels["__name__"])
                found.add((labels["instance"], labels["tcpstates"], f"{value_type}-{labels['type']}"))
        return found

    def without_group(self, text):
        return re.sub(r',tcpstates="[^"]*"', "", text)


class VictoriaMetrics(Prometheus):
    """Has the dashboards of Prometheus."""

    title = "victoriametrics"
    url = "http://127.0.0.1:8428/api/v1"


class Influxdb(Backend):
    name = "influxdb"
    text_of = staticmethod(lambda target: target["query"])
    url = "http://127.0.0.1:8086/query"

    def ask(self, query):
        result = get(self.url, db="collectd", epoch="s", q=query)["results"][0]
        if "error" in result:
            raise ValueError(result["error"])
        return result.get("series", [])

    def choices(self, query, values):
        return [row[1] for series in self.ask(substitute(query, values)) for row in series["values"]]

    def run(self, target, values, interval):
        time = f"time >= {self.since}s AND time < {self.until}s"
        query = substitute(target["query"], values | {"timeFilter": time, "__interval": f"{interval}s"})
        result = collections.defaultdict(list)
        for series in self.ask(query):
            tags = series.get("tags", {})
            if target["resultFormat"] == "table":
                _, value, label = series["columns"]
                assert (value, label) == ("top", target["alias"]), series["columns"]
                for _, number, name in series["values"]:
                    result[name].append(number)
                continue
            name = re.sub(r"\$tag_(\w+)", lambda tag: tags[tag[1]], target["alias"])
            result[name] += [row[1] for row in series["values"] if row[1] is not None]
        return result

    def selected(self, text, values):
        found = set()
        time_free = text.replace(" AND $timeFilter", "").replace(" WHERE $timeFilter", "")
        for source in re.findall(r'FROM ("\w+" WHERE [^()]*?)(?: GROUP|\)|$)', time_free):
            for series in self.ask(f"SHOW SERIES FROM {substitute(source, values)}"):
                for (key,) in series["values"]:
                    tags = dict(pair.split("=", 1) for pair in key.split(",")[1:])
                    found.add((tags["host"], tags["instance"], f"{tags['type']}-{tags['type_instance']}"))
        return found

    def without_group(self, text):
        return re.sub(r""" AND "instance" = '[^']*'""", "", text)


class Graphite(Backend):
    name = "graphite"
    text_of = staticmethod(lambda target: target["target"])
    url = "http://127.0.0.1:8080"

    def host(self, name):
        return name.replace(".", "_")

    group = host

    def one_of(self, hosts):
        return "{" + ",".join(hosts) + "}"

    def choices(self, query, values):
        query = substitute(query, values)
        expand = re.fullmatch(r"expand\((.*)\)", query)
        if expand:
            return get(f"{self.url}/metrics/expand", query=expand[1])["results"]
        return [node["text"] for node in get(f"{self.url}/metrics/find", query=query)]

    def run(self, target, values, interval):
        parameters = {"from": self.since - 1, "until": self.until - 1, "format": "json", "maxDataPoints": 1000}
        reply = get(f"{self.url}/render", target=substitute(target["target"], values), **parameters)
        result = collections.defaultdict(list)
        for series in reply:
            result[series["target"]] += [value for value, _ in series["datapoints"] if value is not None]
        return result

    def selected(self, text, values):
        found = set()
        for path in re.findall(r"collectd\.(?:\{[^}]*\}|[^,(){}])+", substitute(text, values)):
            for leaf in get(f"{self.url}/metrics/expand", query=path, leavesOnly=1)["results"]:
                _, host, group, name = leaf.split(".")
                found.add((host, group.removeprefix("tcpstates-"), name))
        return found

    def without_group(self, text):
        return re.sub(r"\.tcpstates-[^.]+\.", ".tcpstates-*.", text)


class Truth:
    """What the machines have said while nothing changed, and what was made on them."""

    def __init__(self, made, dispatched, since, until):
        self.made = collections.Counter()
        for line in made.read_text().splitlines():
            host, group, name, value = line.split()
            self.made[host, group, name] = int(value)
        self.seen = collections.defaultdict(list)
        for line in dispatched.read_text().splitlines():
            _, key, _, sample = line.split(" ")
            host, group, name = key.split("/")
            time, value = sample.split(":")
            # A server may still show what came a read before.
            if group.startswith("tcpstates-") and since - 4 <= float(time) < until + 1:
                self.seen[host, group.removeprefix("tcpstates-"), name].append(float(value))
        self.hosts = sorted({host for host, _, _ in self.seen})
        self.groups = sorted({group for _, group, _ in self.made})

    def names(self, value):
        """The identifiers that a value of the source stands for."""
        wanted, _, name = value.partition("/")

        def has(group):
            if wanted in ("each", "port", "service"):
                is_port = group.endswith(("-local", "-remote"))
                return group not in ("all", "machine") and wanted in ("each", "port" if is_port else "service")
            return wanted in ("any", group)

        return [key for key in self.seen if has(key[1]) and (key[2] == name or name.endswith("*") and key[2].startswith(name[:-1]))]

    def expected(self, backend, panel, label, value, hosts):
        """Lowest and highest value of each series of a query."""
        machines = panel.get("machines", "one")
        # Of any, the largest of a machine's groups.
        spans = {}
        for host, group, name in self.names(value):
            if host in hosts:
                key = (host, "any" if value.startswith("any/") else group, name)
                samples = self.seen[host, group, name]
                low, high = spans.get(key, (0, 0))
                spans[key] = max(low, min(samples)), max(high, max(samples))
        if "where" in panel:
            sign, limit = panel["where"].replace("$fin_timeout", FIN_TIMEOUT).split()
            spans = {key: span for key, span in spans.items() if OPERATORS[sign](span[1], float(limit))}
        if machines == "missing":
            return {label: (0, 0)}
        if machines == "count":
            return {label: (len(spans), len(spans))}
        result = {}
        for (host, group, name), (low, high) in spans.items():
            if machines == "worst" and high <= 0:
                continue
            if machines in ("each", "worst"):
                series = backend.host(host)
            elif machines == "groups":
                series = backend.group(group)
            else:
                series = name.partition("-")[2] if label == "*" else label
            so_far = result.get(series, (0, 0))
            result[series] = so_far[0] + low, so_far[1] + high
        # Of one machine it would be the same line again, except where that is not drawn.
        differs = len({host for host, _, _ in spans}) > 1 or all(high <= 0 for _, high in spans.values())
        if machines == "worst" and spans and (differs or backend.name == "graphite") and backend.name != "influxdb":
            result[QUANTILE] = min(low for low, _ in spans.values()), max(high for _, high in spans.values())
        return result


def differences(got, expected):
    """Of a query's series: some second may lack a machine, but none has one twice."""
    if not got and expected:
        return ["returns nothing"]
    problems = []
    if set(got) != set(expected):
        problems.append(f"its series are {sorted(got)} instead of {sorted(expected)}")
    for series in set(got) & set(expected):
        low, high = expected[series]
        values = sorted(got[series])
        margin = 1e-5 * max(1, abs(high))
        if not values:
            problems.append(f"{series}: no value")
        elif values[-1] > high + margin or values[len(values) // 2] < low - margin:
            problems.append(f"{series}: {values} instead of {low} to {high}")
    return problems


def usual(values):
    return collections.Counter(round(value, 6) for value in values).most_common(1)[0][0]


class Check:
    def __init__(self, directory, truth, since, until):
        self.truth = truth
        self.directory = directory
        self.source = tomllib.loads((directory / "source.toml").read_text())
        self.backends = [backend(since, until) for backend in (Prometheus, VictoriaMetrics, Influxdb, Graphite)]
        self.queries = 0

    def result(self, name, problems):
        if problems:
            print("not ok", name, "\\n".join(problems), sep="\t", flush=True)
        else:
            print("ok", name, sep="\t", flush=True)

    def choices(self, backend, variable, values):
        """What Grafana would offer for a variable."""
        found = backend.choices(variable["query"], values)
        if variable["regex"]:
            matches = [re.search(variable["regex"].strip("/"), text) for text in found]
            found = [match[1] for match in matches if match]
        return sorted(set(found))  # as Grafana does

    def variables(self, backend, dashboard, name):
        variables = {variable["name"]: variable for variable in dashboard["templating"]["list"]}
        hosts = sorted(backend.host(host) for host in self.truth.hosts)
        groups = sorted(backend.group(group) for group in self.truth.groups)
        wanted = {"host": hosts, "group": groups, "job": ["collectd"]}
        for which in set(variables) & set(wanted):
            problems = []
            for host in hosts:
                self.queries += 1
                got = self.choices(backend, variables[which], {"host": host})
                if got != wanted[which]:
                    problems.append(f"{variables[which]['query']} gives {got} instead of {wanted[which]}")
            self.result(f"{name}: variable {which}", problems)
        if "fin_timeout" in variables:
            text = variables["fin_timeout"]["query"]
            self.result(f"{name}: variable fin_timeout", [] if text == FIN_TIMEOUT else [f"is {text}"])
        return variables

    def settings(self, backend, variables):
        """Each choice of the variables that is tried: its values, hosts, and group."""
        if variables["host"]["multi"]:
            hosts = [(variables["host"]["allValue"], self.truth.hosts)]
            for number in range(1, len(self.truth.hosts) + 1):
                for chosen in itertools.combinations(self.truth.hosts, number):
                    hosts.append((backend.one_of([backend.host(host) for host in chosen]), chosen))
        else:
            hosts = [(backend.host(host), [host]) for host in self.truth.hosts]
        for text, chosen in hosts:
            for group in self.truth.groups if "group" in variables else [""]:
                yield {"host": text, "group": backend.group(group), "job": ".*", "fin_timeout": FIN_TIMEOUT}, chosen, group

    def stack_total(self, panel, lines, hosts, group):
        """The states of a group together are its sockets, each once."""
        names = [value.replace("$group", group) for label, value in panel["values"].items() if label not in panel.get("apart", [])]
        group = names[0].partition("/")[0]
        total = sum(usual(values) for name, values in lines.items() if name not in panel.get("apart", []))
        if "*" in panel["values"]:
            made = sum(count for key, count in self.truth.made.items() if key[0] in hosts and key[1] == group and key[2].startswith("tcp_connections-"))
        else:
            made = sum(self.truth.made[host, group, "tcp_connections-FIN_WAIT2"] for host in hosts)
        return [] if total == made else [f"its stack ends at {total}; {made} sockets were made in {group} on {', '.join(hosts)}"]

    def selection(self, backend, panel, text, values, value, hosts):
        """That a query which names a group selects that, and all of its values."""
        if value.startswith(("any/", "each/", "port/", "service/")) or panel.get("machines") == "sum":
            return []
        selected = backend.selected(text, values)
        problems = []
        if len({key[1] for key in selected}) != (1 if self.truth.names(value) else 0):
            problems.append(f"{text} with {values}: selects the groups {sorted({key[1] for key in selected})}")
        wanted = {(backend.host(key[0]), backend.group(key[1]), key[2]) for key in self.truth.names(value) if key[0] in hosts}
        if selected != wanted:
            problems.append(f"{text} with {values}: selects {sorted(selected)} instead of {sorted(wanted)}")
        return problems

    def panel(self, backend, panel, made, settings):
        problems = []
        for values, hosts, group in settings:
            lines = {}
            interval = int(made["interval"].rstrip("s")) // FASTER
            # One value, or a target for each of them.
            targets = made["targets"]
            of_value = [targets] if len(panel["values"]) == 1 else [[target] for target in targets]
            for targets, (label, value) in zip(of_value, panel["values"].items(), strict=True):
                value = value.replace("$group", group)
                got, where = {}, ""
                for target in targets:
                    text = backend.text_of(target)
                    where += f"{text} with {values}"
                    try:
                        problems += self.selection(backend, panel, text, values, value, hosts)
                        got |= backend.run(target, values, interval)
                    except (ValueError, KeyError, AssertionError) as error:
                        problems.append(f"{where}: {error!r}")
                    self.queries += 1
                expected = self.truth.expected(backend, panel, label, value, hosts)
                if panel["kind"] == "stat" and set(expected.values()) == {(0, 0)}:
                    # InfluxDB and Graphite count none as no series, which the panel shows as 0.
                    expected = {name: span for name, span in expected.items() if name in got}
                problems += [f"{where}: {text}" for text in differences(got, expected)]
                lines |= got
            if panel["kind"] == "stack":
                problems += self.stack_total(panel, lines, hosts, group)
        return problems

    def found_out(self, backend, panel, made, settings):
        """That a stack's query lost its group, or a value its name: this test would tell."""
        wrong_name = lambda text: text.replace("tcp_connections", "tcp_connection")
        wanted = [(backend.without_group, ["selects the groups", "its stack ends at"]), (wrong_name, ["returns nothing"])]
        key = {"prometheus": "expr", "influxdb": "query", "graphite": "target"}[backend.name]
        missed = []
        for spoil, texts in wanted:
            broken = json.loads(json.dumps(made))
            for target in broken["targets"]:
                target[key] = spoil(target[key])
            problems = self.panel(backend, panel, broken, settings[:1])
            missed += [f"not found: {text}" for text in texts if not any(text in problem for problem in problems)]
        return missed

    def run(self):
        for backend, dashboard in itertools.product(self.backends, self.source["dashboard"]):
            made = json.loads((self.directory / backend.name / f"{dashboard['name']}.json").read_text())
            name = f"{backend.title}/{dashboard['name']}"
            variables = self.variables(backend, made, name)
            settings = list(self.settings(backend, variables))
            for panel, made_panel in zip(dashboard["panel"], made["panels"], strict=True):
                self.result(f"{name}: {panel['title']}", self.panel(backend, panel, made_panel, settings))
                if panel["kind"] == "stack" and "*" in panel["values"] and dashboard["name"] == "machine":
                    problems = self.found_out(backend, panel, made_panel, settings)
                    self.result(f"{name}: the same without its group, or with a wrong name, is found out", problems)
        self.result(f"{self.queries} queries were run", [] if self.queries > 300 else ["these are too few"])

    def names(self):
        """Of the source, those that no machine has dispatched."""
        return [
            f"{dashboard['name']}: {value}"
            for dashboard in self.source["dashboard"]
            for panel in dashboard["panel"]
            for value in panel["values"].values()
            if not self.truth.names(value.replace("$group", "any"))
        ]


def main(directory, made, dispatched, since, until):
    truth = Truth(pathlib.Path(made), pathlib.Path(dispatched), int(since), int(until))
    check = Check(pathlib.Path(directory), truth, int(since), int(until))
    check.result("the plugin dispatches each value that the source names", check.names())
    check.run()


main(*sys.argv[1:])
