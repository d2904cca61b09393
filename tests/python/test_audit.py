"""The audit log of a real server: what it tells, how it is kept somewhere else, what is found."""

import datetime
import hashlib
import json
import shutil
import sqlite3
import struct

import pytest
import requests

from harness import DEADLINE_SECONDS, bindery, wait_until


EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)


def lines(exported):
    return [json.loads(line) for line in exported.splitlines()]


def acts(exported):
    return [line["act"] for line in lines(exported) if "act" in line]


def linked(exported):
    """Whether each link is what docs/audit.md says, worked out here by itself."""
    own = {"line", "at", "by", "user", "act", "link"}
    link = bytes(32)
    for line in lines(exported):
        if "act" in line:
            at = datetime.datetime.fromisoformat(line["at"]) - EPOCH
            details = " ".join(f"{k}={v}" for k, v in sorted(line.items()) if k not in own)
            text = b"bindery audit line v1\0" + link
            text += struct.pack(">qq", at // datetime.timedelta(microseconds=1), line.get("user", 0))
            for part in (line["by"], line["act"], details):
                text += struct.pack(">q", len(part)) + part.encode()
            link = hashlib.sha256(text).digest()
        if line["link"] != link.hex():
            return False
    return True


def catalog(server, *statements):
    with sqlite3.connect(server.data / "catalog.db", timeout=DEADLINE_SECONDS) as connection:
        for statement in statements:
            connection.execute(statement)
    connection.close()


def disclose(account):
    """A file whose key is shown apart from its upload: the Filr API shows none, a list of the other one does."""
    answer = account.call(
        "POST",
        "self/my_files/library_files?file_name=a.txt",
        prefix="/rest/",
        data=b"content",
        headers={"Content-Type": "application/octet-stream"},
    )
    assert answer.status_code == 200, answer.text
    return account.call("GET", "files/").json()["results"][0]


@pytest.fixture
def worked(server):
    """A server that has done a few things, stopped; and its log."""
    jane = server.user("jane")
    file = disclose(jane)
    assert jane.call("DELETE", f"files/{file['id']}/").status_code == 204
    refused = requests.get(
        server.url + "/rest/self", auth=("jane", "wrong"), timeout=DEADLINE_SECONDS
    )
    assert refused.status_code == 401
    server.command("user", "disable", "jane")
    # A second, at most, and nobody has to stop for it.
    wait_until(
        lambda: {"key-disclosed", "user-disabled"}
        <= set(acts(server.command("audit", "export").stdout)),
        "the log is written",
    )
    assert server.stop() == 0
    return server, server.command("audit", "export").stdout


def test_a_server_tells_what_was_done(worked):
    server, exported = worked
    told = lines(exported)
    assert [line["line"] for line in told if "line" in line] == list(range(1, len(acts(exported)) + 1))
    assert acts(exported)[:4] == ["user-added", "token-created", "user-added", "token-created"]
    assert sorted(acts(exported)[4:]) == sorted(
        ["file-created", "key-disclosed", "file-trashed", "user-disabled"]
    )
    created = next(line for line in told if line.get("act") == "file-created")
    assert (created["by"], created["user"]) == ("user", 2)
    assert isinstance(created["file"], int) and len(created["link"]) == 64
    assert told[-1]["end"] == len(acts(exported))
    for private in ["a.txt", "jane", server.token, server.password]:
        assert private not in exported
    assert linked(exported) and not linked(exported.replace("file-trashed", "file-renamed"))
    done = server.command("audit", "verify")
    assert done.stdout == f"{len(acts(exported))} lines verified\n"


def test_what_was_in_memory_is_written_when_a_server_stops(server):
    disclose(server.admin)
    requests.get(server.url + "/api/v2/files/", headers={"Authorization": "Token x"}, timeout=60)
    assert server.stop() == 0
    assert "key-disclosed" in acts(server.command("audit", "export").stdout)
    with sqlite3.connect(server.data / "catalog.db") as connection:
        counted = connection.execute("select failures, address from audit_failures").fetchall()
    # Not before the minute is over is it a line of the log.
    told = [line for line in lines(server.command("audit", "export").stdout) if "count" in line]
    assert counted == [(1, "127.0.0.1")] or told[0]["address"] == "127.0.0.1"


@pytest.mark.parametrize(
    ("statement", "why"),
    [
        ("update audit set act = 'file-moved' where id = 5", "line 5 was changed"),
        ("delete from audit where id = 5", "line 5 was dropped"),
        ("delete from audit_links where seq = 5", "line 5 was dropped"),
        ("delete from audit_links where seq > 6", "line 7 was cut off the end, with all behind it"),
    ],
)
def test_the_first_line_that_was_tampered_with_is_named(worked, statement, why):
    server, exported = worked
    catalog(server, statement)
    done = server.command("audit", "verify", exit_code=1)
    verified = int(why.split()[1]) - 1
    assert done.stdout == f"tampered: {why}\n{verified} lines verified\n"
    again = server.command("audit", "export", exit_code=1)
    assert "tampered with: " + why in again.stderr
    # A server goes on serving, and the fault stays where it is.
    assert again.stdout.splitlines() == exported.splitlines()[: len(again.stdout.splitlines())]
    assert len(acts(again.stdout)) == verified


def test_an_export_is_verified_anywhere_and_shows_what_the_store_lost(worked, serve, tmp_path):
    server, exported = worked
    kept, key = tmp_path / "kept.jsonl", server.command("audit", "key").stdout.strip()
    kept.write_text(exported)
    count = len(acts(exported))
    away = tmp_path / "nothing"
    done = bindery("audit", "verify", "--file", kept, "--key", key, data=away)
    assert done.stdout == f"{count} lines verified\n"
    assert server.command("audit", "verify", "--against", kept).returncode == 0

    def found(text, *options):
        kept.write_text(text)
        return bindery("audit", "verify", "--file", kept, *options, data=away, exit_code=1).stdout

    rows = exported.splitlines(keepends=True)
    at = next(number for number, row in enumerate(rows) if '"line":3,' in row)
    named = "tampered: line 3 was"
    assert found("".join(rows[:at] + rows[at + 1 :]), "--key", key).startswith(f"{named} dropped")
    edited = rows[at].replace("user-added", "user-removed")
    assert edited != rows[at]
    assert found("".join([*rows[:at], edited, *rows[at + 1 :]]), "--key", key).startswith(
        f"{named} changed"
    )
    for cut in range(len(rows)):
        line = len(acts("".join(rows[:cut]))) + 1
        said = f"tampered: line {line} was cut off"
        assert found("".join(rows[:cut]), "--key", key).startswith(said)
    assert found(exported[:-20], "--key", key).startswith("tampered: ")

    # An older state of all that is in the catalog, which goes on from there.
    kept.write_text(exported)
    again = serve()
    again.user("joe")
    assert again.stop() == 0
    kept.write_text(again.command("audit", "export").stdout)
    old = tmp_path / "old"
    shutil.copytree(server.data, old)
    catalog(
        server,
        f"delete from audit where id in (select event from audit_links where seq > {count})",
        f"delete from audit_links where seq > {count}",
        f"delete from audit_checkpoints where seq > {count}",
    )
    done = server.command("audit", "verify", "--against", kept, exit_code=1)
    assert done.stdout.startswith(f"tampered: line {count + 1} was cut off the end")


def test_a_part_of_the_log_begins_with_a_checkpoint(worked, tmp_path):
    server, exported = worked
    last = lines(exported)[-1]["at"]
    part = server.command("audit", "export", "--since", last).stdout
    assert "checkpoint" in lines(part)[0]
    kept = tmp_path / "part.jsonl"
    kept.write_text(part)
    assert server.command("audit", "verify", "--file", kept).returncode == 0
    assert server.command("audit", "verify", "--against", kept).returncode == 0
    wrong = server.command("audit", "export", "--since", "yesterday", exit_code=2)
    assert "2026-01-31" in wrong.stderr
