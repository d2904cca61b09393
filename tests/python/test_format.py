"""Checks the published test vectors with the independent reader, and that it refuses damage.

    pip install cryptography pytest && pytest tests/python
"""

import base64
import hashlib
import io
import json
import struct
import subprocess
import sys
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

import bindery_format as bf

FIXTURES = Path(__file__).parents[2] / "crates/core/tests/fixtures/v1"
VECTORS = json.loads((FIXTURES / "vectors.json").read_text(encoding="utf-8"))
CONTENTS = {content["name"]: content for content in VECTORS["contents"]}
WRAPS = {wrap["name"]: wrap for wrap in VECTORS["wraps"]}
SEALED_SEGMENT = bf.SEGMENT_LEN + bf.TAG_LEN


def pattern(start, end):
    return bytes((i * 31 + 7) % 251 for i in range(start, end))


def sha256(data):
    return hashlib.sha256(data).hexdigest()


def seal(key, content_id, ordinal, prefix, plain):
    """A second, plain writer, for the vectors whose sealed bytes are not stored."""
    header = b"BINDERY\x01\x01\x10\0\0" + struct.pack(">I", ordinal) + content_id + prefix + b"\0"
    count = max(1, -(-len(plain) // bf.SEGMENT_LEN))
    out = header
    for i in range(count):
        segment = plain[i * bf.SEGMENT_LEN : (i + 1) * bf.SEGMENT_LEN]
        nonce = prefix + struct.pack(">IB", i, i == count - 1)
        out += AESGCM(key).encrypt(nonce, segment, header)
    return out


def sealed_objects(content):
    key, content_id = bytes.fromhex(content["data_key"]), bytes.fromhex(content["content_id"])
    start = 0
    for ordinal, item in enumerate(content["objects"]):
        plain = pattern(start, start + item["plain_len"])
        start += item["plain_len"]
        yield item, plain, seal(key, content_id, ordinal, bytes.fromhex(item["prefix"]), plain)


def open_bytes(name, sealed):
    key = bytes.fromhex(CONTENTS[name]["data_key"])
    return b"".join(bf.open_object(key, io.BytesIO(sealed)))


def stored(name, ordinal=0):
    return (FIXTURES / CONTENTS[name]["objects"][ordinal]["file"]).read_bytes()


def test_all_vectors_are_here():
    assert len(CONTENTS) == 7 and len(WRAPS) == 2
    files = [o["file"] for c in CONTENTS.values() for o in c["objects"] if o["file"]]
    assert sorted(files) == sorted(p.name for p in FIXTURES.glob("*.sealed"))
    assert len(files) == 7


@pytest.mark.parametrize("name", CONTENTS)
def test_content(name):
    content, whole = CONTENTS[name], b""
    for item, plain, sealed in sealed_objects(content):
        assert len(sealed) == item["sealed_len"]
        assert sha256(sealed) == item["sealed_sha256"]
        if item["file"]:
            assert (FIXTURES / item["file"]).read_bytes() == sealed
        assert open_bytes(name, sealed) == plain
        whole += plain
    assert len(whole) == content["plain_len"]
    assert sha256(whole) == content["plain_sha256"]


@pytest.mark.parametrize("name", WRAPS)
def test_wrap(name):
    wrap = WRAPS[name]
    aad = bf.wrap_aad(
        wrap["file"],
        wrap["version"],
        bytes.fromhex(wrap["content_id"]),
        wrap["plain_len"],
        bytes.fromhex(wrap["md5"]),
        [(o["key"], o["plain_len"]) for o in wrap["objects"]],
    )
    assert aad.hex() == wrap["aad"]
    master, wrapped = bytes.fromhex(wrap["master_key"]), bytes.fromhex(wrap["wrapped"])
    assert wrapped[:12].hex() == wrap["nonce"]
    assert bf.unwrap(master, aad, wrapped).hex() == wrap["data_key"]
    for i in range(len(wrapped)):
        flipped = wrapped[:i] + bytes([wrapped[i] ^ 1]) + wrapped[i + 1 :]
        with pytest.raises(bf.FormatError):
            bf.unwrap(master, aad, flipped)
    with pytest.raises(bf.FormatError):
        bf.unwrap(master, aad + b"\0", wrapped)
    with pytest.raises(bf.FormatError):
        bf.unwrap(master, aad, wrapped[:-1])


@pytest.mark.parametrize("name", ["empty", "one-byte"])
def test_every_flipped_bit_and_every_cut_is_refused(name):
    sealed = stored(name)
    for bit in range(len(sealed) * 8):
        flipped = bytearray(sealed)
        flipped[bit // 8] ^= 1 << bit % 8
        with pytest.raises(bf.FormatError):
            open_bytes(name, bytes(flipped))
    for cut in range(len(sealed)):
        with pytest.raises(bf.FormatError):
            open_bytes(name, sealed[:cut])


def test_moved_segments_are_refused():
    [(_, _, sealed)] = sealed_objects(CONTENTS["two-segments"])
    header, body = sealed[:40], sealed[40:]
    a, b = body[:SEALED_SEGMENT], body[SEALED_SEGMENT:]
    assert open_bytes("two-segments", header + a + b) == pattern(0, 131072)
    for moved in [a, b, b + a, a + a, b + b, a + a + b, a + b + b, a + b + b[:16], a + b[:16]]:
        with pytest.raises(bf.FormatError):
            open_bytes("two-segments", header + moved)


def test_an_empty_segment_behind_others_is_refused():
    """Even one that verifies: a plaintext has only one sealed form."""
    content = CONTENTS["segment"]
    key, header = bytes.fromhex(content["data_key"]), stored("segment")[:40]
    first = AESGCM(key).encrypt(header[32:39] + bytes(5), pattern(0, 65536), header)
    empty = AESGCM(key).encrypt(header[32:39] + bytes([0, 0, 0, 1, 1]), b"", header)
    with pytest.raises(bf.FormatError, match="cut"):
        open_bytes("segment", header + first + empty)


@pytest.mark.parametrize("at", [0, 6, 7, 8, 9, 10, 11, 39])
def test_an_unknown_header_is_refused_before_its_tag(at):
    header = bytearray(stored("empty")[:40])
    bf.read_header(bytes(header))
    header[at] ^= 1
    with pytest.raises(bf.FormatError):
        bf.read_header(bytes(header))


def paths(name):
    return [FIXTURES / item["file"] for item in CONTENTS[name]["objects"]]


def decrypt(name, files, length=None):
    out = io.BytesIO()
    bf.decrypt_content(bytes.fromhex(CONTENTS[name]["data_key"]), files, out, length)
    return out.getvalue()


def test_a_content_of_two_objects():
    first, second = paths("two-objects")
    assert decrypt("two-objects", [first, second], 1300) == pattern(0, 1300)
    assert decrypt("two-objects", [second, first], 1300) == pattern(0, 1300)
    # The data key alone does not tell that the end of a content is missing; its length does.
    assert decrypt("two-objects", [first]) == pattern(0, 1000)
    for files, length in [
        ([first], 1300),
        ([second], None),
        ([first, first], None),
        ([first, *paths("one-byte")], None),
    ]:
        with pytest.raises(bf.FormatError):
            decrypt("two-objects", files, length)


def test_an_object_of_another_content_is_refused(tmp_path):
    """Even one under the same key, which no writer makes."""
    key = bytes.fromhex(CONTENTS["two-objects"]["data_key"])
    path = tmp_path / "stranger"
    path.write_bytes(seal(key, bytes(16), 1, b"another", pattern(1000, 1300)))
    with pytest.raises(bf.FormatError, match="several contents"):
        decrypt("two-objects", [paths("two-objects")[0], path])


def test_a_renumbered_object_is_refused(tmp_path):
    renumbered = bytearray(stored("two-objects", 1))
    renumbered[15] = 0
    path = tmp_path / "renumbered"
    path.write_bytes(renumbered)
    with pytest.raises(bf.FormatError):
        decrypt("two-objects", [path])


def run(tmp_path, key, *args):
    out = tmp_path / "out"
    command = [sys.executable, bf.__file__, "--key", key, "--out", out, *args]
    done = subprocess.run(command, capture_output=True, text=True)
    assert list(tmp_path.glob("*.partial")) == []
    return done.returncode, out.read_bytes() if out.exists() else None


def test_the_command(tmp_path):
    key = base64.b64encode(bytes.fromhex(CONTENTS["two-objects"]["data_key"])).decode()
    assert run(tmp_path, base64.b64encode(bytes(32)).decode(), *paths("two-objects")) == (1, None)
    assert run(tmp_path, key, "--length=9", *paths("two-objects")) == (1, None)
    assert run(tmp_path, key, *paths("two-objects")) == (0, pattern(0, 1300))
