"""Every form of upload body that clients are known to send, and bodies that break off.

Where the bytes matter and `requests` would write others today, the body is written out here.
"""

import hashlib
import json
import re
import socket
from urllib.parse import urlsplit

import pytest
import requests

from harness import DEADLINE_SECONDS, Account, paste, stored_files, wait_until

CONTENT = b"line one\r\nline two\n--not the boundary\n"
# More than is kept in the catalog itself, so that an object has to be written for it.
LARGE = bytes(range(256)) * 1024

BOUNDARY = "d41d8cd98f00b204"
TYPE = f"multipart/form-data; boundary={BOUNDARY}"


def multipart(*parts):
    """A body of (head lines, content) parts, byte for byte."""
    body = b""
    for head, content in parts:
        head = head if isinstance(head, bytes) else head.encode()
        body += b"--" + BOUNDARY.encode() + b"\r\n" + head + b"\r\n\r\n" + content + b"\r\n"
    return body + b"--" + BOUNDARY.encode() + b"--\r\n"


def file_part(filename='filename="a.txt"', content=CONTENT, extra=""):
    return f'Content-Disposition: form-data; name="file"; {filename}{extra}', content


def type_part(name, value, filename=""):
    return f'Content-Disposition: form-data; name="{name}"{filename}', value


def send(account, body, method="POST", **headers):
    headers.setdefault("Content-Type", TYPE)
    return account.call(method, "files/contents/", data=body, headers=headers)


def check(account, answer, name="a.txt", type_id=1, content=CONTENT):
    """Answered as created, and really there."""
    assert answer.status_code == 201, answer.text
    file = answer.json()
    assert (file["name"], file["typeId"]) == (name, type_id)
    assert file["decryptedSize"] == len(content)
    assert file["md5"] == hashlib.md5(content).hexdigest()
    assert account.download(file["id"]) == content
    assert account.names() == [name]


@pytest.mark.parametrize("method", ["POST", "PUT"])
@pytest.mark.parametrize("path", ["files/contents/", "files/contents"])
@pytest.mark.parametrize("prefix", ["/api/", "/api/v2/", "/api/v3/"])
def test_simple_upload(admin, tmp_path, method, path, prefix):
    (tmp_path / "a.txt").write_bytes(CONTENT)
    with open(tmp_path / "a.txt", "rb") as opened:
        answer = admin.call(method, path, prefix=prefix, files={"file": opened})
    check(admin, answer)
    link = f"{admin.url}{prefix}files/{answer.json()['id']}/contents/"
    assert answer.json()["downloadUrl"] == link


def test_type_in_the_content_type_of_the_part(admin):
    for type_id in range(1, 13):
        part = file_part(extra=f"\r\nContent-Type: {{'type_id': {type_id}}}")
        answer = send(admin, multipart(part))
        assert (answer.status_code, answer.json()["typeId"]) == (201, type_id)


def test_type_as_a_second_file_part_behind_the_data(admin):
    answer = admin.call("POST", "files/contents/", files={"file": ("a.txt", CONTENT), "typeId": 2})
    assert b'filename="typeId"' in answer.request.body
    check(admin, answer, type_id=2)


@pytest.mark.parametrize("field", ["typeId", "type_id"])
def test_type_as_a_plain_field_before_the_data(admin, field):
    answer = admin.call(
        "POST", "files/contents/", files={"file": ("a.txt", CONTENT)}, data={field: 2}
    )
    check(admin, answer, type_id=2)


@pytest.mark.parametrize("before", [True, False])
def test_a_type_part_wins_over_the_content_type_of_the_file_part(admin, before):
    parts = [file_part(extra="\r\nContent-Type: {'type_id': 5}")]
    parts.insert(0 if before else 1, type_part("typeId", b"2"))
    check(admin, send(admin, multipart(*parts)), type_id=2)


@pytest.mark.parametrize("before", [True, False])
@pytest.mark.parametrize("value", [b"13", b"0", b"-1", b"x"])
def test_a_type_that_is_none_stores_nothing(server, admin, before, value):
    stored = stored_files(server.data)
    parts = [file_part(content=LARGE)]
    parts.insert(0 if before else 1, type_part("typeId", value))
    answer = send(admin, multipart(*parts))
    assert answer.status_code == 400, answer.text
    assert list(answer.json()) == ["typeId"]
    assert admin.names() == []
    wait_until(lambda: stored_files(server.data) == stored, "the object is gone")


@pytest.mark.parametrize(
    "filename, name",
    [
        ('filename="/full/local/path.txt"', "path.txt"),
        (r'filename="C:\Users\me\deck one.txt"', "deck one.txt"),
        (r'filename="..\..\etc/passwd"', "passwd"),
        ("filename*=utf-8''r%C3%A9sultat%20final.txt", "résultat final.txt"),
        ('filename="résultat.txt"', "résultat.txt"),
        ('filename="%22é%22 100%.txt"', '"é" 100%.txt'),
        ('filename="日本語.txt"', "日本語.txt"),
    ],
)
def test_file_names(admin, filename, name):
    check(admin, send(admin, multipart(file_part(filename))), name=name)


def test_the_last_part_may_be_followed_by_anything(admin):
    body = b"a preamble\r\n" + multipart(file_part()) + b"an epilogue"
    check(admin, send(admin, body))


def test_an_empty_file(admin):
    check(admin, send(admin, multipart(file_part(content=b""))), content=b"")


def test_a_large_file_by_curl_waits_for_100_continue(admin, tmp_path):
    content = LARGE * 9
    (tmp_path / "a.txt").write_bytes(content)
    command = f"""
    curl -v -X POST -H 'Content-Type:multipart/form-data' -H 'Authorization: Token {admin.token}' \
      -F 'file=@a.txt' {admin.url}/api/files/contents/ 2>trace
    """
    status, body = paste(command, tmp_path)
    assert status == 201
    trace = (tmp_path / "trace").read_text(errors="replace")
    assert "Expect: 100-continue" in trace and "HTTP/1.1 100 Continue" in trace
    assert admin.download(json.loads(body)["id"]) == content


def test_chunked_transfer(admin):
    body = multipart(file_part(content=LARGE))
    pieces = (body[at : at + 1000] for at in range(0, len(body), 1000))
    answer = send(admin, pieces)
    assert answer.request.headers["Transfer-Encoding"] == "chunked"
    check(admin, answer, content=LARGE)


def test_a_header_set_by_hand_has_no_boundary(admin):
    answer = admin.call(
        "POST",
        "files/contents/",
        files={"file": ("a.txt", CONTENT)},
        headers={"Content-Type": "multipart/form-data"},
    )
    assert answer.status_code == 400
    assert "detail" in answer.json()
    assert admin.names() == []


@pytest.mark.parametrize("body", [multipart(type_part("typeId", b"2")), multipart()])
def test_no_file_part(admin, body):
    answer = send(admin, body)
    assert (answer.status_code, answer.json()) == (400, {"file": ["No file was submitted."]})


def test_another_media_type(admin):
    answer = send(admin, CONTENT, **{"Content-Type": "text/plain"})
    text = 'Unsupported media type "text/plain" in request.'
    assert (answer.status_code, answer.json()) == (415, {"detail": text})


def test_without_a_token_the_body_is_not_waited_for(admin):
    """The answer comes although not one byte of the declared body was sent."""
    with RawUpload(admin, token=None, length=len(LARGE)) as upload:
        assert upload.status() == 401
    answer = requests.post(f"{admin.url}/api/files/contents/", timeout=DEADLINE_SECONDS)
    expected = {"detail": "Authentication credentials were not provided."}
    assert (answer.status_code, answer.json()) == (401, expected)


class RawUpload:
    """An upload over a socket of our own, to send what no HTTP client would."""

    def __init__(self, account, length=None, token="own", headers=()):
        url = urlsplit(account.url)
        self.socket = socket.create_connection((url.hostname, url.port), DEADLINE_SECONDS)
        head = [
            "POST /api/files/contents/ HTTP/1.1",
            f"Host: {url.netloc}",
            f"Content-Type: {TYPE}",
            "Transfer-Encoding: chunked" if length is None else f"Content-Length: {length}",
            *headers,
        ]
        if token is not None:
            head.append(f"Authorization: Token {account.token}")
        self.send("\r\n".join(head).encode() + b"\r\n\r\n")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def send(self, data):
        self.socket.sendall(data)

    def end_of_sending(self):
        self.socket.shutdown(socket.SHUT_WR)

    def status(self):
        """The status of the next response head."""
        head = b""
        while b"\r\n\r\n" not in head:
            received = self.socket.recv(1)
            assert received, f"closed after {head!r}"
            head += received
        return int(re.match(rb"HTTP/1\.1 (\d{3}) ", head)[1])


def test_100_continue_on_the_wire(admin):
    body = multipart(file_part())
    with RawUpload(admin, len(body), headers=["Expect: 100-continue"]) as upload:
        assert upload.status() == 100
        upload.send(body)
        assert upload.status() == 201
    assert admin.names() == ["a.txt"]


WHOLE = multipart(file_part(content=LARGE))
CHUNK = b"%x\r\n" % len(WHOLE)


@pytest.mark.parametrize("wait_for_answer", [True, False])
@pytest.mark.parametrize(
    "length, sent",
    [
        pytest.param(len(WHOLE), WHOLE[: len(WHOLE) // 2], id="half of the declared length"),
        pytest.param(len(WHOLE), WHOLE[:-2], id="all but the end"),
        pytest.param(len(WHOLE) + 1, WHOLE, id="declared too long"),
        pytest.param(len(WHOLE) - 10, WHOLE, id="declared too short"),
        pytest.param(None, CHUNK + WHOLE[: len(WHOLE) // 2], id="within a chunk"),
        pytest.param(None, CHUNK + WHOLE + b"\r\n", id="without the last chunk"),
    ],
)
def test_a_body_that_breaks_off_leaves_nothing(
    serve, server, admin, length, sent, wait_for_answer
):
    stored = stored_files(server.data)
    with RawUpload(admin, length) as upload:
        upload.send(sent)
        if wait_for_answer:
            upload.end_of_sending()
            assert upload.status() == 400
    wait_until(lambda: stored_files(server.data) == stored, "the object is gone")
    assert admin.names() == []

    # Whatever the server was still about to do when the connection closed is done by now.
    server.stop()
    assert stored_files(server.data) == stored
    assert Account(serve(server.data).url, admin.token).names() == []


@pytest.mark.parametrize(
    "lie",
    [
        "Content-Length: 10",
        "Content-Length: -1",
        "Content-Length: 99999999999999999999",
        "Content-Length: x",
        "Transfer-Encoding: gzip",
    ],
)
def test_lengths_that_contradict_each_other_are_no_request(server, admin, lie):
    """Which of the two counts is not guessed: what follows could be taken for another request."""
    stored = stored_files(server.data)
    with RawUpload(admin, len(WHOLE), headers=[lie]) as upload:
        assert upload.status() == 400
    assert stored_files(server.data) == stored
    assert admin.names() == []


@pytest.mark.parametrize("end", [0, -4, -len(BOUNDARY) - 8], ids=["empty", "in the end", "no end"])
def test_a_whole_body_with_half_a_form_leaves_nothing(server, admin, end):
    stored = stored_files(server.data)
    answer = send(admin, WHOLE[:end])
    assert answer.status_code == 400, answer.text
    wait_until(lambda: stored_files(server.data) == stored, "the object is gone")
    assert admin.names() == []
