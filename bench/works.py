"""The works: what is sent, to whom, and which figures come of it. Each is called once a round for every
contestant and place, and gives {figure: value}."""

import contextlib
import dataclasses
import json
import os
import pathlib
import re
import socket
import subprocess
import time
import typing

import servers

SMALL, LARGE, LOG = 4 << 10, 256 << 20, 256 << 20
MIB = 1 << 20
SERVERS = ["bindery", "bindery-filr", "nginx", "dufs", "copyparty", "garage"]
# No servers.
LIMITS = ["loopback", "bare", "openssl", "dd"]
PEERS = ["bindery", "nginx", "dufs", "copyparty", "garage"]
BOTH = ["tmpfs", "disk"]
# Limits of the one place that are none of the other.
NOT_ON = {"disk": ("openssl", "loopback"), "tmpfs": ("dd",)}
FORM = ["-H", "Content-Type: application/x-www-form-urlencoded"]


@dataclasses.dataclass
class Work:
    name: str
    contestants: list
    places: list
    measure: typing.Callable
    most_rounds: int = 1000


@dataclasses.dataclass
class Figure:
    title: str
    unit: str
    more_is_better: bool = False


FIGURES = {
    "download-4k": Figure("download 4 KiB, 32 connections", "/s", True),
    "download-256m-1": Figure("download 256 MiB, 1 connection", "MB/s", True),
    "download-256m-8": Figure("download 256 MiB, 8 connections", "MB/s", True),
    "upload-4k": Figure("upload 4 KiB, 32 connections", "/s", True),
    "upload-256m-1": Figure("upload 256 MiB, 1 connection", "MB/s", True),
    "upload-256m-4": Figure("upload 256 MiB, 4 connections", "MB/s", True),
    "replace-filr": Figure("replace 4 KiB (Filr), 64 connections", "/s", True),
    "rename-filr": Figure("rename (Filr), 64 connections", "/s", True),
    "rename-rescale": Figure("rename (Rescale), 64 connections", "/s", True),
    "move-filr": Figure("move (Filr), 64 connections", "/s", True),
    "delete-filr": Figure("delete (Filr), 64 connections", "/s", True),
    "delete-rescale": Figure("delete (Rescale), 64 connections", "/s", True),
    "copy-1k": Figure("copy of 1 KiB", "ms"),
    "copy-10g": Figure("copy of 10 GiB", "ms"),
    "range-10g": Figure("range at the end of 10 GiB, median", "ms"),
    "range-10g-p99": Figure("range at the end of 10 GiB, p99", "ms"),
    "lines": Figure("`lines` of a log of 256 MiB", "MB/s of source", True),
    "lines-memory": Figure("memory at most while it is read", "MiB"),
    "start": Figure("start, until the first answer", "ms"),
    "memory-idle": Figure("memory, idle", "MiB"),
    "memory-1000": Figure("memory, 1,000 idle connections", "MiB"),
    "memory-64": Figure("memory at most, 64 transfers of 1 GiB", "MiB"),
}
for dialect in ("Rescale", "Filr"):
    for which in ("first", "last", "next"):
        how = "by `next`, from the middle" if which == "next" else which
        for part in ("p50", "p99"):
            FIGURES[f"page-{which}-{dialect.lower()}-{part}"] = Figure(f"page of 100, {how} ({dialect}), {part}", "ms")
    for term, title in (("few", "some 500 names, 3 characters"), ("100", "some 100 names"), ("all", "all names")):
        FIGURES[f"search-{term}-{dialect.lower()}"] = Figure(f"search that matches {title} ({dialect}), p99", "ms")


class Run:
    """What all works share: options, places, the load generator, and stores that are kept from round to round."""

    def __init__(self, options, tools, places, stores):
        self.options, self.tools, self.places, self.stores = options, tools, places, stores
        self.counter = 0

    def load(self, *arguments):
        self.counter += 1
        command = ["taskset", "-c", self.options.client_cores, self.tools["load"], *arguments]
        # Names never repeat within a store.
        if "--first" not in arguments:
            command += ["--first", self.counter * 10_000_000]
        done = subprocess.run(list(map(str, command)), capture_output=True, text=True)
        if done.returncode != 0:
            raise RuntimeError(f"{' '.join(map(str, arguments))}: {done.stdout}{done.stderr}")
        return json.loads(done.stdout)

    def server(self, who, place):
        self.counter += 1
        directory = self.places[place] / f"{who}-{self.counter}"
        return servers.ALL[who](self.tools, directory, self.options.cores)

    @contextlib.contextmanager
    def kept(self, name, place, fill):
        """A Bindery on a store that outlives the round; `fill` fills it the first time."""
        directory = self.stores[place] / name
        server = servers.Bindery(self.tools, directory, self.options.cores)
        if not (directory / "filled").exists():
            directory.mkdir(parents=True)
            server.start()
            fill(server)
            server.stop()
            (directory / "filled").touch()
            os.sync()
        server.start()
        try:
            yield server
        finally:
            server.stop()

    def stored(self, files):
        def fill(server):
            self.load("-c", 8, "-n", min(500, files), *few(server))
            server.stop()
            data = server.directory / "data"
            subprocess.run([self.tools["seed"], data, "admin", str(files)], check=True, stdout=subprocess.DEVNULL)
            server.start()

        return self.kept(f"{files}-files", "disk", fill)


def few(server):
    return [*server.header, "--form", "qzj-{n}.txt", "--text", "", "--body-bytes", 16, server.url + "/api/v2/files/contents/"]


def download_small(run, who, place):
    with run.server(who, place) as server:
        asked = ["-c", 32, "--length", SMALL, *server.download(os.urandom(SMALL))]
        run.load("-s", 0.3, *asked)
        return {"download-4k": run.load("-s", run.options.seconds, *asked)["rate"]}


def download_large(run, who, place):
    figures = {}
    with run.server(who, place) as server:
        asked = ["--length", LARGE, *server.download(os.urandom(LARGE))]
        server.settle()
        run.load("-n", 1, *asked)
        for connections in (1, 8):
            answer = run.load("-c", connections, "-s", run.options.seconds, *asked)
            figures[f"download-256m-{connections}"] = answer["mb_per_second"]
    return figures


def upload_small(run, who, place):
    with run.server(who, place) as server:
        run.load("-c", 32, "-n", 64, *server.upload(SMALL, 64))
        requests = int(6000 * run.options.seconds)
        asked = ["-c", 32, "-s", run.options.seconds, "--first", 0, *server.upload(SMALL, requests)]
        return {"upload-4k": run.load(*asked)["rate"]}


def upload_large(run, who, place):
    if who == "openssl":
        return {"upload-256m-1": md5(run)}
    if who == "dd":
        return {"upload-256m-1": write(run, place)}
    figures = {}
    for connections, requests in ((1, 4), (4, 8)):
        with run.server(who, place) as server:
            asked = server.upload(LARGE, requests)
            answer = run.load("-c", connections, "-n", requests, "--first", 0, *asked)
            figures[f"upload-256m-{connections}"] = answer["mb_per_second"]
        os.sync()
    return figures


def md5(run):
    """What one core hashes, the limit of an upload whose answer holds an MD5."""
    command = ["taskset", "-c", run.options.cores, "openssl", "speed", "-seconds", "2", "-bytes", "262144", "md5"]
    last = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()[-1]
    return float(last.rstrip("k")) / 1000


def write(run, place):
    """What the file system takes in one go, synced at the end."""
    source, target = run.places["tmpfs"] / "written", run.places[place] / "written"
    source.write_bytes(os.urandom(LARGE))
    began = time.monotonic()
    subprocess.run(["dd", f"if={source}", f"of={target}", "bs=1M", "conv=fsync", "status=none"], check=True)
    speed = LARGE / (time.monotonic() - began) / 1e6
    source.unlink()
    target.unlink()
    return speed


def change(run, who, place):
    figures = {}
    count = run.options.changes
    with run.server("bindery", place) as server:
        folder = server.call("POST", "/rest/self/my_files/library_folders", b'{"title": "there"}')["id"]
        saved = server.directory / "saved"

        def ids(uploaded, pattern):
            saved.unlink(missing_ok=True)
            run.load("-c", 64, "-n", count, "--save", saved, *uploaded)
            return re.findall(pattern, saved.read_text())

        def each(figure, names, line, *options):
            assert len(names) == count, f"{len(names)} ids of {count}"
            listed = server.directory / "list"
            listed.write_text("".join(line.replace("ID", name) + "\n" for name in names))
            figures[figure] = run.load("-c", 64, "--list", listed, *server.header, *options, server.url)["rate"]

        found = ids(server.upload(SMALL, count), r'"id":"([A-Za-z]+)"')
        json_type = ["-H", "Content-Type: application/json"]
        each("rename-rescale", found, 'PATCH\t/api/v2/files/ID/\t{"name": "r-{n}.dat"}', *json_type)
        each("delete-rescale", found, "DELETE\t/api/v2/files/ID/")
        filr = servers.BinderyFilr.upload(server, SMALL, count)
        found = ids(filr, r'"id":"([0-9a-f]{32})"')
        raw = ["-H", "Content-Type: application/octet-stream", "--body-bytes", SMALL]
        each("replace-filr", found, "POST\t/rest/files/ID?force_overwrite=true", *raw)
        each("rename-filr", found, "POST\t/rest/files/ID/name\tname=r-{n}.dat", *FORM)
        each("move-filr", found, f"POST\t/rest/files/ID/parent_folder\tfolder_id={folder}", *FORM)
        each("delete-filr", found, "DELETE\t/rest/files/ID")
    return figures


def big(run, who, place):
    size = run.options.big
    ranged = ["-H", "Range: bytes=-1", "--status", 206, "--length", 1, "-n", 200]

    def fill(server):
        for name, length in (("big", size), ("small", 1 << 10)):
            path = f"{server.url}/rest/self/my_files/library_files?file_name={name}"
            kind = ["-H", "Content-Type: application/octet-stream", "--body-bytes", length]
            run.load("-n", 1, *server.header, *kind, path)

    if who == "nginx":
        with run.server(who, place) as server:
            with open(server.root / "file.dat", "wb") as file:
                file.truncate(size)
            asked = run.load(*ranged, f"{server.url}/file.dat")
            copied = run.load("-X", "COPY", "-n", 1, "-H", f"Destination: {server.url}/copy", f"{server.url}/file.dat")
        return {**range_figures(asked), "copy-10g": copied["p50_us"] / 1000}
    with run.kept(f"big-{size}", place, fill) as server:
        found = {
            name: server.call("GET", f"/rest/self/my_files/library_files?file_name={name}")["items"][0]["id"]
            for name in ("big", "small")
        }
        taken = {"big": [], "small": []}
        for turn in range(11):
            for name, times in taken.items():
                # A store that was kept has those of an earlier run.
                text = f"file_name=copy-{time.time_ns()}-{{n}}&source_id={found[name]}"
                path = f"{server.url}/rest/self/my_files/library_files"
                times.append(run.load("-n", 5, *server.header, *FORM, "--text", text, path)["p50_us"] / 1000)
        asked = run.load(*ranged, *server.header, f"{server.url}/rest/files/{found['big']}")
    middle = {name: sorted(times[1:])[5] for name, times in taken.items()}
    return {**range_figures(asked), "copy-10g": middle["big"], "copy-1k": middle["small"]}


def range_figures(answer):
    return {"range-10g": answer["p50_us"] / 1000, "range-10g-p99": answer["p99_us"] / 1000}


def lines(run, who, place):
    with run.server("bindery", place) as server:
        log = server.directory / "log.txt"
        line = "2026-11-28T12:00:00.{:06}Z INFO step {:08}: residual 1.2345e-06, 42 iterations, node 17\n"
        log.write_text("".join(line.format(n, n) for n in range(100_000)))
        path = f"{server.url}/rest/self/my_files/library_files?file_name=run.log"
        kind = ["-H", "Content-Type: application/octet-stream", "--body-file", log, "--body-bytes", LOG]
        run.load("-n", 1, *server.header, *kind, path)
        # What uploading took is not to be counted, nor what follows an upload.
        server.settle()
        server.stop()
        server.start()
        asked = f"{server.url}/api/v2/files/{server.rescale_id('run.log')}/lines/"
        answer = run.load("-n", 5, *server.header, asked)
        return {"lines": LOG / answer["p50_us"], "lines-memory": server.memory_mib("VmHWM")}


def pages(run, who, place):
    files = 1000 if who == "few" else run.options.files
    figures = {}
    with run.stored(files) as server:
        for dialect, asked in page_paths(server, files).items():
            for which, paths in asked.items():
                listed = server.directory / "list"
                listed.write_text("".join(f"GET\t{path}\n" for path in paths))
                arguments = ["--list", listed, "--cycle", *server.header, server.url]
                run.load("-n", 20, *arguments)
                answer = run.load("-n", 1000, *arguments)
                for part in ("p50", "p99"):
                    figures[f"page-{which}-{dialect}-{part}"] = answer[f"{part}_us"] / 1000
    return figures


def page_paths(server, files):
    """Paths of the first page, the last, and those that `next` names from the middle on."""
    rescale, filr = "/api/v2/files/?page_size=100", "/rest/self/my_files/library_children?count=100"
    paths = {
        "rescale": {"first": [rescale], "last": [rescale + "&page=last"], "next": []},
        "filr": {"first": [filr], "last": [f"{filr}&first={files - 100}"], "next": []},
    }
    pages = files // 100
    at = {"rescale": f"{rescale}&page={pages // 2}", "filr": f"{filr}&first={pages // 2 * 100}"}
    for dialect, path in at.items():
        for _ in range(min(50, pages // 2)):
            following = server.call("GET", path).get("next")
            if not following:
                break
            path = following.removeprefix(server.url) if dialect == "rescale" else "/rest" + following
            paths[dialect]["next"].append(path)
    return paths


def search(run, who, place):
    # What scripts/bench seeds is named case-NNNN-step-NNNNNNN.dat.
    terms = {"few": "qzj", "100": "-0123-step-00", "all": "step"}
    figures = {}
    with run.stored(run.options.files) as server:
        for name, term in terms.items():
            count = 20 if name == "all" else 200
            for dialect, path in (
                ("rescale", f"/api/v2/files/?search={term}"),
                ("filr", f"/rest/self/my_files/library_entities?keyword={term}"),
            ):
                run.load("-n", 2, *server.header, server.url + path)
                answer = run.load("-n", count, *server.header, server.url + path)
                figures[f"search-{name}-{dialect}"] = answer["p99_us"] / 1000
    return figures


def idle(run, who, place):
    if who == "bindery":
        with run.stored(run.options.files) as server:
            return {"start": server.start_ms, **idle_memory(server)}
    with run.server(who, place) as server:
        return idle_memory(server)


def idle_memory(server):
    time.sleep(1.5)
    figures = {"memory-idle": server.memory_mib()}
    token = f"Authorization: Token {server.token}\r\n" if hasattr(server, "token") else ""
    path = "/api/v2/users/me/" if token else "/"
    asked = f"GET {path} HTTP/1.1\r\nHost: localhost\r\n{token}\r\n".encode()
    with contextlib.ExitStack() as all_of_them:
        for _ in range(1000):
            one = all_of_them.enter_context(socket.create_connection(("127.0.0.1", server.port), timeout=30))
            one.sendall(asked)
            one.recv(65_536)
        time.sleep(0.5)
        figures["memory-1000"] = server.memory_mib()
    return figures


def transfers(run, who, place):
    size, most = run.options.transfer, 0
    with run.server(who, place) as server:
        run.load("-n", 1, "--first", 9_000_000_000, *server.upload(size, 1))
        name = server.call("GET", "/api/v2/files/")["results"][0]["id"]
        down = [*server.header, f"{server.url}/api/v2/files/{name}/contents/"]
        jobs = [
            subprocess.Popen(list(map(str, [run.tools["load"], "-c", 32, "-n", 32, *asked])), stdout=subprocess.DEVNULL)
            for asked in (server.upload(size, 32), down)
        ]
        while any(job.poll() is None for job in jobs):
            most = max(most, server.memory_mib())
            time.sleep(0.05)
        assert all(job.returncode == 0 for job in jobs), "a transfer failed"
    return {"memory-64": most}


ALL = [
    Work("download-small", SERVERS, BOTH, download_small),
    Work("download-large", [*SERVERS, "loopback", "bare"], BOTH, download_large),
    Work("upload-small", [*SERVERS, "bare"], BOTH, upload_small),
    Work("upload-large", [*PEERS, "bare", "openssl", "dd"], BOTH, upload_large),
    Work("change", ["bindery"], BOTH, change),
    Work("lines", ["bindery"], ["tmpfs"], lines),
    Work("pages", ["few", "many"], ["disk"], pages),
    Work("search", ["bindery"], ["disk"], search),
    Work("idle", PEERS, ["disk"], idle),
    Work("big", ["bindery", "nginx"], ["disk"], big),
    Work("transfers", ["bindery"], ["disk"], transfers, most_rounds=1),
]
