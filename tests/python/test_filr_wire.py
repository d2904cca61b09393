"""What only a socket shows of the Filr dialect: requests as clients of it really send them."""

import base64
import http.client
import json
import socket

import pytest

from harness import DEADLINE_SECONDS


@pytest.fixture
def talk(server):
    """Sends a request as bytes, and returns (status, headers, body)."""
    host, port = server.url.removeprefix("http://").split(":")
    account = base64.b64encode(f"admin:{server.password}".encode()).decode()

    def send(line, headers=(), body=b""):
        head = [line, f"Host: {host}:{port}", f"Authorization: Basic {account}", *headers]
        with socket.create_connection((host, int(port)), timeout=DEADLINE_SECONDS) as connection:
            connection.sendall("\r\n".join(head).encode() + b"\r\n\r\n" + body)
            answer = http.client.HTTPResponse(connection)
            answer.begin()
            content = answer.read()
        return answer.status, answer.headers, content

    return send


FILES = "/rest/self/my_files/library_files"


def chunked(*pieces):
    return b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in (*pieces, b""))


@pytest.mark.parametrize(
    "query, name",
    [
        ("file_name=résultat.txt", "résultat.txt"),
        ("file_name=100%.txt", "100%.txt"),
        ("file_name=%D1%8F.txt", "я.txt"),
        ("file_name=[a]{b}^`.txt", "[a]{b}^`.txt"),
    ],
)
def test_a_query_as_it_comes(talk, query, name):
    length = ["Content-Length: 7"]
    status, headers, body = talk(f"POST {FILES}?{query} HTTP/1.1", length, b"content")
    assert (status, json.loads(body)["name"]) == (200, name)
    assert headers["Content-Type"] == "application/json"


def test_chunks_and_a_client_that_waits_to_be_asked(talk):
    chunks = ["Transfer-Encoding: chunked", "Expect: 100-continue"]
    body = chunked(b"con", b"tent")
    status, _, answer = talk(f"POST {FILES}?file_name=a HTTP/1.1", chunks, body)
    assert (status, json.loads(answer)["length"]) == (200, 7)


def test_a_body_on_get(talk):
    headers = ["Content-Type: application/json", "Content-Length: 2"]
    status, _, answer = talk(f"GET {FILES} HTTP/1.1", headers, b"{}")
    assert (status, json.loads(answer)["items"]) == (200, [])


def test_an_upload_that_breaks_off_leaves_nothing(talk, server):
    host, port = server.url.removeprefix("http://").split(":")
    for length in (1, 70_000, 2_000_000):
        with socket.create_connection((host, int(port)), timeout=DEADLINE_SECONDS) as connection:
            account = base64.b64encode(f"admin:{server.password}".encode()).decode()
            head = (
                f"POST {FILES}?file_name=broken HTTP/1.1\r\nHost: {host}:{port}\r\n"
                f"Authorization: Basic {account}\r\nContent-Length: 3000000\r\n\r\n"
            )
            connection.sendall(head.encode() + b"x" * length)
            connection.shutdown(socket.SHUT_WR)
            while connection.recv(65536):
                pass
        _, _, answer = talk(f"GET {FILES} HTTP/1.1")
        assert json.loads(answer)["items"] == []
