"""A disk that is full: what does not fit leaves nothing, and what is there can still be had.

The data directory is a small file system in memory, in a mount namespace that the server has for
itself. Other processes see it through the server's entry in /proc; commands join the namespace.
"""

import contextlib
import os
import random
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from harness import DEADLINE_SECONDS, binary, environment, stored_files, wait_until

# Uploads leave half of it to the catalog.
DISK_BYTES = 64 << 20
# The most that is kept in the catalog itself.
INLINE_MAX = 16 << 10
# The first fills the disk soon, the second what that leaves, and the third is kept in the catalog.
SIZES = [1 << 20, INLINE_MAX + 1, INLINE_MAX]
FULL = (507, {"detail": "The server's storage is full. Nothing was stored."})


@pytest.fixture
def disk(tmp_path):
    """The directory to mount on, and two launchers: of a server there, and of commands beside it."""
    unshare, enter = ["unshare", "--mount"], ["nsenter", "--mount"]
    if os.geteuid() != 0:
        unshare = ["unshare", "--user", "--map-root-user", "--mount"]
        enter = ["nsenter", "--user", "--mount", "--preserve-credentials"]
    data = tmp_path / "data"
    data.mkdir()
    script = 'mount -t tmpfs -o size="$0",mode=0700 none "$1" && shift && exec "$@"'
    launcher = [*unshare, "sh", "-c", script, str(DISK_BYTES), str(data)]
    try:
        subprocess.run([*launcher, "true"], check=True, capture_output=True, timeout=10)
    except (OSError, subprocess.SubprocessError) as error:
        why = getattr(error, "stderr", None) or str(error).encode()
        pytest.skip(f"this system grants no mount of one's own: {why.decode().strip()}")
    return data, launcher, enter


class FullDisk:
    """A server on its small disk, and what it has acknowledged."""

    def __init__(self, server, enter):
        self.server = server
        self.enter = [*enter, "--target", str(server.process.pid)]
        self.admin = server.admin
        self.data = f"/proc/{server.process.pid}/root{server.data}"
        self.empty = stored_files(self.data)
        self.kept = {}

    def command(self, *args):
        done = subprocess.run(
            [*self.enter, binary(), *args],
            capture_output=True,
            text=True,
            timeout=DEADLINE_SECONDS,
            env=environment(self.server.data),
        )
        assert done.returncode == 0, done
        return done.stdout

    def upload(self, content):
        """Whether it was stored. If not, it is refused in the one way that says why."""
        name = f"{len(content)} bytes"
        answer = self.admin.call("POST", "files/contents/", files={"file": (name, content)})
        if answer.status_code != 201:
            assert (answer.status_code, answer.json()) == FULL
            return False
        self.kept[answer.json()["id"]] = (name, content)
        return True

    def fill(self, size):
        """Uploads until one is refused."""
        while self.upload(random.randbytes(size)):
            assert len(self.kept) < DISK_BYTES // INLINE_MAX, "the disk is never full"

    def check(self):
        """The list is what was acknowledged, each content is whole, and there is nothing else."""
        assert sorted(self.admin.names()) == sorted(name for name, _ in self.kept.values())
        for file_id, (_, content) in self.kept.items():
            assert self.admin.download(file_id) == content
        objects = sum(len(content) > INLINE_MAX for _, content in self.kept.values())
        wait_until(
            lambda: len(stored_files(self.data) - self.empty) == objects,
            f"there are {objects} objects and nothing else",
        )

    def delete(self, file_ids):
        for file_id in file_ids:
            answer = self.admin.call("DELETE", f"files/{file_id}/")
            assert answer.status_code == 204, answer.text
            del self.kept[file_id]


@pytest.fixture
def full(disk, serve):
    data, launcher, enter = disk
    server = serve(data, launcher=launcher)
    assert server.url and server.token
    assert os.path.ismount(f"/proc/{server.process.pid}/root{data}")
    return FullDisk(server, enter)


def test_what_does_not_fit_leaves_nothing_and_deleting_makes_room(full):
    for size in SIZES:
        full.fill(size)
    with ThreadPoolExecutor(8) as threads:
        assert not any(threads.map(full.upload, [random.randbytes(100_000)] * 32))
    full.check()
    assert full.command("verify").splitlines()[-1] == f"{len(full.kept)} checked, 0 damaged"

    full.delete(list(full.kept)[:3])
    assert full.command("sweep", "--trash-days", "0").startswith("3 files removed from the trash")
    for size in SIZES:
        assert full.upload(random.randbytes(size))
    full.check()


def test_a_disk_that_others_fill_to_its_last_byte(full):
    """During an upload, too: the part that came before is not kept."""
    for size in SIZES:
        assert full.upload(random.randbytes(size))
    others = Path(full.data) / "others"
    head = b'--XX\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n'

    def body():
        yield head + random.randbytes(1 << 20)
        wait_until(lambda: len(stored_files(full.data) - full.empty) > 2, "the object is begun")
        with open(others, "wb", buffering=0) as file, contextlib.suppress(OSError):
            while file.write(bytes(4096)):
                pass
        assert os.statvfs(full.data).f_bavail == 0
        yield random.randbytes(1 << 20) + b"\r\n--XX--\r\n"

    answer = full.admin.call(
        "POST",
        "files/contents/",
        data=body(),
        headers={"Content-Type": "multipart/form-data; boundary=XX"},
    )
    assert (answer.status_code, answer.json()) == FULL
    full.check()
    for size in SIZES:
        assert not full.upload(random.randbytes(size))
    full.check()

    others.unlink()
    for size in SIZES:
        assert full.upload(random.randbytes(size))
    full.check()
