#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Changes the plugin in small ways, and says which changes no test of a module notices.

Each mutant is one change of one file: another operator, a number that is one off, a
condition negated, a statement gone. Only that file is compiled, and only the tests that
link it are linked and run, its own first, until one fails. What the compiler turns into
the same code as before is no mutant. The inline functions of headers are not changed: a
test has its own copy of them, so most of the programs would have to be compiled anew for
each mutant.

Exit status: 0 none is alive; 1 one is, or something could not be measured: a test fails
without any change, the compiler or the linker fails for a reason that is not the mutant's,
or an entry of equivalent.txt is of no mutant.
"""
import argparse
import concurrent.futures
import hashlib
import os
import pathlib
import re
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time

TOP = pathlib.Path(__file__).resolve().parents[2]
EQUIVALENT = pathlib.Path(__file__).with_name("equivalent.txt")
# The errors that sanitizers find are errors of the mutant, and leaks are.
CFLAGS = "-O1 -g0 -w -fsanitize=address,undefined -fno-sanitize-recover=all"

TOKEN = re.compile(
    r"""(?P<skip>/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'|^[ \t]*\#(?:\\\n|[^\n])*)
    |(?P<number>\b(?:0[xX][0-9a-fA-F]+|[0-9]+(?:\.[0-9]+)?(?:e-?[0-9]+)?)[uUlL]*\b)
    |(?P<word>\b[A-Za-z_]\w*\b)
    |(?P<op><<=|>>=|\.\.\.|->|\+\+|--|<<|>>|<=|>=|==|!=|&&|\|\||[-+*/%&|^]=|[-+*/%&|^~!<>=?:;,.(){}\[\]])""",
    re.X | re.M | re.S,
)
SWAPS = {
    "==": ["!="], "!=": ["=="], "<": ["<="], "<=": ["<"], ">": [">="], ">=": [">"],
    "&&": ["||"], "||": ["&&"], "++": ["--"], "--": ["++"], "+=": ["-="], "-=": ["+="],
    "|=": ["&="], "&=": ["|="], "<<": [">>"], ">>": ["<<"],
    "continue": ["break"], "break": ["continue"], "true": ["false"], "false": ["true"],
}
# Of two operands, as clang-format writes them: with a space after it.
BINARY = {"+": ["-"], "-": ["+"], "*": ["/"], "/": ["*"], "%": ["/"], "&": ["|"], "|": ["&"]}
KEYWORDS = {"return", "if", "else", "for", "while", "do", "switch", "case", "default", "goto", "sizeof",
            "struct", "enum", "const", "static", "int", "char", "bool", "double", "unsigned", "void"}


def end_session(leader):
    """Ends what a test has left: check gives each of its children a process group of its own."""
    for stat in pathlib.Path("/proc").glob("[0-9]*/stat"):
        try:
            session = int(stat.read_text().rpartition(")")[2].split()[3])
            if session == leader:
                os.kill(int(stat.parent.name), signal.SIGKILL)
        except OSError:
            pass  # it has ended


class Broken(Exception):
    """The compiler or the linker has failed for another reason than the mutant."""


def check_failure(done, pattern):
    """Raises Broken, unless what it said is that the code is wrong: a disk may be full, for one."""
    said = done.stderr.decode(errors="replace")
    if not re.search(pattern, said):
        raise Broken(f"{shlex.join(done.args)}: exit status {done.returncode}: {said.strip()[-2000:]}")


class Mutant:
    """One change: text[begin:end] becomes new."""

    def __init__(self, file, text, begin, end, new):
        self.file, self.new = file, new
        self.text = text[:begin] + new + text[end:]
        self.line = text.count("\n", 0, begin) + 1
        first = text.rfind("\n", 0, begin) + 1
        last = text.find("\n", end)
        self.before = " ".join(text[first:last].split())
        self.after = " ".join((text[first:begin] + new + text[end:last]).split())
        self.key = "\t".join((file, self.before, self.after))

    def __str__(self):
        return f"{self.file}:{self.line}: {self.before}\n    -> {self.after}"


def closing(tokens, i):
    """The index of the bracket that closes tokens[i]."""
    depth = 0
    for j in range(i, len(tokens)):
        if tokens[j].group() in "([{":
            depth += 1
        elif tokens[j].group() in ")]}":
            depth -= 1
            if depth == 0:
                return j
    raise ValueError("a bracket is open")


def statement_end(tokens, i):
    """The index of the semicolon that ends the statement, or None."""
    depth = 0
    for j in range(i, len(tokens)):
        text = tokens[j].group()
        if text in "([{":
            depth += 1
        elif text in ")]}":
            depth -= 1
            if depth < 0:
                return None
        elif text == ";" and depth == 0:
            return j
    return None


def find_mutants(file, text):
    tokens = [t for t in TOKEN.finditer(text) if t.lastgroup != "skip"]
    depth, allocation_end = 0, 0
    for i, token in enumerate(tokens):
        word, begin, end = token.group(), token.start(), token.end()
        depth += (word == "{") - (word == "}")
        before = tokens[i - 1].group() if i > 0 else ""
        after = tokens[i + 1].group() if i + 1 < len(tokens) else ""
        for new in SWAPS.get(word, []):
            yield Mutant(file, text, begin, end, new)
        if word in BINARY and text[end:end + 1].isspace() and before not in ("(", ",", "=", "return"):
            for new in BINARY[word]:
                yield Mutant(file, text, begin, end, new)
        if token.lastgroup == "number":
            match = re.fullmatch(r"(0[xX][0-9a-fA-F]+|[0-9]+)([uUlL]*)", word)
            # More memory than needed is no fault that a test can see.
            step = -1 if i < allocation_end else 1
            if match and int(match[1], 0) + step >= 0:
                yield Mutant(file, text, begin, end, f"{int(match[1], 0) + step}{match[2]}")
        if word in ("malloc", "calloc", "realloc") and after == "(":
            allocation_end = closing(tokens, i + 1)
        if word == "!" and after != "=":
            yield Mutant(file, text, begin, end, "")
        if word in ("if", "while") and after == "(":
            close = closing(tokens, i + 1)
            yield Mutant(file, text, tokens[i + 1].start(), tokens[close].end(),
                         "(!" + text[tokens[i + 1].start():tokens[close].end()] + ")")
        if depth == 0:
            continue
        if before not in (";", "{", "}", ")", "else", ":"):
            continue
        last = statement_end(tokens, i)
        if last is None:
            continue
        if word == "return" and after not in (";", "0", "NULL", "false"):
            yield Mutant(file, text, begin, tokens[last].end(), "return 0;")
        call_or_change = token.lastgroup == "word" and word not in KEYWORDS and after in (
            "(", "=", ".", "->", "[", "+=", "-=", "|=", "&=", "<<=", ">>=", "++", "--")
        if call_or_change or (word == "*" and before in (";", "{", "}", ")")) or word in ("break", "continue", "goto"):
            yield Mutant(file, text, begin, tokens[last].end(), ";")


class Build:
    """A build tree of its own, and how each object and test program in it is made."""

    def __init__(self, directory, names):
        self.dir = directory
        self.tests = {}
        self.left_out = []
        log = directory / "build.log"
        directory.mkdir(parents=True, exist_ok=True)
        if not (directory / "Makefile").exists():
            self.run_logged([str(TOP / "configure"), "--disable-shared", "--enable-static", f"CFLAGS={CFLAGS}"], log)
        programs = sorted(str(p.relative_to(TOP).with_suffix("")) for p in TOP.glob("tests/unit/test_*.c"))
        programs += [f"tests/fuzz/{name}" for name in ("bytecode", "config", "netlink", "plan", "proc")]
        # libtool says what it runs only without --silent.
        self.run_logged(["make", f"-j{os.cpu_count()}", "V=1", "AM_LIBTOOLFLAGS=", *programs], log)
        compiles, links = {}, {}
        for line in log.read_text().splitlines():
            match = re.match(r"libtool: (compile|link):  ?(.*)", line)
            if not match:
                continue
            argv = shlex.split(match[2])
            if "-o" not in argv:
                continue
            out = argv[argv.index("-o") + 1]
            (compiles if match[1] == "compile" else links)[out] = argv
        # All are made alike; tcpstates.c is made for its test under another name.
        alike = shlex.join(compiles["plugin/plan.o"])
        self.compiles = {name: shlex.split(alike.replace("plugin/plan.", name[:-1])) for name in names}
        self.links = {program: links[program] for program in programs}
        self.objects = {name: self.compile(name, (TOP / name).read_text(), self.dir / "plain.o") for name in names}

    def run_logged(self, argv, log):
        with log.open("a") as out:
            if subprocess.run(argv, cwd=self.dir, stdout=out, stderr=subprocess.STDOUT, check=False).returncode:
                sys.exit(f"{shlex.join(argv)} failed: see {log}")

    def compile(self, name, text, out):
        """The object's bytes; None: it does not compile. The same text gives the same bytes, wherever it comes from."""
        argv = list(self.compiles[name])
        argv[argv.index("-o") + 1] = str(out)
        i = argv.index("-c")
        argv[i:i + 2] = ["-c", "-x", "c", "-"]
        for option in ("-MF", "-MT"):
            if option in argv:
                del argv[argv.index(option):argv.index(option) + 2]
        argv = [arg for arg in argv if arg not in ("-MD", "-MP")]
        done = subprocess.run(argv, cwd=self.dir, input=f'#line 1 "{name}"\n{text}'.encode(), capture_output=True,
                              check=False)
        if done.returncode == 0:
            return out.read_bytes()
        # A fatal error is of a file, not of the code in it.
        check_failure(done, r"(?m)^\S+\.[ch]:[0-9:]+ error: ")
        return None

    def link(self, program, out, name=None, mutant=None):
        """Returns whether it can be linked. out with ".map" appended becomes the linker's map."""
        argv = list(self.links[program])
        argv[argv.index("-o") + 1] = str(out)
        if mutant is not None:
            own = [i for i, arg in enumerate(argv) if arg.endswith(f"-{pathlib.Path(name).stem}.o")]
            first = next(i for i, arg in enumerate(argv) if arg.endswith(".a"))
            # What is there already is not taken from the library.
            argv[own[0] if own else first:own[0] + 1 if own else first] = [str(mutant)]
        argv.append(f"-Wl,-Map={out}.map")
        done = subprocess.run(argv, cwd=self.dir, capture_output=True, check=False)
        if done.returncode != 0:
            check_failure(done, "undefined reference to|multiple definition of")
        return done.returncode == 0

    def run(self, program, fork, seconds):
        # In memory: on a disk, the tests that make thousands of directories take minutes.
        files = tempfile.mkdtemp(dir="/dev/shm" if os.access("/dev/shm", os.W_OK) else None)
        os.chmod(files, 0o755)  # a test of control groups goes on as another user
        env = dict(os.environ, srcdir=str(TOP), builddir=".", CK_FORK="yes" if fork else "no",
                   CK_DEFAULT_TIMEOUT=str(int(seconds)), TMPDIR=files)
        test = subprocess.Popen([str(program)], cwd=self.dir, env=env, stdout=subprocess.DEVNULL,
                                stderr=subprocess.DEVNULL, start_new_session=True)
        try:
            return test.wait(timeout=seconds)
        except subprocess.TimeoutExpired:
            return -1
        finally:
            end_session(test.pid)
            test.wait()
            # What a mutant leaves behind may be too deep for shutil.
            subprocess.run(["rm", "-rf", files], check=False)

    def measure(self, only):
        """What each test program links, and how long it takes; those that fail are left out."""
        for program in self.links:
            if only and not any(part in program for part in only):
                continue
            self.link(program, self.dir / "plain")
            members = (self.dir / "plain.map").read_text()
            names = {f"plugin/{stem}.c" for stem in re.findall(r"libtcpstates\.a\((\w+)\.o\)", members)}
            names |= {f"plugin/{stem}.c" for stem in re.findall(r"plugin/\w+-(\w+)\.o", members)}
            if not names & self.objects.keys():
                continue
            for fork in (False, True):
                begin = time.monotonic()
                if self.run(self.dir / "plain", fork, 120) == 0:
                    self.tests[program] = (time.monotonic() - begin, fork, names)
                    break
            else:
                self.left_out.append(program)
                print(f"left out, as it fails without any change: {program}", flush=True)

    def tests_of(self, name):
        """Its own first, then the quick ones."""
        own = f"tests/unit/test_{pathlib.Path(name).stem}"
        found = [(not program.startswith(own), seconds, program) for program, (seconds, _, names) in self.tests.items()
                 if name in names]
        return [program for _, _, program in sorted(found)]

    def judge(self, mutant, number):
        """Returns what becomes of it: "killed by TEST", "alive", "not compiled", "the same code"."""
        work = self.dir / f"mutant-{number}"
        shutil.rmtree(work, ignore_errors=True)
        work.mkdir()
        try:
            code = self.compile(mutant.file, mutant.text, work / "mutant.o")
            if code is None:
                return "not compiled"
            if code == self.objects[mutant.file]:
                return "the same code"
            for program in self.tests_of(mutant.file):
                seconds, fork, _ = self.tests[program]
                if not self.link(program, work / "test", mutant.file, work / "mutant.o"):
                    return "not compiled"
                if self.run(work / "test", fork, 10 + 20 * seconds) != 0:
                    return f"killed by {pathlib.Path(program).name}"
            return "alive"
        finally:
            shutil.rmtree(work, ignore_errors=True)


def judge_all(build, mutants, listed, equivalent, total, args):
    """Returns those that are alive."""
    print(f"{len(mutants) + len(listed)} of {total} mutants, {len(build.tests)} test programs", flush=True)
    counts, alive, begun = {}, [], time.monotonic()
    with concurrent.futures.ThreadPoolExecutor(args.jobs) as pool:
        for mutant, result in zip(mutants, pool.map(build.judge, mutants, range(len(mutants)))):
            kind = "killed" if result.startswith("killed") else result
            counts[kind] = counts.get(kind, 0) + 1
            if args.verbose:
                print(f"{result}: {mutant}", flush=True)
            if result == "alive":
                alive.append(mutant)
                if not args.verbose:
                    print(f"alive: {mutant}", flush=True)
    for mutant in listed:
        print(f"equivalent: {mutant}\n    {equivalent[mutant.key]}")
    if alive:
        print(f"\nA mutant that changes nothing goes into {EQUIVALENT.name}, with the reason as a fourth field:")
        for mutant in alive:
            print(mutant.key)
    print(f"{counts.get('killed', 0)} killed, {len(listed)} equivalent, {len(alive)} alive; "
          f"{counts.get('not compiled', 0)} did not compile, {counts.get('the same code', 0)} were the same code; "
          f"{time.monotonic() - begun:.0f} s")
    return alive


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", type=pathlib.Path, default=pathlib.Path("mutants"), help="where to build [%(default)s]")
    parser.add_argument("--sample", type=int, default=0, help="how many mutants; 0: all [%(default)s]")
    parser.add_argument("--seed", default="1", help="which ones are in the sample [%(default)s]")
    parser.add_argument("--jobs", type=int, default=2, help="how many at once [%(default)s]")
    parser.add_argument("--only", action="append", default=[], metavar="TEST", help="run only these tests; for trying")
    parser.add_argument("--verbose", action="store_true", help="print what becomes of each")
    parser.add_argument("files", nargs="*", help="plugin/X.c; none: all")
    args = parser.parse_args()
    names = args.files or sorted(str(p.relative_to(TOP)) for p in TOP.glob("plugin/*.c"))

    equivalent = {}
    for line in EQUIVALENT.read_text().splitlines():
        if line and not line.startswith("#"):
            file, before, after, reason = line.split("\t")
            equivalent["\t".join((file, before, after))] = reason

    mutants = [m for name in names for m in find_mutants(name, (TOP / name).read_text())]
    keys = {m.key for m in mutants}
    unmatched = [key for key in equivalent if key not in keys and (not args.files or key.split("\t")[0] in names)]
    for key in unmatched:
        print(f"no mutant is this entry of {EQUIVALENT.name}: {key}", flush=True)
    # By a hash of what it is: a change elsewhere leaves the sample as it is.
    mutants.sort(key=lambda m: hashlib.sha256(f"{args.seed}\t{m.key}".encode()).digest())
    total = len(mutants)
    if args.sample:
        mutants = mutants[:args.sample]
    listed = [m for m in mutants if m.key in equivalent]
    mutants = [m for m in mutants if m.key not in equivalent]

    try:
        build = Build(args.build.resolve(), names)
        build.measure(args.only)
        alive = judge_all(build, mutants, listed, equivalent, total, args)
    except Broken as error:
        sys.exit(f"this is not the mutant's fault: {error}")
    sys.exit(1 if alive or build.left_out or unmatched else 0)


if __name__ == "__main__":
    main()
