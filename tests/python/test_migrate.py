"""A store that was served from a directory is served from PostgreSQL and a bucket, and back."""

import os
import shutil
import uuid

import pytest
import requests

from harness import Account, Server
from test_nodes import SERVER, database  # noqa: F401 (a fixture)
from test_s3 import MIB, PROGRAM, URL, store  # noqa: F401 (a fixture)

pytestmark = pytest.mark.skipif(
    not (SERVER and PROGRAM), reason="scripts/test starts PostgreSQL and builds s3s-fs"
)


@pytest.fixture
def filled(serve, tmp_path):
    """A directory with files of three sizes, its server stopped, and what they hold."""
    server = serve(tmp_path / "data")
    admin, sent = server.admin, {}
    for size in (0, 1000, 100_000, 11 * MIB):
        content = os.urandom(size)
        sent[admin.upload(f"{size}.bin", content)["id"]] = content
    made = requests.post(
        server.url + "/rest/self/my_files/library_folders",
        json={"title": "a folder"},
        auth=("admin", server.password),
        timeout=60,
    )
    assert made.status_code == 200, made.text
    server.stop()
    return server, sent


def holds(url, token, sent):
    there = Account(url, token)
    for file, content in sent.items():
        assert there.download(file) == content
    # What comes now gets an id that none of them had.
    assert there.upload(f"{uuid.uuid4()}", b"new")["id"] not in sent


def test_there_and_back_with_the_same_tokens(serve, tmp_path, filled, store, database):  # noqa: F811
    server, sent = filled
    there = ("--to-database", database, "--to-blobs", "s3://bucket/prefix")
    said = server.command("migrate", *there).stdout
    lines = {line.split("  ")[0]: line.split()[-2:] for line in said.splitlines()}
    assert lines["contents"] == ["4", "4"] and lines["nodes"] == ["6", "6"], said
    assert "4 contents copied in this run; both sides are equal." in said
    key = server.data / "master.key"
    options = ("--database-url", database, *URL, "--master-key-file", key)
    moved = serve(tmp_path / "node", *options)
    holds(moved.url, server.token, sent)
    moved.stop()
    back = tmp_path / "back"
    said = moved.command("migrate", *options, "--to-data", back).stdout
    assert "5 contents copied in this run; both sides are equal." in said
    shutil.move(key, back / "master.key")
    served = serve(back)
    holds(served.url, server.token, sent)
    assert served.command("verify").stdout.strip().endswith("6 checked, 0 damaged")


def test_what_is_in_use_or_taken_is_refused(serve, tmp_path, filled, store, database):  # noqa: F811
    server, _ = filled
    there = ("--to-database", database, "--to-blobs", "s3://bucket/prefix")
    running = Server(server.data)
    try:
        assert running.url
        refused = server.command("migrate", *there, exit_code=1)
        assert "stop it first" in refused.stderr
    finally:
        running.stop()
    other = serve(tmp_path / "other")
    assert other.url
    other.stop()
    refused = server.command("migrate", "--to-data", other.data, exit_code=1)
    assert "there is a store already" in refused.stderr
    refused = server.command("migrate", "--to-database", database, exit_code=2)
    assert "--to-blobs" in refused.stderr
    # Away in the middle: what is there is no store until the copy is through.
    store.stop()
    refused = server.command("migrate", *there, exit_code=1)
    assert "not available" in refused.stderr or "marker" in refused.stderr
    store.start()
    key = server.data / "master.key"
    options = ("--database-url", database, *URL, "--master-key-file", key)
    half = serve(tmp_path / "node", *options)
    half.process.wait(60)
    assert half.stop() == 1 and "not complete" in half.log.read_text()
    assert "both sides are equal" in server.command("migrate", *there).stdout
    assert serve(tmp_path / "node", *options).url
