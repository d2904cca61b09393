"""How each server starts and stops, with a directory of its own, and how it is asked for one file.

Each takes any free port of loopback, is pinned to the cores that it is given, and is gone with its directory
behind `stop`. What a work sends to it is a list of arguments for bench/load.
"""

import contextlib
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request

import s3

DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def until(condition, process, log, seconds=60):
    """Waits until the condition holds, or fails with the log."""
    end = time.monotonic() + seconds
    while not condition():
        if process.poll() is not None or time.monotonic() > end:
            raise RuntimeError(f"ended, or not ready in time: {pathlib.Path(log).read_text()[-2000:]}")
        time.sleep(0.002)


def listens(port):
    with socket.socket() as one:
        return one.connect_ex(("127.0.0.1", port)) == 0


class Server:
    """A process group in `directory`; contents lie below it, so that they are on its file system."""

    name = ""
    lacks = ""

    def __init__(self, tools, directory, cores):
        self.tools = tools
        self.directory = pathlib.Path(directory)
        self.cores = cores
        self.process = None

    def __enter__(self):
        self.directory.mkdir(parents=True, exist_ok=True)
        self.start()
        return self

    def __exit__(self, *_):
        self.stop()
        shutil.rmtree(self.directory, ignore_errors=True)

    def spawn(self, command, **environment):
        self.log = self.directory / "log"
        with open(self.log, "ab") as log, open(self.directory / "out", "wb") as out:
            self.process = subprocess.Popen(
                ["taskset", "-c", self.cores, *map(str, command)],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=log,
                cwd=self.directory,
                env={**os.environ, "HOME": str(self.directory), **environment},
                start_new_session=True,
            )

    def listen(self, command, **environment):
        self.spawn(command, **environment)
        until(lambda: listens(self.port), self.process, self.log)
        self.url = f"http://127.0.0.1:{self.port}"

    def settle(self):
        """Waits until what a server does behind an upload's answer is done."""

    def stop(self):
        if self.process is None:
            return
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(40)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        # Children that it left behind.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process = None

    def memory_mib(self, field="VmRSS"):
        """Of the whole group: nginx has a process for each core."""
        total = 0
        for status in pathlib.Path("/proc").glob("[0-9]*/status"):
            try:
                if os.getpgid(int(status.parent.name)) == self.process.pid:
                    lines = status.read_text().splitlines()
                    total += sum(int(line.split()[1]) for line in lines if line.startswith(field + ":"))
            except (ProcessLookupError, FileNotFoundError):
                pass
        return total / 1024

    def make_root(self):
        """A directory that is served as it is, and a port for it."""
        self.root = self.directory / "root"
        self.root.mkdir(exist_ok=True)
        self.port = free_port()

    def upload(self, size, requests):
        """Arguments of one upload under a name that is counted."""
        return ["-X", "PUT", "--body-bytes", size, f"{self.url}/{{n}}.dat"]

    def download(self, content):
        """Stores the content, and says how to ask for it."""
        (self.root / "file.dat").write_bytes(content)
        return [f"{self.url}/file.dat"]


class Nginx(Server):
    name = "nginx"
    lacks = "no sync, encryption, authentication, MD5, versions"

    def start(self):
        self.make_root()
        user = "user root;" if os.geteuid() == 0 else ""
        temporary = "".join(
            f"{kind}_temp_path {self.directory}/{kind};\n"
            for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
        )
        (self.directory / "nginx.conf").write_text(f"""
{user}
daemon off;
worker_processes {len(os.sched_getaffinity(0))};
pid {self.directory}/pid;
error_log {self.directory}/log;
events {{ worker_connections 4096; }}
http {{
  access_log off;
  sendfile on;
  tcp_nopush on;
  keepalive_requests 1000000000;
  client_max_body_size 0;
  {temporary}
  server {{
    listen 127.0.0.1:{self.port};
    root {self.root};
    location / {{ dav_methods PUT DELETE COPY MOVE; }}
  }}
}}
""")
        self.listen([self.tools["nginx"], "-e", self.directory / "log", "-c", self.directory / "nginx.conf"])


class Dufs(Server):
    name = "dufs"
    lacks = "no sync, encryption, authentication, MD5, versions"

    def start(self):
        self.make_root()
        self.listen([self.tools["dufs"], "-A", "-b", "127.0.0.1", "-p", self.port, "--log-format", "", self.root])


class Copyparty(Server):
    name = "copyparty"
    lacks = "no sync, encryption, authentication, versions; SHA-512 for MD5"

    def start(self):
        self.make_root()
        cores = len(os.sched_getaffinity(0))
        self.listen(
            [self.tools["copyparty"], "-q", "--http-only", "-i", "127.0.0.1", "-p", self.port]
            # Without --wram it takes nothing on tmpfs.
            + ["-j", cores, "--wram", "-v", f"{self.root}::A"],
            XDG_CONFIG_HOME=str(self.directory / "config"),
            TMPDIR=str(self.directory),
        )

    def stop(self):
        """Its processes share semaphores, which it leaves behind."""
        mapped = self.semaphores() if self.process else set()
        super().stop()
        for one in mapped:
            pathlib.Path(one).unlink(missing_ok=True)

    def semaphores(self):
        found = set()
        for maps in pathlib.Path("/proc").glob("[0-9]*/maps"):
            with contextlib.suppress(OSError):
                if os.getpgid(int(maps.parent.name)) == self.process.pid:
                    found |= set(re.findall(r"/dev/shm/sem\.mp-\w+", maps.read_text()))
        return found


class Garage(Server):
    name = "Garage"
    lacks = "no sync, encryption, versions"

    def start(self):
        self.port, rpc, admin = free_port(), free_port(), free_port()
        self.key, self.secret = "GK" + os.urandom(12).hex(), os.urandom(32).hex()
        (self.directory / "garage.toml").write_text(f"""
metadata_dir = "{self.directory}/meta"
data_dir = "{self.directory}/data"
db_engine = "lmdb"
replication_factor = 1
rpc_bind_addr = "127.0.0.1:{rpc}"
rpc_public_addr = "127.0.0.1:{rpc}"
rpc_secret = "{os.urandom(32).hex()}"
[s3_api]
s3_region = "garage"
api_bind_addr = "127.0.0.1:{self.port}"
[admin]
api_bind_addr = "127.0.0.1:{admin}"
""")
        self.listen(
            [self.tools["garage"], "-c", self.directory / "garage.toml"]
            + ["server", "--single-node", "--default-bucket"],
            GARAGE_DEFAULT_ACCESS_KEY=self.key,
            GARAGE_DEFAULT_SECRET_KEY=self.secret,
            GARAGE_DEFAULT_BUCKET="bench",
            RUST_LOG="warn",
        )

        def healthy():
            try:
                return DIRECT.open(f"http://127.0.0.1:{admin}/health").status == 200
            except OSError:
                return False

        until(healthy, self.process, self.log)

    def signed(self, method, key):
        return s3.presigned(method, f"127.0.0.1:{self.port}", f"/bench/{key}", "garage", self.key, self.secret)

    def upload(self, size, requests):
        listed = self.directory / "list"
        listed.write_text("".join(f"PUT\t{self.signed('PUT', f'{n:010}.dat')}\n" for n in range(requests)))
        return ["--body-bytes", size, "--list", listed, self.url]

    def download(self, content):
        request = urllib.request.Request(self.url + self.signed("PUT", "file.dat"), data=content, method="PUT")
        DIRECT.open(request).read()
        return [self.url + self.signed("GET", "file.dat")]


class Loopback(Server):
    """No server, but what the loopback gives to the client: bytes out of memory."""

    name = "loopback"
    lacks = "the same bytes out of memory, whatever is asked for"

    def start(self):
        self.port = free_port()

    def download(self, content):
        self.listen([sys.executable, pathlib.Path(__file__).with_name("loopback.py"), self.port, len(content)])
        return [self.url]


class Bare(Loopback):
    """What a request costs at least, one thread a connection."""

    name = "bare loop"
    lacks = "bytes opened and sent, small ones committed as a row with their MD5, large ones written and synced; nothing else"

    def download(self, content):
        self.begin(len(content))
        return [self.url]

    def upload(self, size, requests):
        if self.process is None:
            self.begin(0)
        return super().upload(size, requests)

    def begin(self, sealed):
        self.listen([self.tools["bare"], self.port, sealed, self.directory])


class Bindery(Server):
    name = "Bindery"
    # What it is to run under.
    before = ()

    def start(self):
        """Starts it, on a store that may be there from before."""
        began = time.monotonic()
        out = self.directory / "out"
        program = [*self.before, self.tools["bindery"]]
        self.spawn([*program, "serve", "--data", self.directory / "data", "--listen", "127.0.0.1:0"])
        until(lambda: b"\nListening on " in b"\n" + out.read_bytes(), self.process, self.log)
        said = dict(line.split(": ", 1) for line in out.read_text().splitlines() if line.count(": ") == 1)
        self.url = out.read_text().split("Listening on ")[1].split()[0]
        self.port = int(self.url.rsplit(":", 1)[1])
        kept = self.directory / "token"
        if "Token" in said:
            kept.write_text(said["Token"])
        self.token = kept.read_text()
        self.call("GET", "/api/v2/users/me/")
        self.start_ms = (time.monotonic() - began) * 1000

    @property
    def header(self):
        return ["-H", f"Authorization: Token {self.token}"]

    def call(self, method, path, body=None, kind="application/json"):
        headers = {"Authorization": f"Token {self.token}", "Content-Type": kind}
        request = urllib.request.Request(self.url + path, data=body, method=method, headers=headers)
        with DIRECT.open(request) as answer:
            text = answer.read()
        return json.loads(text) if text[:1] in b"{[" and text else text

    def settle(self):
        def digested():
            time.sleep(0.05)
            return all(file["fileChecksums"] for file in self.call("GET", "/api/v2/files/")["results"])

        until(digested, self.process, self.log)

    def put(self, name, content):
        """A new file; its metadata in the words of the Filr API."""
        path = f"/rest/self/my_files/library_files?file_name={name}"
        return self.call("POST", path, content, "application/octet-stream")

    def rescale_id(self, name):
        return self.call("GET", f"/api/v2/files/?search={name}")["results"][0]["id"]

    def upload(self, size, requests):
        return [*self.header, "--form", "{n}.dat", "--body-bytes", size, f"{self.url}/api/v2/files/contents/"]

    def download(self, content):
        self.put("file.dat", content)
        return [*self.header, f"{self.url}/api/v2/files/{self.rescale_id('file.dat')}/contents/"]


class BinderyFilr(Bindery):
    """The same server, asked in the other dialect."""

    name = "Bindery, Filr"

    def upload(self, size, requests):
        path = "/rest/self/my_files/library_files?file_name={n}.dat"
        return [*self.header, "-H", "Content-Type: application/octet-stream"] + [
            *["--body-bytes", size, self.url + path]
        ]

    def download(self, content):
        return [*self.header, f"{self.url}/rest/files/{self.put('file.dat', content)['id']}"]


ALL = {
    "bindery": Bindery,
    "bindery-filr": BinderyFilr,
    "nginx": Nginx,
    "dufs": Dufs,
    "copyparty": Copyparty,
    "garage": Garage,
    "loopback": Loopback,
    "bare": Bare,
}
