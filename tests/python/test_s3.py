"""Contents with a real S3 server: in parts, by ranges, and while that server is away."""

import contextlib
import os
import shutil
import signal
import socket
import sqlite3
import subprocess
import uuid

import pytest
import requests

from harness import Account, wait_until
from test_nodes import SERVER, database  # noqa: F401 (a fixture)

PROGRAM = shutil.which("s3s-fs")
pytestmark = pytest.mark.skipif(not PROGRAM, reason="scripts/test builds s3s-fs")
MIB = 1 << 20
# The bucket that scripts/test names, with a service that it started.
SERVICE = os.environ.get("BINDERY_TEST_BLOBS")


class Store:
    """An S3 server whose buckets are directories."""

    def __init__(self, directory):
        self.directory = directory
        (directory / "bucket").mkdir(parents=True)
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.start()

    def start(self):
        command = [PROGRAM, "--host", "127.0.0.1", "--port", str(self.port)]
        command += ["--access-key", "AK", "--secret-key", "SK", str(self.directory)]
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_until(self.answers, "the S3 server answers")

    def answers(self):
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def stop(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def objects(self):
        files = (path for path in (self.directory / "bucket").rglob("*") if path.is_file())
        return [path for path in files if path.name != "catalog-id"]

    def parts(self):
        """What is left of an upload in parts that was neither completed nor aborted."""
        return [path.name for path in self.directory.glob(".upload_id-*")]

    def writes(self):
        """What this server is in the middle of writing."""
        return list(self.directory.glob(".tmp.*"))


@pytest.fixture
def store(tmp_path, monkeypatch):
    started = Store(tmp_path / "s3")
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{started.port}")
    monkeypatch.setenv("AWS_ALLOW_HTTP", "true")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AK")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "SK")
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    yield started
    started.stop()


URL = ("--blobs", "s3://bucket/prefix")


def sent_in_every_size(server):
    """Contents of every kind of size, by the ids of their files."""
    sizes = (0, 100, 17_000, 5 * MIB - 1, 5 * MIB, 5 * MIB + 1, 12 * MIB + 345)
    contents = [os.urandom(size) for size in sizes]
    return {server.admin.upload(f"{len(c)}.bin", c)["id"]: c for c in contents}


def come_back_whole_and_by_ranges(server, sent, options):
    admin = server.admin
    for file, content in sent.items():
        assert admin.download(file) == content
    file, content = list(sent.items())[-1]
    for first, last in ((0, 0), (65_535, 65_536), (6 * MIB, 6 * MIB + 10), (len(content) - 5, None)):
        wanted = f"bytes={first}-{'' if last is None else last}"
        answer = admin.call("GET", f"files/{file}/contents/", headers={"Range": wanted})
        end = len(content) if last is None else last + 1
        assert (answer.status_code, answer.content) == (206, content[first:end])
    assert server.command("verify", *options).stdout.strip().endswith("7 checked, 0 damaged")


def are_deleted_for_good(server, sent, options):
    for file in sent:
        assert server.admin.call("DELETE", f"files/{file}/").status_code == 204
    server.command("trash", "purge", "--all", *options)
    server.command("sweep", *options)


def test_contents_of_every_size_and_their_ranges(serve, store):
    server = serve(None, *URL)
    sent = sent_in_every_size(server)
    # Small ones lie in the catalog.
    assert len(store.objects()) == 5 and store.parts() == []
    come_back_whole_and_by_ranges(server, sent, URL)
    are_deleted_for_good(server, sent, URL)
    assert store.objects() == []


@pytest.mark.skipif(not SERVICE, reason="scripts/test --long starts services of other makes")
def test_contents_with_whatever_service_there_is(serve):
    options = ("--blobs", f"{SERVICE}/{uuid.uuid4().hex}")
    server = serve(None, *options)
    sent = sent_in_every_size(server)
    come_back_whole_and_by_ranges(server, sent, options)
    are_deleted_for_good(server, sent, options)
    assert server.command("verify", *options).stdout.strip().endswith("0 checked, 0 damaged")


def test_a_body_that_is_cut_off_leaves_no_part(serve, store):
    admin = serve(None, *URL).admin
    head = b'--XX\r\nContent-Disposition: form-data; name="file"; filename="cut"\r\n\r\n'

    def cut():
        yield head
        for _ in range(13):
            yield os.urandom(MIB)

    answer = admin.call(
        "POST",
        "files/contents/",
        data=cut(),
        headers={"Content-Type": "multipart/form-data; boundary=XX"},
    )
    assert answer.status_code == 400
    assert (admin.names(), store.objects(), store.parts()) == ([], [], [])


def test_while_the_store_is_away_nothing_is_half_there(serve, store):
    server = serve(None, *URL)
    admin = server.admin
    large, small = os.urandom(6 * MIB), b"small"
    kept = admin.upload("kept.bin", large)["id"]
    store.stop()
    assert requests.get(server.url + "/healthz", timeout=60).status_code == 200
    assert requests.get(server.url + "/readyz", timeout=60).status_code == 503
    for size in (100_000, 6 * MIB):
        files = {"file": ("refused.bin", os.urandom(size))}
        refused = admin.call("POST", "files/contents/", files=files)
        assert refused.status_code == 503 and refused.headers["Retry-After"]
    assert admin.call("GET", f"files/{kept}/contents/").status_code == 503
    # What the catalog holds needs no store.
    assert admin.download(admin.upload("small.txt", small)["id"]) == small
    assert sorted(admin.names()) == ["kept.bin", "small.txt"]
    store.start()
    assert admin.download(kept) == large
    assert admin.download(admin.upload("again.bin", large)["id"]) == large
    assert requests.get(server.url + "/readyz", timeout=60).status_code == 200
    assert server.command("verify", *URL).stdout.strip().endswith("3 checked, 0 damaged")


def test_a_lost_object_is_damage_and_is_named(serve, store):
    server = serve(None, *URL)
    file = server.admin.upload("lost.bin", os.urandom(100_000))["id"]
    store.objects()[0].unlink()
    assert server.admin.call("GET", f"files/{file}/contents/").status_code == 500
    assert "lost.bin" in server.command("verify", *URL, exit_code=1).stdout


def test_two_catalogs_do_not_share_objects(serve, store, tmp_path):
    assert serve(tmp_path / "first", *URL).url
    other = serve(tmp_path / "other", *URL)
    other.process.wait(60)
    assert other.stop() == 1 and "belong to another catalog" in other.log.read_text()


@pytest.mark.skipif(not SERVER, reason="scripts/test starts a PostgreSQL server")
def test_two_nodes_share_large_contents(serve, store, tmp_path, database):  # noqa: F811
    key = tmp_path / "master.key"
    options = (*URL, "--database-url", database, "--master-key-file", key)
    first = serve(tmp_path / "first", *options)
    assert first.password
    second = serve(tmp_path / "second", *options)
    content = os.urandom(7 * MIB)
    sent = first.admin.upload(f"{uuid.uuid4()}.bin", content)
    there = Account(second.url, first.token)
    assert there.download(sent["id"]) == content
    first.stop(signal.SIGKILL)
    assert there.download(there.upload("second.bin", content)["id"]) == content


def test_the_parts_of_an_upload_whose_server_was_killed_are_swept(serve, store, tmp_path):
    server = serve(None, *URL)
    server.admin.upload("kept.bin", os.urandom(6 * MIB))
    objects = store.objects()

    def body():
        yield b'--b\r\nContent-Disposition: form-data; name="file"; filename="f"\r\n\r\n'
        for _ in range(40):
            yield os.urandom(MIB)
            if len(store.parts()) > 3:
                server.stop(signal.SIGKILL)

    headers = {"Content-Type": "multipart/form-data; boundary=b"}
    with pytest.raises(requests.ConnectionError):
        server.admin.call("POST", "files/contents/", data=body(), headers=headers)
    wait_until(lambda: store.writes() == [], "the S3 server has seen that nobody is there")
    assert store.parts() != []
    sweep = ("sweep", *URL)
    server.command(*sweep)
    assert store.parts() != [], "the lease is not over"
    with contextlib.closing(sqlite3.connect(server.data / "catalog.db")) as catalog, catalog:
        assert catalog.execute("update pending set lease = 0").rowcount == 1
    server.command(*sweep)
    assert (store.parts(), store.objects()) == ([], objects)
    assert server.command("verify", *URL).stdout.strip().endswith("1 checked, 0 damaged")
