# SPDX-License-Identifier: MIT
"""Looks up the names of values that contrib/, README.md and the man page use in what
collectd has dispatched, and what it has dispatched in their tables.

Arguments: the top of the source tree, and a file with what was dispatched, as lines
"PLUGIN/PLUGIN_INSTANCE TYPE-TYPE_INSTANCE". Prints "ok<TAB>NAME" or
"not ok<TAB>NAME<TAB>TEXT" for each file that uses names.
"""
import collections
import json
import pathlib
import re
import sys

# What a name can begin with; one that is not dispatched any more stays here, so that
# what still uses it is found.
TYPES = ("tcp_connections", "current_connections", "duration", "gauge", "percent", "queue_length", "protocol_counter")
TYPE = "(?:" + "|".join(TYPES) + ")"

# Of these at least one file has to use names, or this program does not understand them.
USERS = (
    "README.md",
    "plugin/collectd-tcpstates.pod",
    "contrib/quickstart.sh",
    "contrib/fin-wait2-lab/*.sh",
    "contrib/collectd.conf.d/*.conf",
    "contrib/dashboards/source.toml",
    "contrib/dashboards/prometheus/*.json",
    "contrib/dashboards/influxdb/*.json",
    "contrib/dashboards/graphite/*.json",
    "contrib/rrdgraph/rrdgraph.sh",
    "contrib/collection3/*.pm",
    "contrib/collection3/*.conf",
    "contrib/tcpstates-thresholds.conf",
    "contrib/prometheus/*.yml",
)

# A use of a name: None stands for what it leaves open.
Name = collections.namedtuple("Name", "plugin group type instance")


def kind(plugin, group):
    """all and machine are themselves; what else is said, also by a variable, is a group."""
    if group is None or plugin != "tcpstates":
        return group
    group = group.split("@")[0]
    return group if group in ("all", "machine") else "group"


def alternatives(text):
    """Of "a", or of a pattern such as ^(a|b)$; none of what matches anything else."""
    names = re.sub(r"^/?\^?\(?|\)?\$?/?$", "", text).split("|")
    return [name for name in names if re.fullmatch(r"\w+", name)] or [None]


# ---- how names are written -------------------------------------------------------


def in_identifiers(text):
    """all/TYPE-INSTANCE, tcpstates-all.TYPE-*, machine TYPE-INSTANCE, TYPE-INSTANCE"""
    before = r"(?:(?<![\w$-])(?:tcpstates-)?(all|machine|\$group|[\w-]+-(?:local|remote))(?:@[\w-]+)?[./]|\b(machine) )?"
    for match in re.finditer(before + rf"(?<![\w-])({TYPE})-(?:(\w+)|\*)", text):
        group, machine, type_, instance = match.groups()
        plugin = "protocols" if type_ == "protocol_counter" else "tcpstates"
        yield Name(plugin, kind(plugin, group or machine), type_, instance)


def in_prometheus(text):
    """collectd_PLUGIN_TYPE{PLUGIN="GROUP",type="INSTANCE"}"""
    for match in re.finditer(r"\bcollectd_(tcpstates|protocols)_(\w+)\s*(?:\{([^}]*)\})?", text):
        plugin, type_, labels = match.groups()
        label = re.findall(r"""(\w+)\s*(=~|!~|!=|=)\s*["']([^"']*)["']""", (labels or "").replace("\\", ""))
        group = next((value for name, sign, value in label if name == plugin and sign[0] == "="), None)
        type_instance = next((value for name, _, value in label if name == "type"), "")
        for instance in alternatives(type_instance):
            yield Name(plugin, kind(plugin, group), re.sub("_(seconds|total)$", "", type_), instance)


def in_influxql(text):
    """"instance" = 'GROUP' AND "type" = 'TYPE' AND "type_instance" = 'INSTANCE', one query"""
    if not re.search(r'"tcpstates_(value|seconds)"', text):
        return
    tag = dict(re.findall(r"""["'](\w+)["'] *=~? *('[^']*'|/[^/]*/)""", text))
    group = tag.get("instance")
    for instance in alternatives(tag.get("type_instance", "").strip("'")):
        yield Name("tcpstates", kind("tcpstates", group and group.strip("'")), tag.get("type", "").strip("'") or None, instance)


def in_blocks(text):
    """<Plugin "tcpstates"> Instance "GROUP" <Type "TYPE"> Instance "INSTANCE", of the threshold
    plugin; Value "TcpExt:INSTANCE", of protocols; <Type TYPE>, of collection3"""
    blocks, types = [], []
    for line in text.splitlines():
        line = line.split("#")[0].strip()
        if match := re.fullmatch(r'<(\w+)(?:\s+"?([^">]*)"?)?>', line):
            blocks.append({"is": match[1].lower(), "name": match[2]})
        elif line.startswith("</") and blocks:
            block = blocks.pop()
            outer = blocks[-1] if blocks else {}
            if block["is"] == "type" and outer.get("is") == "plugin":
                types.append(block)
            elif block["is"] == "type":
                yield Name("tcpstates", None, block["name"], None)
            elif block["is"] == "plugin" and types:
                if block["name"] in ("tcpstates", "protocols"):
                    group = kind(block["name"], block.get("instance"))
                    for inner in types:
                        yield Name(block["name"], group, inner["name"], inner.get("instance"))
                types = []
        elif blocks and (match := re.fullmatch(r'Instance\s+"?([^"]*)"?', line, re.I)):
            blocks[-1]["instance"] = match[1]
        elif match := re.fullmatch(r'Value\s+"(\w+):(\w+)"', line, re.I):
            yield Name("protocols", match[1], "protocol_counter", match[2])


def as_words(text):
    """INSTANCE, without a type, where nobody else has such words"""
    for word in re.findall(r"\b(?:(?:fin_wait2|close_wait|accept_queue)_[a-z]\w*|accept_queue|timewait_buckets)\b", text):
        yield Name("tcpstates", None, None, word)


def strings(node):
    if isinstance(node, str):
        yield node
    elif isinstance(node, (list, dict)):
        for inner in node.values() if isinstance(node, dict) else node:
            yield from strings(inner)


def names_in(path):
    text = path.read_text(encoding="utf-8", errors="replace")
    texts = list(strings(json.loads(text))) if path.suffix == ".json" else [text]
    ways = (in_identifiers, in_prometheus, in_influxql, in_blocks, as_words)
    names = {name for part in texts for way in ways for name in way(part)}
    # A test of rules may give a value to a group that has none: that does not fire.
    if path.name.endswith("_test.yml"):
        names = {name._replace(group=None) for name in names}
    return names


# ---- tables of all that is dispatched ----------------------------------------------


def listed(text):
    """The names in a text where -INSTANCE has the type of the one before it."""
    type_ = None
    for match in re.finditer(rf"(?<![\w-])({TYPE})?-(\w+)", text):
        type_ = match[1] or type_
        if type_:
            yield f"{type_}-{match[2]}"


def man_table(text):
    block = re.search(r"^=head1 VALUES\n(.*?)^=head2", text, re.M | re.S)[1]
    names = collections.defaultdict(str)
    group = None
    for line in block.splitlines():
        if match := re.match(r" {2}(each group|groups with a RemotePort|all|machine)\b", line):
            group = match[1]
        elif re.match(r" {5}", line):
            # After the column of names comes what they mean.
            names[group] += re.sub(r"(\S) {2,}.*", r"\1", line)
    for group, text in names.items():
        for name in listed(text):
            yield group, name


def table_errors(table, dispatched):
    documented = collections.defaultdict(set)
    for group, name in table:
        documented[group].add(name)
    documented["all"] |= documented["each group"]
    documented["each group"] |= documented["groups with a RemotePort"]
    for group, where in (("each group", "group"), ("all", "all"), ("machine", "machine")):
        wanted = {f"{name.type}-{name.instance}" for name in dispatched if name.plugin == "tcpstates" and name.group == where}
        for name in sorted(wanted - documented[group]):
            yield f"{name} of {group} is dispatched, and not in the table"
        for name in sorted(documented[group] - wanted):
            yield f"{name} of {group} is in the table, and not dispatched"


# ---- the check ---------------------------------------------------------------------


def is_dispatched(name, dispatched):
    return any(all(said is None or said == real for said, real in zip(name, value)) for value in dispatched)


def write(name):
    return f"{name.plugin}-{name.group or '*'}/{name.type or '*'}-{name.instance or '*'} is used, and not dispatched"


def report(result, name, text=""):
    print(result, name, text, sep="\t")


def main(top, dispatched_file):
    top = pathlib.Path(top)
    dispatched = set()
    for line in pathlib.Path(dispatched_file).read_text().splitlines():
        plugin, group, type_, instance = re.fullmatch(r"(\w+)/(\S*) (\w+)-(\w+).*", line).groups()
        dispatched.add(Name(plugin, kind(plugin, group), type_, instance))
    unknown = {name.type for name in dispatched} - set(TYPES)
    report("not ok" if unknown else "ok", "the types are those that tests/support/names.py looks for", f"add to TYPES: {unknown}")

    used = {}
    files = [top / "README.md", top / "plugin/collectd-tcpstates.pod", *sorted((top / "contrib").rglob("*"))]
    for path in files:
        if path.is_file() and "node_modules" not in path.parts and path.suffix not in (".png", ".pyc"):
            used[path] = names_in(path)
    tables = {"plugin/collectd-tcpstates.pod": man_table}
    for path, names in used.items():
        name = str(path.relative_to(top))
        errors = [write(name) for name in sorted(names, key=str) if not is_dispatched(name, dispatched)]
        if name in tables:
            errors += table_errors(tables[name](path.read_text(encoding="utf-8")), dispatched)
        if names or errors:
            report("not ok" if errors else "ok", f"{name}: its {len(names)} names are dispatched", "\\n".join(errors))
    for pattern in USERS:
        matching = list(top.glob(pattern))
        if not any(used.get(path) for path in matching):
            report("not ok", f"{pattern} uses names", "no file that matches has any that tests/support/names.py understands")


main(*sys.argv[1:])
