"""A file's stored objects and its own key are enough to read it: no server, no catalog, no master
key. Proved with Bindery's own command and with the reader in Python beside this file.
"""

import base64
import subprocess
import sys
from pathlib import Path

import pytest

from harness import DEADLINE_SECONDS, bindery

SMALL = b"kept in the catalog\n"
LARGE = bytes((n * n + n // 251) % 256 for n in range(3 << 20))
READER = Path(__file__).with_name("bindery_format.py")


@pytest.fixture(params=[b"", SMALL, LARGE], ids=["empty", "small", "large"])
def saved(request, server, admin, tmp_path):
    """The content, its key as metadata shows it, and its saved objects; the server has ended."""
    sent = admin.upload("saved.bin", request.param)
    shown = admin.call("GET", f"files/{sent['id']}/").json()
    key = shown["encodedEncryptionKey"]
    assert len(base64.b64decode(key, validate=True)) == 32

    out = tmp_path / "out"
    server.command("objects", sent["id"], "--out", out)
    objects = sorted(out.iterdir())
    assert objects
    if request.param:
        assert all(request.param[:16] not in path.read_bytes() for path in objects)
    server.stop()
    return request.param, key, objects


def decrypt(key, out, objects, exit_code):
    nowhere = out.with_name("nowhere")
    done = bindery(
        "decrypt", "--key", key, "--out", out, *objects, data=nowhere, exit_code=exit_code
    )
    assert not nowhere.exists()
    return done


def test_decrypt(saved, tmp_path):
    content, key, objects = saved
    decrypt(key, tmp_path / "plain", objects, 0)
    assert (tmp_path / "plain").read_bytes() == content


def test_the_reader_in_python(saved, tmp_path):
    content, key, objects = saved
    out = tmp_path / "plain"
    command = [sys.executable, READER, "--key", key, "--out", out, *objects]
    subprocess.run(command, check=True, timeout=DEADLINE_SECONDS)
    assert out.read_bytes() == content


def test_decrypt_refuses_another_key(saved, tmp_path):
    _, _, objects = saved
    other = base64.b64encode(bytes(32)).decode()
    done = decrypt(other, tmp_path / "plain", objects, 1)
    assert done.stderr.strip()
    assert not (tmp_path / "plain").exists()


@pytest.mark.parametrize("damage", ["flip the last byte", "cut the last byte"])
def test_decrypt_refuses_damage(saved, tmp_path, damage):
    _, key, objects = saved
    objects[-1].chmod(0o600)
    data = objects[-1].read_bytes()
    last = bytes([data[-1] ^ 1]) if damage.startswith("flip") else b""
    objects[-1].write_bytes(data[:-1] + last)
    done = decrypt(key, tmp_path / "plain", objects, 1)
    assert done.stderr.strip()
    assert not (tmp_path / "plain").exists()
