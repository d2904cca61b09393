"""A server that is told to stop: what runs comes to its end, and nothing new begins."""

import os
import signal
import threading

import pytest
import requests

from harness import wait_until

MIB = 1 << 20


def test_transfers_that_run_end_well_and_new_ones_are_refused(serve):
    server = serve()
    admin = server.admin
    content = os.urandom(64 * MIB)
    kept = admin.upload("kept.bin", content)["id"]
    download = admin.call("GET", f"files/{kept}/contents/", stream=True)
    body = download.iter_content(MIB)
    got = [next(body)]
    begun, stopping = threading.Event(), threading.Event()
    answers = []

    def pieces():
        yield b'--XX\r\nContent-Disposition: form-data; name="file"; filename="late.bin"\r\n\r\n'
        for number in range(16):
            yield content[number * MIB : (number + 1) * MIB]
            if number == 4:
                begun.set()
                assert stopping.wait(60)
        yield b"\r\n--XX--\r\n"

    def upload():
        kind = {"Content-Type": "multipart/form-data; boundary=XX"}
        answers.append(admin.call("POST", "files/contents/", data=pieces(), headers=kind))

    sender = threading.Thread(target=upload)
    sender.start()
    assert begun.wait(60)
    server.process.send_signal(signal.SIGTERM)
    wait_until(lambda: "stopping" in server.log.read_text(), "it says that it stops")

    def refused():
        try:
            requests.get(server.url + "/healthz", timeout=60)
        except requests.ConnectionError:
            return True
        return False

    wait_until(refused, "new connections are refused")
    assert server.process.poll() is None
    stopping.set()
    got.extend(body)
    sender.join()
    assert b"".join(got) == content
    assert answers[0].status_code == 201
    assert server.stop() == 0
    again = serve(server.data)
    late = answers[0].json()["id"]
    download = requests.get(
        f"{again.url}/api/v2/files/{late}/contents/", headers=admin.headers, timeout=60
    )
    assert download.content == content[: 16 * MIB]


def test_what_does_not_end_is_cut_at_the_deadline(serve):
    server = serve()
    admin = server.admin
    stopping = threading.Event()

    def pieces():
        yield b'--XX\r\nContent-Disposition: form-data; name="file"; filename="never"\r\n\r\n'
        yield os.urandom(MIB)
        server.process.send_signal(signal.SIGTERM)
        assert stopping.wait(60)
        yield b"\r\n--XX--\r\n"

    def upload():
        kind = {"Content-Type": "multipart/form-data; boundary=XX"}
        with pytest.raises(requests.RequestException):
            admin.call("POST", "files/contents/", data=pieces(), headers=kind)

    sender = threading.Thread(target=upload)
    sender.start()
    assert server.process.wait(60) == 0
    stopping.set()
    sender.join()
    assert serve(server.data).url
    assert "0 checked" in server.command("verify").stdout
