"""Backups, restores and rotations of the master key on the real binary, under load, killed at any moment."""

import os
import random
import signal
import subprocess
import threading

import pytest
import requests

from harness import Account, bindery, binary, environment

KILLS = int(os.environ.get("BINDERY_TEST_KILLS", "6"))


@pytest.fixture
def dice():
    seed = int(os.environ.get("BINDERY_TEST_SEED", "0")) or random.SystemRandom().getrandbits(32)
    print(f"BINDERY_TEST_SEED={seed}")
    return random.Random(seed)


class Load:
    """Clients that upload, replace nothing, purge some, and write down what was acknowledged."""

    def __init__(self, account, password, seeds):
        self.account = account
        self.auth = (account.login, password)
        self.lock = threading.Lock()
        self.kept = {}
        self.failures = []
        self.stopped = threading.Event()
        self.threads = [threading.Thread(target=self.work, args=(seed,)) for seed in seeds]
        for thread in self.threads:
            thread.start()

    def work(self, seed):
        dice = random.Random(seed)
        number = 0
        try:
            while not self.stopped.is_set():
                content = dice.randbytes(dice.choice((0, 10, 3000, 20_000, 150_000)))
                file = self.account.upload(f"journal-{seed}-{number}", content)["id"]
                number += 1
                if dice.random() < 0.4:
                    self.account.call("DELETE", f"files/{file}/")
                else:
                    with self.lock:
                        self.kept[file] = content
        except Exception as failure:  # noqa: BLE001 (told by the test's own thread)
            self.failures.append(failure)

    def acknowledged(self):
        with self.lock:
            return dict(self.kept)

    def stop(self):
        self.stopped.set()
        for thread in self.threads:
            thread.join()
        assert not self.failures, self.failures
        return self.kept


@pytest.fixture
def load(server, dice):
    running = Load(server.admin, server.password, [dice.getrandbits(32) for _ in range(3)])
    yield running
    running.stopped.set()
    for thread in running.threads:
        thread.join()


def killed(data, dice, longest, *args):
    """Runs a command and kills it at some moment; false if it came to its end before."""
    process = subprocess.Popen(
        [binary(), *map(str, args)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=environment(data),
    )
    try:
        process.wait(dice.uniform(0.01, longest))
        return False
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGKILL)
        process.wait()
        return True


def duration(data, *args):
    """How long a command takes to its end, in seconds."""
    import time

    begun = time.monotonic()
    bindery(*args, data=data)
    return time.monotonic() - begun


def holds(url, token, files):
    account = Account(url, token)
    for file, content in files.items():
        assert account.download(file) == content, file


def test_a_backup_under_load_survives_kills_and_is_restored(server, serve, load, dice, tmp_path):
    target, key = tmp_path / "target", server.data / "master.key"
    longest = duration(server.data, "backup", target)
    kills = sum(killed(server.data, dice, longest, "backup", target) for _ in range(KILLS))
    assert kills > 0
    before = load.acknowledged()
    said = server.command("backup", target).stdout
    backup = said.split()[1].rstrip(":")
    assert len(before) > 10
    listed = server.command("backup", "--list").stdout
    assert f"{backup}" in listed and "(not completed)" not in listed
    # What was killed left no copy of the catalog, and what was made tells no names.
    assert not list(server.data.glob("backup-*.part"))
    for path in target.rglob("*"):
        assert path.is_dir() or b"journal-" not in path.read_bytes(), path
    load.stop()
    server.stop()
    back = tmp_path / "back"
    said = bindery("restore", target, "--master-key-file", key, data=back).stdout
    assert f"Restored {backup}" in said and "0 damaged" in said
    key.rename(back / "master.key")
    restored = serve(back)
    holds(restored.url, server.token, before)
    assert restored.command("verify").stdout.strip().endswith(", 0 damaged")


def test_a_restore_that_was_killed_goes_on(server, serve, load, dice, tmp_path):
    target, back = tmp_path / "target", tmp_path / "back"
    bindery("backup", target, data=server.data)
    before = load.acknowledged()
    bindery("backup", target, data=server.data)
    load.stop()
    server.stop()
    args = ("restore", target, "--master-key-file", server.data / "master.key")
    longest = duration(tmp_path / "trial", *args)
    ended = False
    for _ in range(KILLS):
        ended = not killed(back, dice, longest, *args)
        if ended:
            break
    if not ended:
        bindery(*args, data=back)
    restored = serve(back, "--master-key-file", server.data / "master.key")
    holds(restored.url, server.token, before)


def test_a_damaged_backup_is_refused_and_leaves_no_store(server, tmp_path):
    server.admin.upload("file", os.urandom(100_000))
    target, back = tmp_path / "target", tmp_path / "back"
    bindery("backup", target, data=server.data)
    (damaged,) = [path for path in (target / "objects").rglob("*") if path.is_file()]
    content = bytearray(damaged.read_bytes())
    content[50_000] ^= 1
    damaged.write_bytes(content)
    args = ("restore", target, "--master-key-file", server.data / "master.key")
    refused = bindery(*args, data=back, exit_code=1)
    assert f"objects/{damaged.parent.name}/{damaged.name}" in refused.stdout
    assert "is damaged (1 content)" in refused.stderr
    key = ("--master-key-file", server.data / "master.key")
    assert "not complete" in bindery("verify", *key, data=back, exit_code=1).stderr
    refused = bindery("restore", target, *key, data=server.data, exit_code=1)
    assert "stop it first" in refused.stderr


def test_a_rotation_under_load_survives_kills_and_ends_the_old_keys(
    server, serve, load, dice, tmp_path
):
    key = server.data / "master.key"
    target = tmp_path / "target"
    bindery("backup", target, data=server.data)
    backup = bindery("backup", "--list", data=server.data).stdout.splitlines()[1].split()[0]
    first = key.read_text().splitlines()[1].split()[0]
    longest = duration(server.data, "rotate-key")
    kills = sum(killed(server.data, dice, longest, "rotate-key") for _ in range(KILLS))
    assert kills > 0
    said = server.command("rotate-key").stdout
    assert f"Master key {first}: still needed by these backups" in said and backup in said
    refused = server.command("rotate-key", "--retire", first, exit_code=1)
    assert backup in refused.stderr
    server.command("backup", "--forget", backup)
    # The server goes on with the newest key, of which nobody told it.
    files = load.stop()
    holds(server.url, server.token, files)
    ids = [line.split()[0] for line in key.read_text().splitlines()[1:]]
    for old in ids[:-1]:
        server.command("rotate-key", "--retire", old)
    assert "There is no old master key" in server.command("rotate-key", "--status").stdout
    server.stop()
    again = serve(server.data)
    holds(again.url, server.token, files)
    assert again.command("verify").stdout.strip().endswith(", 0 damaged")
    assert requests.get(again.url + "/readyz", timeout=60).status_code == 200
