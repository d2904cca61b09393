"""Two processes over one catalog on PostgreSQL: one serves on when the other is killed."""

import os
import signal
import subprocess
import threading
import uuid

import pytest
import requests

from harness import Account

SERVER = os.environ.get("BINDERY_TEST_DATABASE")
pytestmark = pytest.mark.skipif(not SERVER, reason="scripts/test starts a PostgreSQL server")


def psql(statement):
    settings = dict(setting.split("=") for setting in SERVER.split())
    command = ["psql", "-qAt", "-h", settings["host"], "-U", settings["user"], "-c", statement, "postgres"]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


@pytest.fixture
def database():
    name = f"test_{uuid.uuid4().hex}"
    psql(f"create database {name}")
    yield f"{SERVER} dbname={name}"
    psql(f"drop database {name} with (force)")


@pytest.fixture
def nodes(serve, tmp_path, database):
    """Two nodes with directories of their own, one database and one master key."""
    options = ("--database-url", database, "--master-key-file", tmp_path / "master.key")
    first = serve(tmp_path / "first", *options)
    assert first.password
    second = serve(tmp_path / "second", *options)
    return first, second


def test_what_one_node_takes_the_other_has(nodes):
    first, second = nodes
    there = Account(second.url, first.token)
    assert not any(line.startswith("Password") for line in second.lines)
    sent = first.admin.upload("one.txt", b"from the first")
    assert there.download(sent["id"]) == b"from the first"
    assert there.call("DELETE", f"files/{sent['id']}/").status_code == 204
    assert first.admin.call("GET", f"files/{sent['id']}/").status_code == 404
    for node in nodes:
        for path in ("/healthz", "/readyz"):
            assert requests.get(node.url + path, timeout=60).status_code == 200


def test_a_node_that_is_killed_takes_nothing_with_it(nodes):
    first, second = nodes
    acknowledged, lock, enough = {}, threading.Lock(), threading.Event()

    def upload(node, number):
        account = Account(node.url, first.token)
        try:
            for count in range(10_000):
                if node is second and enough.is_set() and count > 20:
                    return
                name, content = f"{number} {count}", os.urandom(1000)
                file = account.upload(name, content)
                with lock:
                    acknowledged[file["id"]] = content
                    if len(acknowledged) > 60:
                        enough.set()
        except requests.RequestException:
            assert node is first and enough.is_set()

    threads = [threading.Thread(target=upload, args=(nodes[n % 2], n)) for n in range(6)]
    for thread in threads:
        thread.start()
    assert enough.wait(60)
    first.stop(signal.SIGKILL)
    for thread in threads:
        thread.join()
    there = Account(second.url, first.token)
    assert len(acknowledged) > 60
    for file, content in acknowledged.items():
        assert there.download(file) == content


def test_a_node_with_another_key_is_refused(nodes, serve, tmp_path, database):
    other = serve(tmp_path / "third", "--database-url", database)
    other.process.wait(60)
    assert other.stop() == 1
    assert "master key" in other.log.read_text()


def test_a_database_that_forgets_is_refused(serve, tmp_path, database):
    name = database.split("dbname=")[1]
    psql(f"alter database {name} set synchronous_commit = off")
    refused = serve(tmp_path / "data", "--database-url", database)
    refused.process.wait(60)
    assert refused.stop() == 1
    assert "synchronous_commit=off" in refused.log.read_text()
    assert serve(tmp_path / "data", "--database-url", database, "--database-accept-loss").url
