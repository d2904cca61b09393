"""The kill -9 loop: clients of both dialects that keep journals, and a server that is killed under them.

Each writer sends one request after another and writes down, durably, what it is about to ask for and what was
acknowledged. Behind each kill a checker knows nothing but these journals: what was acknowledged last must be there,
or what was asked for behind it and not answered; nothing third, and nothing that was deleted.

`scripts/crash-proof` runs it for long; `test_crash.py` for a while in every run.
"""

import json
import os
import random
import signal
import sys
import tempfile
import threading
import time
from pathlib import Path

import requests

from harness import DEADLINE_SECONDS, Server

WRITERS = 4
# Bodies are sent in pieces of this size, and the server is killed at one of the first so many.
PIECE_BYTES = 16 << 10
PIECES_MAX = 120
# In the catalog, at the edge of that, and in objects of one segment and of several parts.
SIZES = [0, 10, 16 << 10, (16 << 10) + 1, 100_000, 700_000]
# Files that a writer keeps: it deletes some rather than have more.
KEPT_MAX = 12
FOLDER = "written through Filr"


def content_of(seed, size):
    return random.Random(seed).randbytes(size)


class Journal:
    """What a writer asked for and was told, in a file that outlives whatever happens to it."""

    def __init__(self, path):
        self.path = path
        self.file = open(path, "a", encoding="utf-8")

    def write(self, **entry):
        self.file.write(json.dumps(entry) + "\n")
        self.file.flush()
        os.fsync(self.file.fileno())

    def states(self):
        """Of each file: its last acknowledged state, and the one that was asked for and not answered. A state is
        (name, seed, size, id), or None where there is no file."""
        known = {}
        for line in self.path.read_text(encoding="utf-8").splitlines():
            entry = json.loads(line)
            state = entry["state"] and tuple(entry["state"])
            before, pending = known.get(entry["key"], (None, []))
            if entry["step"] == "asked":
                known[entry["key"]] = (before, [*pending, state])
            else:
                known[entry["key"]] = (state, [])
        return known


class Stopped(Exception):
    """The server is gone, as it should be."""


class Writer:
    """One client. What it does is decided by chance, how it is asked for by its dialect."""

    def __init__(self, dialect, number, journal):
        self.dialect = dialect
        self.prefix = f"w{number}-"
        self.journal = journal
        self.live = {}
        self.serial = 0
        self.acknowledged = 0

    def run(self, load, chance):
        try:
            while True:
                self.step(load, chance)
        except Stopped:
            pass
        except Exception as failure:
            load.failures.append(failure)
            load.kill()

    def step(self, load, chance):
        do = chance.choice(["create", "create", "replace", "rename", "delete"])
        if not self.live or (do == "create" and len(self.live) < KEPT_MAX):
            self.serial += 1
            key, before = f"{self.prefix}{self.serial}", None
            after = [key, f"{key} {chance.random()}", chance.choice(SIZES), None]
            do = "create"
        else:
            key = chance.choice(sorted(self.live))
            before = self.live[key]
            name, seed, size, file = before
            after = {
                "rename": [f"{key}-{chance.randrange(10**6)}", seed, size, file],
                "replace": [name, f"{key} {chance.random()}", chance.choice(SIZES), file],
            }.get(do)
            if do == "replace" and not self.dialect.replaces:
                return
            do = "delete" if after is None else do
        self.journal.write(step="asked", key=key, state=after)
        file = getattr(self.dialect, do)(load, before, after)
        if after is not None:
            after[3] = file
        self.journal.write(step="done", key=key, state=after)
        self.acknowledged += 1
        self.settle(key, after)

    def settle(self, key, state):
        if state is None:
            self.live.pop(key, None)
        else:
            self.live[key] = list(state)


class Rescale:
    replaces = False

    @staticmethod
    def create(load, _, after):
        name, seed, size, _ = after
        head = f'--XX\r\nContent-Disposition: form-data; name="file"; filename="{name}"\r\n\r\n'
        body = head.encode() + content_of(seed, size) + b"\r\n--XX--\r\n"
        headers = {"Content-Type": "multipart/form-data; boundary=XX"}
        answer = load.ask("POST", "/api/v2/files/contents/", 201, load.pieces(body), headers)
        return answer.json()["id"]

    @staticmethod
    def rename(load, before, after):
        load.ask("PATCH", f"/api/v2/files/{before[3]}/", 200, json={"name": after[0]})
        return before[3]

    @staticmethod
    def delete(load, before, _):
        load.ask("DELETE", f"/api/v2/files/{before[3]}/", 204)

    @staticmethod
    def content(load, file):
        return load.ask("GET", f"/api/v2/files/{file}/contents/", 200).content


class Filr:
    replaces = True
    headers = {"Content-Type": "application/octet-stream"}

    def __init__(self, folder):
        self.folder = folder

    def create(self, load, _, after):
        name, seed, size, _ = after
        path = f"/rest/folders/{self.folder}/library_files?file_name={name}"
        body = load.pieces(content_of(seed, size))
        return load.ask("POST", path, 200, body, self.headers).json()["id"]

    def replace(self, load, before, after):
        _, seed, size, file = after
        path = f"/rest/files/{file}?force_overwrite=true"
        load.ask("POST", path, 200, load.pieces(content_of(seed, size)), self.headers)
        return file

    @staticmethod
    def rename(load, before, after):
        load.ask("POST", f"/rest/files/{before[3]}/name", 200, {"name": after[0]})
        return before[3]

    @staticmethod
    def delete(load, before, _):
        load.ask("DELETE", f"/rest/files/{before[3]}?purge=true", (200, 204))

    @staticmethod
    def content(load, file):
        return load.ask("GET", f"/rest/files/{file}", 200).content


class Load:
    """What the writers share in one run of the server, up to the moment of its end."""

    def __init__(self, server, token, pieces):
        self.server = server
        self.url = server.url
        self.local = threading.local()
        self.headers = {"Authorization": f"Token {token}"}
        self.left = pieces
        self.lock = threading.Lock()
        self.killed = False
        self.failures = []

    def ask(self, method, path, wanted, data=None, headers=(), json=None):
        session = getattr(self.local, "session", None) or requests.Session()
        self.local.session = session
        session.trust_env = False
        if not hasattr(data, "__next__"):
            self.count()
        try:
            answer = session.request(
                method,
                self.url + path,
                data=data,
                json=json,
                headers={**self.headers, **dict(headers)},
                timeout=DEADLINE_SECONDS,
            )
        except requests.RequestException:
            # A connection that breaks because the server is gone is what this is about.
            if self.killed:
                raise Stopped from None
            raise
        statuses = wanted if isinstance(wanted, tuple) else (wanted,)
        assert answer.status_code in statuses, f"{method} {path}: {answer.status_code} {answer.text}"
        return answer

    def pieces(self, body):
        # An empty body, too, is sent in pieces of which there is none.
        for at in range(0, len(body), PIECE_BYTES):
            yield body[at : at + PIECE_BYTES]
            self.count()
        self.count()

    def count(self):
        with self.lock:
            self.left -= 1
            last = self.left == 0
        if last:
            self.kill()

    def kill(self):
        self.killed = True
        self.server.process.kill()


class Proof:
    """The loop over one store."""

    def __init__(self, directory, start, seed):
        self.start = start
        self.chance = random.Random(seed)
        self.server = start()
        self.token = self.server.token
        self.restarts = []
        folder = self.calm().ask(
            "POST", "/rest/self/my_files/library_folders", 200, json={"title": FOLDER}
        )
        self.folder = folder.json()["id"]
        dialects = [Rescale(), Filr(self.folder)]
        self.writers = [
            Writer(dialects[number % 2], number, Journal(directory / f"journal-{number}"))
            for number in range(WRITERS)
        ]

    def calm(self):
        """Requests to a server that nobody kills."""
        return Load(self.server, self.token, 1 << 60)

    def round(self):
        """Kills the server under load, starts it again, and checks what is there. How many it checked."""
        load = Load(self.server, self.token, self.chance.randint(1, PIECES_MAX))
        threads = []
        for writer in self.writers:
            chance = random.Random(self.chance.random())
            threads.append(threading.Thread(target=writer.run, args=(load, chance)))
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert load.failures == [], load.failures
        assert self.server.stop() == -signal.SIGKILL
        began = time.monotonic()
        self.server = self.start()
        assert self.server.url
        self.restarts.append(time.monotonic() - began)
        return self.check()

    def listed(self, path):
        answer = self.calm().ask("GET", path, 200).json()
        assert answer["total"] == len(answer["items"]), path
        return {file["name"]: file for file in answer["items"]}

    def check(self):
        load = self.calm()
        places = [
            self.listed("/rest/self/my_files/library_files?count=10000"),
            self.listed(f"/rest/folders/{self.folder}/library_files?count=10000"),
        ]
        checked = 0
        for number, writer in enumerate(self.writers):
            place = places[number % 2]
            mine = {name: file for name, file in place.items() if name.startswith(writer.prefix)}
            for key, (last, pending) in writer.journal.states().items():
                allowed = [last, *pending]
                found = [name for name in mine if name.split("-")[:2] == key.split("-")[:2]]
                assert len(found) <= 1, f"{found}: one file was asked for, once"
                file = mine.pop(found[0]) if found else None
                state = self.state(load, file, allowed, key) if file else None
                assert state is not None or None in allowed, f"{key} was acknowledged: {last}"
                if pending:
                    writer.journal.write(step="found", key=key, state=state)
                writer.settle(key, state)
                checked += 1
            assert not mine, f"nobody asked for {mine}"
        return checked

    @staticmethod
    def state(load, file, allowed, key):
        """Which of the allowed states a file is in, all of it."""
        content = load.ask("GET", f"/rest/files/{file['id']}", 200).content
        assert len(content) == file["length"], key
        for state in filter(None, allowed):
            name, seed, size, known = state
            if (name, size) == (file["name"], len(content)) and content_of(seed, size) == content:
                # A writer that was not told the id goes on with what its dialect calls the file.
                return [name, seed, size, known or Proof.id_of(load, file, key)]
        raise AssertionError(f"{key} is {file}, and none of {allowed}")

    @staticmethod
    def id_of(load, file, key):
        if key.split("-")[0] in {f"w{number}" for number in range(1, WRITERS, 2)}:
            return file["id"]
        found = load.ask("GET", f"/api/v2/files/?search={file['name']}", 200).json()["results"]
        assert len(found) == 1, found
        return found[0]["id"]

    def verify(self):
        """The store's own check: how many contents it opened."""
        done = self.server.command("verify").stdout.splitlines()[-1]
        checked, damaged = done.removesuffix(" damaged").split(" checked, ")
        assert damaged == "0", done
        return int(checked)

    @property
    def acknowledged(self):
        return sum(writer.acknowledged for writer in self.writers)


def fill(load, files):
    """Makes this many files: some are sent, the rest are copies of their folder."""
    at = load.ask("POST", "/rest/self/my_files/library_folders", 200, json={"title": "many"})
    top = at.json()["id"]
    path = f"/rest/folders/{top}/library_folders"
    first = load.ask("POST", path, 200, json={"title": "0"}).json()["id"]
    each = min(files, 1_000)
    for number in range(each):
        path_of = f"/rest/folders/{first}/library_files?file_name={number}"
        load.ask("POST", path_of, 200, b"content", Filr.headers)
    for number in range(1, files // each):
        load.ask("POST", path, 200, {"title": str(number), "source_id": str(first)})


def main():
    rounds, files = (int(argument) for argument in sys.argv[1:3])
    seed = int(sys.argv[3]) if len(sys.argv) > 3 else random.SystemRandom().getrandbits(32)
    print(f"seed {seed}, {rounds} kills, {files} files beside", flush=True)
    with tempfile.TemporaryDirectory() as directory:
        directory = Path(directory)
        servers = []

        def start():
            servers.append(Server(directory / "data"))
            return servers[-1]

        try:
            proof = Proof(directory, start, seed)
            if files:
                fill(proof.calm(), files)
            for number in range(1, rounds + 1):
                checked = proof.round()
                if number % 50 == 0 or number == rounds:
                    print(
                        f"{number} kills, {proof.acknowledged} acknowledged, {checked} files known, "
                        f"restart at most {max(proof.restarts):.3f} s",
                        flush=True,
                    )
            print(f"verify: {proof.verify()} contents, 0 damaged")
            proof.server.stop()
        finally:
            for server in servers:
                if server.process.poll() is None:
                    server.process.kill()
    print("0 lost, 0 mixed, 0 back from the dead")


if __name__ == "__main__":
    main()
