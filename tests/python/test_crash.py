"""A server that is killed while it takes uploads, again and again.

What was acknowledged is there, and whole; what was not is there whole or not at all.
"""

import hashlib
import random
import signal
import threading

import pytest
import requests

from harness import Account

ROUNDS = 20
THREADS = 4
# Bodies are sent in pieces of this size, and the server is killed at one of the first so many.
PIECE_BYTES = 16 << 10
PIECES_MAX = 120
# In the catalog, at the edge of that, and in objects of one segment and of several parts.
SIZES = [0, 10, 16 << 10, (16 << 10) + 1, 100_000, 700_000]


class Load:
    """Uploads from several threads into one run of a server, up to the moment of its end."""

    def __init__(self, server, token, number, chance):
        self.account = Account(server.url, token)
        self.server = server
        self.left = chance.randint(1, PIECES_MAX)
        self.seeds = [f"{number}-{thread}-{chance.random()}" for thread in range(THREADS)]
        self.lock = threading.Lock()
        self.sent = {}
        self.acknowledged = {}
        self.failures = []
        self.killed = False

    def run(self):
        threads = [threading.Thread(target=self.upload_all, args=(seed,)) for seed in self.seeds]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert self.failures == []

    def upload_all(self, seed):
        chance = random.Random(seed)
        try:
            while True:
                content = chance.randbytes(chance.choice(SIZES))
                name = f"{seed} {len(content)} {chance.random()}"
                with self.lock:
                    self.sent[name] = content
                file = self.upload(name, content)
                with self.lock:
                    self.acknowledged[name] = file["id"]
        except Exception as failure:
            # A connection that breaks because the server is gone is what this is about.
            if not (self.killed and isinstance(failure, requests.RequestException)):
                self.failures.append(failure)
                self.kill()

    def upload(self, name, content):
        head = f'--XX\r\nContent-Disposition: form-data; name="file"; filename="{name}"\r\n\r\n'
        body = head.encode() + content + b"\r\n--XX--\r\n"
        answer = self.account.call(
            "POST",
            "files/contents/",
            data=self.pieces(body),
            headers={"Content-Type": "multipart/form-data; boundary=XX"},
        )
        assert answer.status_code == 201, answer.text
        return answer.json()

    def pieces(self, body):
        for at in range(0, len(body), PIECE_BYTES):
            yield body[at : at + PIECE_BYTES]
            with self.lock:
                self.left -= 1
                last = self.left == 0
            if last:
                self.kill()

    def kill(self):
        self.killed = True
        self.server.process.kill()


def listed(account):
    page = account.call("GET", "files/", params={"page_size": 10_000}).json()
    assert page["next"] is None
    return {file["name"]: file for file in page["results"]}


def check(account, files, sent):
    """These files read back as they were sent."""
    for name, file in files.items():
        content = account.download(file["id"])
        assert content == sent[name], name
        md5 = hashlib.md5(content).hexdigest()
        assert (file["md5"], file["decryptedSize"]) == (md5, len(content)), name


def test_what_is_acknowledged_survives_any_number_of_kills(serve, server):
    seed = random.SystemRandom().getrandbits(32)
    print(f"seed {seed}")
    chance = random.Random(seed)
    token = server.token
    sent, acknowledged = {}, {}
    for number in range(ROUNDS):
        load = Load(server, token, number, chance)
        load.run()
        assert server.stop() == -signal.SIGKILL
        sent |= load.sent
        acknowledged |= load.acknowledged

        server = serve()
        account = Account(server.url, token)
        files = listed(account)
        for name, file_id in acknowledged.items():
            assert name in files, f"{name} was acknowledged in round {number} or before"
            assert files[name]["id"] == file_id
        check(account, {name: file for name, file in files.items() if name in load.sent}, sent)
        done = server.command("verify")
        assert done.stdout.splitlines()[-1] == f"{len(files)} checked, 0 damaged"
    assert files.keys() <= sent.keys()
    assert len(acknowledged) >= ROUNDS
    check(account, files, sent)
