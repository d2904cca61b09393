"""The commands, as an administrator uses them: first run, refusals, users, tokens, verify."""

import json
import shutil
import signal

import pytest
import requests

from harness import DEADLINE_SECONDS, Account, bindery, paste, stored_files

LARGE = bytes(range(256)) * 1024 * 12

COMMANDS = [
    [],
    ["serve"],
    ["user"],
    ["user", "add"],
    ["user", "passwd"],
    ["user", "list"],
    ["user", "disable"],
    ["user", "enable"],
    ["token"],
    ["token", "create"],
    ["token", "list"],
    ["token", "revoke"],
    ["audit"],
    ["audit", "export"],
    ["audit", "verify"],
    ["audit", "key"],
    ["verify"],
    ["sweep"],
    ["objects"],
    ["decrypt"],
]


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_help(command):
    done = bindery(*command, "--help")
    assert "Usage: " + " ".join(["bindery", *command]) in done.stdout
    assert done.stderr == ""


@pytest.mark.parametrize(
    "command",
    [
        ["no-such-command"],
        ["serve", "--no-such-flag"],
        ["serve", "--listen", "not an address"],
        ["user"],
        ["user", "add", "without-email"],
        ["token", "create"],
        ["decrypt", "--out", "plain", "object"],
    ],
    ids=" ".join,
)
def test_wrong_usage(command, tmp_path):
    done = bindery(*command, data=tmp_path / "data", exit_code=2)
    assert "Usage" in done.stderr or "--help" in done.stderr
    assert done.stdout == ""
    assert not (tmp_path / "data").exists()


# The first run and those after it


def test_first_run(server, tmp_path):
    assert server.url.startswith("http://127.0.0.1:")
    curl = [line.strip() for line in server.lines if line.strip().startswith("curl ")]
    status, body = paste(curl[0], tmp_path)
    assert status == 200
    json.loads(body)
    assert server.admin.names() == []
    assert (server.data / "master.key").stat().st_mode & 0o777 == 0o600
    assert (server.data / "catalog.db").is_file()


def test_second_run_tells_no_secret(serve, server):
    secrets = [server.token, server.password]
    assert all(secrets)
    server.admin.upload("kept.txt", b"kept")
    assert server.stop() == 0

    again = serve()
    admin = Account(again.url, secrets[0])
    assert admin.names() == ["kept.txt"]
    again.stop()
    said = "\n".join(again.lines) + again.log.read_text()
    for secret in [*secrets, "Password: ", "Token: "]:
        assert secret not in said
    assert sum(line.startswith("Listening on ") for line in again.lines) == 1


def test_what_was_answered_survives_a_kill(serve, server):
    token = server.token
    small = server.admin.upload("small.txt", b"small")
    large = server.admin.upload("large.bin", LARGE)
    server.stop(signal.SIGKILL)

    admin = Account(serve().url, token)
    assert admin.download(small["id"]) == b"small"
    assert admin.download(large["id"]) == LARGE


def test_self_signed_tls(serve):
    server = serve(None, "--tls-self-signed")
    assert server.url.startswith("https://127.0.0.1:")
    with pytest.warns(Warning, match="Unverified HTTPS"):
        answer = requests.get(
            f"{server.url}/api/users/me/",
            headers=server.admin.headers,
            verify=False,
            timeout=DEADLINE_SECONDS,
        )
    assert (answer.status_code, answer.json()["username"]) == (200, "admin")


def refused(data):
    """`serve` on this directory ends at once, with one clear sentence and no secret made."""
    done = bindery("serve", "--listen", "127.0.0.1:0", data=data, exit_code=1)
    assert "Listening on" not in done.stdout and "Token: " not in done.stdout
    assert "panicked" not in done.stderr
    return done.stderr


def test_a_missing_master_key_is_refused(serve, server):
    token, key = server.token, server.data / "master.key"
    server.admin.upload("kept.txt", b"kept")
    server.stop()
    key.rename(key.with_name("elsewhere"))
    assert "master key" in refused(server.data)
    assert not key.exists()

    key.with_name("elsewhere").rename(key)
    assert Account(serve().url, token).names() == ["kept.txt"]


def test_another_master_key_is_refused(serve, server, tmp_path):
    other = serve(tmp_path / "other")
    assert other.url
    other.stop()
    server.stop()
    shutil.copy(other.data / "master.key", server.data / "master.key")
    assert "master key" in refused(server.data)


def test_a_directory_in_use_is_refused(server):
    assert "stop it first" in refused(server.data)
    assert server.admin.names() == []


def test_user_add_begins_a_store_that_was_never_served(serve, tmp_path):
    data = tmp_path / "data"
    add = ["user", "add", "eve", "--email", "eve@example.org", "--password-stdin"]
    bindery(*add, data=data, stdin="a long pass phrase\n")
    token = bindery("token", "create", "eve", data=data).stdout.strip()
    assert Account(serve(data).url, token).names() == []


# Users and tokens, while the server runs


def works(account):
    """Whether the account's token is good. A bad one gets the contract's 401."""
    answer = account.call("GET", "users/me/")
    assert answer.status_code in (200, 401), answer.text
    if answer.status_code == 200:
        assert answer.json()["username"] == account.login
    return answer.status_code == 200


def test_users(server):
    alice = server.user("alice")
    assert works(alice)
    assert alice.call("GET", "users/me/").json()["email"] == alice.email
    listed = server.command("user", "list").stdout
    assert "alice" in listed and alice.email in listed and "admin" in listed

    server.command("user", "disable", "alice")
    assert not works(alice)
    server.command("user", "enable", "alice")
    assert works(alice)
    server.command("user", "passwd", "alice", "--password-stdin", stdin="another pass phrase\n")


def test_users_do_not_see_each_other(server):
    alice, bob = server.user("alice"), server.user("bob")
    file = alice.upload("private.txt", b"private")
    assert bob.names() == []
    for method, path in [
        ("GET", ""),
        ("GET", "contents/"),
        ("GET", "lines/"),
        ("PATCH", ""),
        ("DELETE", ""),
    ]:
        answer = bob.call(method, f"files/{file['id']}/{path}")
        assert (answer.status_code, answer.json()) == (404, {"detail": "Not found."})
    assert alice.names() == ["private.txt"]


@pytest.mark.parametrize(
    "command",
    [
        ["user", "disable", "nobody"],
        ["user", "enable", "nobody"],
        ["token", "create", "nobody"],
        ["token", "list", "nobody"],
        ["user", "add", "admin", "--email", "second@example.org", "--password-stdin"],
        ["objects", "zkmlOc"],
    ],
    ids=" ".join,
)
def test_a_command_that_fails_says_why(server, command):
    done = server.command(*command, stdin="a long pass phrase\n", exit_code=1)
    assert done.stderr.strip() and done.stdout == ""
    assert "panicked" not in done.stderr


def test_tokens(server):
    alice = server.user("alice")
    made = server.command("token", "create", "alice", "--label", "nightly run", "--expires", "30")
    second = Account(alice.url, made.stdout.strip(), alice.email, "alice")
    assert made.stdout.count("\n") == 1 and " " not in second.token
    assert works(alice) and works(second)

    listed = server.command("token", "list", "alice").stdout
    assert alice.token not in listed and second.token not in listed
    (row,) = [line for line in listed.splitlines() if "nightly run" in line]
    server.command("token", "revoke", row.split()[0])
    assert works(alice) and not works(second)


# Sharing


def test_sharing(server):
    alice, bob, carol = server.user("alice"), server.user("bob"), server.user("carol")
    file = alice.upload("report.txt", b"one\ntwo\n")
    path = f"files/{file['id']}/"

    shared = alice.call("PATCH", path, json={"sharedWith": [bob.email]})
    assert (shared.status_code, shared.json()["sharedWith"]) == (200, [bob.email])

    assert bob.names() == [] and bob.names(shared="1") == ["report.txt"]
    seen = bob.call("GET", path)
    assert seen.status_code == 200
    assert seen.json()["encodedEncryptionKey"] == file["encodedEncryptionKey"]
    assert seen.json()["owner"] == alice.email
    assert bob.download(file["id"]) == b"one\ntwo\n"
    assert bob.call("GET", path + "lines/").json() == {"lines": ["one\n", "two\n"]}
    assert carol.call("GET", path).status_code == 404

    denied = {"detail": "You do not have permission to perform this action."}
    for method, body in [("PATCH", {"name": "mine.txt"}), ("DELETE", None)]:
        answer = bob.call(method, path, json=body)
        assert (answer.status_code, answer.json()) == (403, denied)
    assert alice.names() == ["report.txt"]

    assert alice.call("PATCH", path, json={"sharedWith": []}).status_code == 200
    for part in ("", "contents/", "lines/"):
        assert bob.call("GET", path + part).status_code == 404
    assert bob.names(shared="1") == []


def test_sharing_with_a_stranger_changes_nothing(server):
    alice, bob = server.user("alice"), server.user("bob")
    file = alice.upload("report.txt", b"one\n")
    body = {"name": "renamed.txt", "sharedWith": [bob.email, "nobody@example.org"]}
    answer = alice.call("PATCH", f"files/{file['id']}/", json=body)
    assert (answer.status_code, list(answer.json())) == (400, ["sharedWith"])
    assert alice.names() == ["report.txt"]
    assert bob.names(shared="1") == []


# Verify


def test_verify_finds_a_flipped_byte(server):
    admin = server.admin
    admin.upload("small.txt", b"small")
    before = stored_files(server.data)
    broken = admin.upload("broken.bin", LARGE)
    (stored,) = stored_files(server.data) - before
    admin.upload("whole.bin", LARGE)

    done = server.command("verify")
    assert done.stdout.splitlines()[-1] == "3 checked, 0 damaged"

    stored.chmod(0o600)
    with open(stored, "r+b") as opened:
        opened.seek(len(LARGE) // 2)
        (byte,) = opened.read(1)
        opened.seek(-1, 1)
        opened.write(bytes([byte ^ 0x10]))

    done = server.command("verify", exit_code=1)
    assert done.stdout.splitlines()[-1] == "3 checked, 1 damaged"
    assert broken["id"] in done.stdout and "broken.bin" in done.stdout
    assert "whole.bin" not in done.stdout and "small.txt" not in done.stdout

    # A download stops before the damage: never a whole answer, never a wrong byte.
    got = b""
    with pytest.raises(requests.exceptions.RequestException):
        answer = admin.call("GET", f"files/{broken['id']}/contents/", stream=True)
        for piece in answer.iter_content(65536):
            got += piece
    assert LARGE.startswith(got) and len(got) < len(LARGE)


def test_verify_finds_a_lost_object(server):
    before = stored_files(server.data)
    server.admin.upload("lost.bin", LARGE)
    (stored,) = stored_files(server.data) - before
    stored.unlink()
    done = server.command("verify", exit_code=1)
    assert done.stdout.splitlines()[-1] == "1 checked, 1 damaged"
    assert "lost.bin" in done.stdout
