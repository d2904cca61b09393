"""Reads Bindery's sealed format, version 1, from docs/format.md alone.

Needs Python 3.9 and the `cryptography` package, and nothing of Bindery: no server, no catalog.

    python bindery_format.py --key BASE64 --out FILE OBJECT [OBJECT ...]

decrypts a content from its objects, given in any order. It writes FILE only if every byte of every
object verifies. It cannot know whether objects are missing behind the last one given; `--length`
(the length of the whole content in bytes) has it check.
"""

import argparse
import base64
import os
import struct
import sys
from dataclasses import dataclass
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

HEADER = struct.Struct(">7s B B B 2s I 16s 7s B")
SEGMENT_LEN = 65536
TAG_LEN = 16
MAX_OBJECT_LEN = 32 << 30


class FormatError(Exception):
    """The bytes are not a sealed object, or not the expected one."""


@dataclass(frozen=True)
class Header:
    raw: bytes
    ordinal: int
    content_id: bytes
    prefix: bytes


def read_header(raw):
    """Parses the 40 bytes that an object begins with."""
    if len(raw) != HEADER.size:
        raise FormatError("the object is shorter than its header")
    magic, version, algorithm, log2, zero, ordinal, content_id, prefix, end = HEADER.unpack(raw)
    if magic != b"BINDERY":
        raise FormatError("not a sealed object")
    if version != 1:
        raise FormatError(f"format version {version} is unknown")
    if (algorithm, log2) != (1, 16):
        raise FormatError("the algorithm or the segment size is unknown")
    if zero != b"\0\0" or end != 0:
        raise FormatError("a reserved byte is not zero")
    return Header(raw, ordinal, content_id, prefix)


def open_object(key, file):
    """Yields the plaintext of the object in a binary file, segment by segment, each verified.

    The object is whole only once the iteration ends without an exception.
    """
    header = read_header(file.read(HEADER.size))
    cipher = AESGCM(key)
    segment = file.read(SEGMENT_LEN + TAG_LEN)
    counter = 0
    while True:
        behind = file.read(SEGMENT_LEN + TAG_LEN)
        is_last = not behind
        if len(segment) < TAG_LEN or (len(segment) == TAG_LEN and counter > 0):
            raise FormatError("the object is cut")
        if counter * SEGMENT_LEN + len(segment) - TAG_LEN > MAX_OBJECT_LEN:
            raise FormatError("the object is longer than 32 GiB")
        nonce = header.prefix + struct.pack(">IB", counter, is_last)
        try:
            yield cipher.decrypt(nonce, segment, header.raw)
        except InvalidTag:
            raise FormatError(f"segment {counter} does not verify") from None
        if is_last:
            return
        segment = behind
        counter += 1


def decrypt_content(key, paths, out, length=None):
    """Decrypts a content from all its object files, in any order, into the binary file `out`."""
    objects = {}
    ids = set()
    for path in paths:
        with open(path, "rb") as file:
            header = read_header(file.read(HEADER.size))
        if header.ordinal in objects:
            raise FormatError(f"two objects have the ordinal {header.ordinal}")
        objects[header.ordinal] = path
        ids.add(header.content_id)
    if len(ids) != 1:
        raise FormatError("the objects are of several contents")
    if sorted(objects) != list(range(len(objects))):
        raise FormatError(f"an object is missing; present are {sorted(objects)}")
    written = 0
    for ordinal in sorted(objects):
        with open(objects[ordinal], "rb") as file:
            for plain in open_object(key, file):
                written += out.write(plain)
    if length is not None and written != length:
        raise FormatError(f"the content has {length} bytes, these objects hold {written}")


def wrap_aad(file, version, content_id, plain_len, md5, objects):
    """The associated data of a wrap; `objects` lists (name, length of plaintext) in order."""
    aad = b"bindery-wrap-v1\0" + struct.pack(">QQ", file, version)
    aad += content_id + struct.pack(">Q", plain_len) + md5 + struct.pack(">I", len(objects))
    for name, object_len in objects:
        encoded = name.encode("utf-8")
        aad += struct.pack(">H", len(encoded)) + encoded + struct.pack(">Q", object_len)
    return aad


def unwrap(master_key, aad, wrapped):
    """The data key in a wrap of 60 bytes."""
    if len(wrapped) != 60:
        raise FormatError("a wrap has 60 bytes")
    try:
        return AESGCM(master_key).decrypt(wrapped[:12], wrapped[12:], aad)
    except InvalidTag:
        raise FormatError("the wrap does not verify") from None


def main():
    parser = argparse.ArgumentParser(description="Decrypt a content from its sealed objects.")
    parser.add_argument("--key", required=True, help="the content's data key in base64")
    parser.add_argument("--out", required=True, type=Path, help="the file to write")
    parser.add_argument("--length", type=int, help="length of the whole content in bytes")
    parser.add_argument("objects", nargs="+", metavar="OBJECT", type=Path)
    args = parser.parse_args()
    key = base64.b64decode(args.key, validate=True)
    if len(key) != 32:
        sys.exit("the key is not 32 bytes long")
    partial = args.out.with_name(args.out.name + ".partial")
    try:
        with open(partial, "wb") as out:
            decrypt_content(key, args.objects, out, args.length)
        os.replace(partial, args.out)
    except (FormatError, OSError) as error:
        partial.unlink(missing_ok=True)
        sys.exit(f"{error}; nothing was written")


if __name__ == "__main__":
    main()
