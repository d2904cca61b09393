"""A thousand peers that send or take a byte a second, and what that does to everyone else."""

import selectors
import socket
import sys
import threading
import time
from pathlib import Path

import requests

PEERS = 1_000
# More than the system takes for a peer that does not read.
CONTENT_BYTES = 16 << 20


def resident_bytes(process):
    for line in Path(f"/proc/{process.pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024
    raise AssertionError("no resident size")


class Peers:
    """A third of them trickle a request's head, a third a body, and a third take a content."""

    def __init__(self, url, token, file_id):
        host, port = url.removeprefix("http://").split(":")
        self.address = (host, int(port))
        auth = f"Authorization: Token {token}\r\n"
        form = "Content-Type: multipart/form-data; boundary=XX\r\nContent-Length: 1000000\r\n\r\n"
        part = '--XX\r\nContent-Disposition: form-data; name="file"; filename="slow"\r\n\r\n'
        self.kinds = [
            f"GET /api/v2/files/ HTTP/1.1\r\nHost: a\r\n{auth}X-Slow: ",
            f"POST /api/v2/files/contents/ HTTP/1.1\r\nHost: a\r\n{auth}{form}{part}",
            f"GET /api/v2/files/{file_id}/contents/ HTTP/1.1\r\nHost: a\r\n{auth}\r\n",
        ]
        self.sockets = []
        self.ended = threading.Event()
        self.thread = threading.Thread(target=self.trickle)

    def __enter__(self):
        for number in range(PEERS):
            peer = socket.socket()
            # What the system keeps for those that do not read is not the server's.
            peer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            peer.connect(self.address)
            peer.sendall(self.kinds[number % 3].encode())
            self.sockets.append(peer)
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.ended.set()
        self.thread.join()
        for peer in self.sockets:
            peer.close()

    def trickle(self):
        while not self.ended.wait(1):
            for number, peer in enumerate(self.sockets):
                try:
                    if number % 3 == 2:
                        peer.recv(1)
                    else:
                        peer.send(b"a")
                except OSError:
                    # Those that are cut are cut.
                    pass

    def answered(self, kind):
        """How many of a kind have been sent something, or were cut."""
        waiting = selectors.DefaultSelector()
        for number, peer in enumerate(self.sockets):
            if number % 3 == kind:
                waiting.register(peer, selectors.EVENT_READ)
        return len(waiting.select(0))


def p99(account, file_id, requests_made):
    took = []
    session = requests.Session()
    session.trust_env = False
    url = f"{account.url}/api/v2/files/{file_id}/contents/"
    for _ in range(requests_made):
        began = time.perf_counter()
        answer = session.get(url, headers=account.headers, timeout=60)
        took.append(time.perf_counter() - began)
        assert answer.status_code == 200 and len(answer.content) == 4096
    return sorted(took)[requests_made * 99 // 100]


def prepare(account):
    """A file that a normal client reads, and one that is taken a byte a second."""
    small = account.upload("small", b"x" * 4096)["id"]
    return small, account.upload("large", bytes(CONTENT_BYTES))["id"]


def main():
    from harness import Server

    server = Server(Path(sys.argv[1]) / "data")
    try:
        small, large = prepare(server.admin)
        p99(server.admin, small, 500)
        base, idle = p99(server.admin, small, 3000), resident_bytes(server.process)
        with Peers(server.url, server.token, large):
            # The first seconds are those in which a third of them is sent what the sockets hold.
            time.sleep(5)
            slow, full = p99(server.admin, small, 3000), resident_bytes(server.process)
        print(f"p99 of a normal client: {base * 1e3:.2f} ms, beside them {slow * 1e3:.2f} ms")
        print(f"resident: {idle / 1024:.0f} KiB, and {(full - idle) / PEERS / 1024:.1f} KiB a peer")
    finally:
        server.stop()


if __name__ == "__main__":
    main()
