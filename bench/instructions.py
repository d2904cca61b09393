"""Instructions of the server for a request of each kind, counted by callgrind: they repeat where times do not.

Called by scripts/instructions. The server has one core, and so one worker; requests come one behind the other
over one connection, each kind behind some that warm it up. What runs each second or minute is counted with
them, and is little.
"""

import argparse
import json
import math
import os
import pathlib
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from functools import partial

import servers
import works

COMMITTED = pathlib.Path(__file__).with_name("instructions.txt")
HEAD = "# Instructions of a request, by scripts/instructions --write, on: "
TOLERANCE = 0.05
# Which writes share a commit, and which names are indexed and merged together, depends on the moment.
TOLERANCE_WRITE, TOLERANCE_RENAME = 0.1, 0.25
GROWTH = 1.2
# Enough that what runs beside them, such as a checkpoint, is spread thin.
WARM, COUNTED = 30, 600
FEWER_WARM, FEWER = 5, 30
# The index of names merges its parts now and then, a little with each batch: where stores are compared, so many renames
# that each has seen both.
RENAMES = 6000
PARTS = 3
# Each second what was done is linked in the audit log, and names are indexed: what a kind of request leaves to that
# is its own, and comes to its end before the next one.
EACH_SECOND = 1.2
WRITES = ("upload", "copy", "rename", "delete", "replace", "move")
HEAVY = ("page", "search", "lines", "1 MiB")
SMALL, LARGE = 4 << 10, 1 << 20


def options():
    parser = argparse.ArgumentParser(prog="scripts/instructions", description=__doc__)
    parser.add_argument("--write", action="store_true", help=f"renew bench/{COMMITTED.name}")
    parser.add_argument("--sizes", help="compare stores of so many files with each other: 1000,10000,100000,1000000")
    parser.add_argument("--results", type=pathlib.Path, help="with --sizes: adds to these results of scripts/bench")
    parser.add_argument("--kinds", help="only those that contain this")
    parser.add_argument("--store", type=pathlib.Path, default=tempfile.gettempdir(), help="where stores are made")
    parser.add_argument("--tools", type=json.loads, required=True, help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.results and not chosen.results.exists():
        parser.error(f"{chosen.results}: there are no results to add to")
    return chosen


def skipping(arguments, used):
    return ["--skip", WARM + used, *arguments]


def is_write(kind):
    return any(word in kind for word in WRITES)


def tolerance(kind):
    if "rename" in kind:
        return TOLERANCE_RENAME
    return TOLERANCE_WRITE if is_write(kind) else TOLERANCE


class Counter:
    """The server under callgrind."""

    def __init__(self, tools, directory):
        self.tools, self.directory = tools, pathlib.Path(directory)
        self.core = str(min(os.sched_getaffinity(0)))
        self.server = servers.Bindery(tools, directory, self.core)
        self.dumps, self.first = 0, 0

    def load(self, *arguments):
        self.first += 1_000_000
        command = [self.tools["load"], "--first", self.first, *arguments]
        done = subprocess.run(list(map(str, command)), capture_output=True, text=True)
        if done.returncode != 0:
            raise RuntimeError(f"{' '.join(map(str, arguments))}: {done.stdout}{done.stderr}")

    def fill(self, files):
        """Without callgrind: a store with so many files, and those that are asked for."""
        server = self.server
        server.start()
        self.load("-n", 20, *works.few(server))
        server.stop()
        seed = ["taskset", "-c", self.core, self.tools["seed"], str(server.directory / "data"), "admin", str(files)]
        subprocess.run(seed, check=True, stdout=subprocess.DEVNULL)
        server.start()
        server.put("small.dat", os.urandom(SMALL))
        server.put("large.dat", os.urandom(LARGE))
        server.put("run.log", b"".join(b"step %08d: residual 1.2345e-06, 42 iterations\n" % n for n in range(20_000)))
        server.stop()

    def trace(self):
        files = self.directory / "callgrind"
        self.server.before = ("valgrind", "--tool=callgrind", f"--callgrind-out-file={files}")
        self.server.start()

    def ask(self, command):
        """Tells callgrind what to do; it is done when this returns."""
        asked = ["vgdb", f"--pid={self.server.process.pid}", command]
        done = subprocess.run(asked, capture_output=True, text=True, timeout=60)
        if done.returncode != 0:
            raise RuntimeError(done.stdout + done.stderr)

    def cpu_seconds(self):
        fields = pathlib.Path(f"/proc/{self.server.process.pid}/stat").read_text().rpartition(")")[2].split()
        return sum(map(int, fields[11:13])) / os.sysconf("SC_CLK_TCK")

    def settle(self):
        """Waits until what follows a write, or a start, is done."""
        used = self.cpu_seconds()
        while True:
            time.sleep(EACH_SECOND)
            before, used = used, self.cpu_seconds()
            # What a second takes with nothing to do, under callgrind.
            if used - before < 0.05:
                return

    def count_each(self, kind, count, options):
        """For one request. A sweep, each minute, may come into one of the parts; `options` are those of each."""
        share = count // PARTS
        parts = (self.count(kind, "-n", share, *options(part * share)) // share for part in range(PARTS))
        return statistics.median_low(parts)

    def count(self, kind, *arguments):
        """What ran while the requests were served."""
        if is_write(kind):
            self.settle()
        self.ask("zero")
        self.load(*arguments)
        if is_write(kind):
            self.settle()
        self.dumps += 1
        self.ask("dump")
        dump = self.directory / f"callgrind.{self.dumps}"
        totals = [line for line in dump.read_text().splitlines() if line.startswith("totals:")]
        dump.unlink()
        return int(totals[-1].split()[1])


def kinds(server):
    """Arguments for a request of each kind, and lines for those that take a file, ID, each."""
    files = server.call("GET", "/api/v2/files/?search=small.dat")["results"][0]["id"]

    def by_name(name):
        return server.call("GET", f"/rest/self/my_files/library_files?file_name={name}")["items"][0]["id"]

    small, large, log = by_name("small.dat"), by_name("large.dat"), server.rescale_id("run.log")
    folder = server.call("POST", "/rest/self/my_files/library_folders", b'{"title": "there"}')["id"]
    rescale, filr, raw = "/api/v2/files", "/rest", ["-H", "Content-Type: application/octet-stream"]
    new = f"{filr}/self/my_files/library_files"
    json_type = ["-H", "Content-Type: application/json"]
    once = {
        "rescale rename": ["PATCH\t/api/v2/files/ID/\t{\"name\": \"r-{n}\"}", *json_type],
        "rescale delete": ["DELETE\t/api/v2/files/ID/"],
        "filr replace 4 KiB": ["POST\t/rest/files/ID?force_overwrite=true", *raw, "--body-bytes", SMALL],
        "filr rename": ["POST\t/rest/files/ID/name\tname=r-{n}", *works.FORM],
        "filr move": [f"POST\t/rest/files/ID/parent_folder\tfolder_id={folder}", *works.FORM],
        "filr delete": ["DELETE\t/rest/files/ID"],
    }
    many = {
        "rescale metadata": [f"{rescale}/{files}/"],
        "rescale download 4 KiB": [f"{rescale}/{files}/contents/"],
        "rescale page of 100": [f"{rescale}/?page_size=100"],
        "rescale last page of 100": [f"{rescale}/?page_size=100&page=last"],
        "rescale search": [f"{rescale}/?search=qzj"],
        "rescale lines of 1 MiB": [f"{rescale}/{log}/lines/"],
        "rescale upload 4 KiB": ["--form", "u-{n}", "--body-bytes", SMALL, f"{rescale}/contents/"],
        "rescale upload 1 MiB": ["--form", "u-{n}", "--body-bytes", LARGE, f"{rescale}/contents/"],
        "filr metadata": [f"{filr}/files/{small}/metadata"],
        "filr download 4 KiB": [f"{filr}/files/{small}"],
        "filr download 1 MiB": [f"{filr}/files/{large}"],
        "filr range at the end of 1 MiB": ["-H", "Range: bytes=-1", f"{filr}/files/{large}"],
        "filr page of 100": [f"{filr}/self/my_files/library_children?count=100"],
        "filr search": [f"{filr}/self/my_files/library_entities?keyword=qzj"],
        "filr upload 4 KiB": [*raw, "--body-bytes", SMALL, new + "?file_name=f-{n}"],
        "filr copy": [*works.FORM, "--text", f"file_name=c-{{n}}&source_id={small}", new],
    }
    return many, once


# What these make is what is renamed, moved and deleted behind them.
UPLOADED = {"rescale upload 4 KiB": "rescale", "filr upload 4 KiB": "filr"}


def measure(tools, directory, files, only, renames=COUNTED):
    counter = Counter(tools, directory)
    server = counter.server
    server.directory.mkdir(parents=True)
    counted = {}
    try:
        counter.fill(files)
        counter.trace()
        many, once = kinds(server)
        # Or the first kind would pay for the start.
        counter.settle()
        found = {}
        for kind, (*arguments, path) in many.items():
            if only and only not in kind:
                continue
            heavy = any(word in kind for word in HEAVY)
            warm, count = (FEWER_WARM, FEWER) if heavy else (WARM, COUNTED)
            saved = server.directory / "saved"
            saved.unlink(missing_ok=True)
            arguments = ["--save", saved, *arguments, *server.header, server.url + path]
            counter.load("-n", warm, *arguments)
            counted[kind] = counter.count_each(kind, count, lambda _, same=arguments: same)
            if kind in UPLOADED:
                found[UPLOADED[kind]] = [json.loads(line)["id"] for line in saved.read_text().splitlines()]
        for kind, (line, *arguments) in once.items():
            names = found.get(kind.split()[0])
            if not names or only and only not in kind:
                continue
            listed = server.directory / "list"
            listed.write_text("".join(line.replace("ID", name) + "\n" for name in names))
            arguments = ["--list", listed, *arguments, *server.header, server.url]
            counter.load("-n", WARM, *arguments)
            count = COUNTED
            if "rename" in kind:
                count, arguments = renames, ["--cycle", *arguments]
            counted[kind] = counter.count_each(kind, count, partial(skipping, arguments))
    finally:
        server.stop()
        shutil.rmtree(directory, ignore_errors=True)
    if not counted:
        sys.exit(f"Nothing was counted: no kind contains {only!r}, or a change that needs the uploads of its API beside it")
    return counted


def processor():
    """By which libraries choose their code, and so their counts."""
    pairs = (line.partition(":") for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines())
    fields = {name.strip(): value.strip() for name, _, value in pairs}
    return " ".join(fields.get(name, "unknown") for name in ("model name", "cpu family", "model"))


class Committed:
    def __init__(self):
        head, *lines = COMMITTED.read_text().splitlines()
        self.processor = head.removeprefix(HEAD)
        rows = (line.rsplit(None, 1) for line in lines)
        self.counts = {kind.strip(): int(count.replace(",", "")) for kind, count in rows}

    @staticmethod
    def write(counts):
        lines = [HEAD + processor()] + [f"{kind:<32}{count:>12,}" for kind, count in counts.items()]
        COMMITTED.write_text("\n".join(lines) + "\n")

    def change(self, kind, count):
        before = self.counts.get(kind)
        return count / before - 1 if before else math.inf

    def is_near(self, kind, count):
        return abs(self.change(kind, count)) <= tolerance(kind)

    def nearer(self, one, other):
        return {kind: min(one[kind], other[kind], key=lambda count: abs(self.change(kind, count))) for kind in one}

    def print(self, counts):
        for kind, count in counts.items():
            outside = "" if self.is_near(kind, count) else "  <- outside"
            print(f"{kind:<32}{count:>12,}  {self.change(kind, count):+.1%}{outside}")


def compare(measured):
    """Whether all counts are near those that are committed; what is outside is counted twice, since a timer may have come between."""
    known, counts = Committed(), measured()
    if not all(known.is_near(*pair) for pair in counts.items()):
        known.print(counts)
        print("Once more:")
        counts = known.nearer(counts, measured())
    known.print(counts)
    good = all(known.is_near(*pair) for pair in counts.items())
    if good or known.processor == processor():
        return good
    print(f"Not held against it: committed are counts of {known.processor}, and this is {processor()}.")
    return True


def grow(chosen, directory):
    sizes = [int(size) for size in chosen.sizes.split(",")]
    counted = {
        size: measure(chosen.tools, directory / str(size), size, chosen.kinds, RENAMES) for size in sizes
    }
    good = True
    print(f"{'files':<32}" + "".join(f"{size:>22,}" for size in sizes))
    for kind in counted[sizes[0]]:
        line, before = f"{kind:<32}", None
        for size in sizes:
            count = counted[size][kind]
            step = count / before if before else 1
            good &= step <= GROWTH
            line += f"{count:>14,} {step:>5.2f} {'!' if step > GROWTH else ' '}"
            before = count
        print(line)
    if chosen.results:
        results = json.loads(chosen.results.read_text())
        results["growth"] = {kind: [counted[size][kind] for size in sizes] for kind in counted[sizes[0]]}
        results["growth_sizes"] = sizes
        chosen.results.write_text(json.dumps(results, indent=1) + "\n")
    return good


def main():
    chosen = options()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    with tempfile.TemporaryDirectory(prefix="bindery-instructions-", dir=chosen.store) as directory:
        directory = pathlib.Path(directory)
        if chosen.sizes:
            sys.exit(0 if grow(chosen, directory) else 1)
        measured = partial(measure, chosen.tools, directory / "store", 1000, chosen.kinds)
        if chosen.write:
            Committed.write(measured())
            return
        sys.exit(0 if compare(measured) else 1)


if __name__ == "__main__":
    main()
