"""Two processes over one PostgreSQL and one S3 server, under load, while one of them is killed: a process,
or the S3 server."""

import base64
import os
import re
import signal
import threading

import pytest
import requests

from harness import DEADLINE_SECONDS, Account, wait_until
from test_nodes import SERVER, database  # noqa: F401 (a fixture)
from test_s3 import MIB, PROGRAM, URL, store  # noqa: F401 (a fixture)

pytestmark = pytest.mark.skipif(
    not (SERVER and PROGRAM), reason="scripts/test starts a PostgreSQL server and builds s3s-fs"
)

FILES = "/rest/self/my_files/library_files"
# What connections break with when what is behind them is killed.
BROKEN = (requests.ConnectionError, requests.exceptions.ChunkedEncodingError)


@pytest.fixture
def nodes(serve, store, tmp_path, database):  # noqa: F811
    options = (*URL, "--database-url", database, "--master-key-file", tmp_path / "master.key")
    first = serve(tmp_path / "first", *options)
    assert first.password
    second = serve(tmp_path / "second", *options)
    assert second.url
    return first, second, options


class Load:
    """Threads that upload and download by both APIs, and what was acknowledged to them."""

    def __init__(self, first, nodes, threads, sizes):
        self.first = first
        login = base64.b64encode(f"admin:{first.password}".encode()).decode()
        self.basic = {"Authorization": f"Basic {login}"}
        self.sizes = sizes
        self.lock = threading.Lock()
        self.acknowledged = {}
        self.failures = []
        self.odd = []
        self.over = threading.Event()
        work = enumerate(nodes[n % len(nodes)] for n in range(threads))
        self.threads = [threading.Thread(target=self.work, args=item) for item in work]
        for thread in self.threads:
            thread.start()

    def work(self, number, node):
        account = Account(node.url, self.first.token)
        for count in range(10_000):
            if self.over.is_set():
                return
            try:
                self.one(account, number, count)
            except BROKEN as broken:
                with self.lock:
                    self.failures.append((node, repr(broken)))
                if node.process.poll() is not None:
                    return
            except BaseException as odd:
                with self.lock:
                    self.odd.append(repr(odd))
                raise

    def one(self, account, number, count):
        name = f"{number} {count}.bin"
        content = os.urandom(self.sizes[count % len(self.sizes)])
        if number % 2:
            answer = account.call("POST", "files/contents/", files={"file": (name, content)})
            file = answer.json().get("id") if answer.status_code == 201 else None
        else:
            answer = requests.post(
                account.url + FILES,
                params={"file_name": name},
                headers=self.basic,
                data=content,
                timeout=DEADLINE_SECONDS,
            )
            file = name if answer.status_code == 200 else None
        if file is None:
            assert answer.status_code == 503 and answer.headers["Retry-After"], answer.text
            with self.lock:
                self.failures.append((account.url, 503))
            return
        with self.lock:
            self.acknowledged[name] = content
            mine = sorted(self.acknowledged)
            known = mine[(number * 7 + count) % len(mine)]
            wanted = self.acknowledged[known]
        self.check(account, known, wanted)

    def check(self, account, name, wanted):
        """A download is the content, or breaks off before its end, or is refused for now."""
        page = account.call("GET", "files/", params={"search": name})
        if page.status_code == 503:
            return
        (file,) = [file["id"] for file in page.json()["results"] if file["name"] == name]
        answer = account.call("GET", f"files/{file}/contents/")
        assert answer.status_code in (200, 503), answer.text
        assert answer.status_code == 503 or answer.content == wanted

    def has(self, count):
        with self.lock:
            return len(self.acknowledged) >= count or self.odd

    def end(self):
        self.over.set()
        for thread in self.threads:
            thread.join()
        assert self.odd == []

    def is_all_there(self, node):
        """Through this node every acknowledged file is whole, and every listed one too."""
        account = Account(node.url, self.first.token)
        page = account.call("GET", "files/", params={"page_size": 1000}).json()
        listed = {file["name"]: file for file in page["results"]}
        assert set(self.acknowledged) <= set(listed)
        for name, content in self.acknowledged.items():
            assert account.download(listed[name]["id"]) == content
        # One that nobody was told of may be there; it is whole.
        for name in set(listed) - set(self.acknowledged):
            size = len(account.download(listed[name]["id"]))
            assert size == listed[name]["decryptedSize"] and size in self.sizes


def is_clean(node, options):
    said = node.command("verify", *options).stdout.strip()
    assert re.search(r" 0 damaged$", said), said


def test_a_node_is_killed_in_the_middle_of_large_contents(nodes):
    first, second, options = nodes
    load = Load(first, (first, second), 4, (20 * MIB, 40 * MIB, 27 * MIB + 5))
    wait_until(lambda: load.has(4), "four are acknowledged")
    first.stop(signal.SIGKILL)
    before = len(load.acknowledged)
    wait_until(lambda: load.has(before + 2), "the other goes on")
    load.end()
    load.is_all_there(second)
    is_clean(second, options)
    # A download from the killed one goes on with the other.
    name, content = max(load.acknowledged.items(), key=lambda item: len(item[1]))
    account = Account(second.url, load.first.token)
    (file,) = account.call("GET", "files/", params={"search": name}).json()["results"]
    middle = len(content) // 3
    rest = account.call(
        "GET", f"files/{file['id']}/contents/", headers={"Range": f"bytes={middle}-"}
    )
    assert (rest.status_code, rest.content) == (206, content[middle:])


def test_the_s3_server_is_killed_in_the_middle_of_large_contents(nodes, store):  # noqa: F811
    first, second, options = nodes
    load = Load(first, (first, second), 4, (6 * MIB, 100_000, 20 * MIB))
    wait_until(lambda: load.has(4), "four are acknowledged")
    store.stop()
    wait_until(lambda: len(load.failures) > 2 or load.odd, "uploads are refused")
    store.start()
    before = len(load.acknowledged)
    wait_until(lambda: load.has(before + 4), "uploads go on")
    load.end()
    for node in (first, second):
        load.is_all_there(node)
    is_clean(second, options)


