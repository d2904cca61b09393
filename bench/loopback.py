"""Answers every request with bytes out of memory: loopback.py PORT LENGTH."""

import socketserver
import sys

PORT, LENGTH = int(sys.argv[1]), int(sys.argv[2])
HEAD = f"HTTP/1.1 200 OK\r\nContent-Length: {LENGTH}\r\n\r\n".encode()
PIECE = memoryview(bytes(range(256)) * 4096)


class Answers(socketserver.BaseRequestHandler):
    def handle(self):
        while self.request.recv(65_536):
            self.request.sendall(HEAD)
            left = LENGTH
            while left:
                piece = PIECE[: min(left, len(PIECE))]
                self.request.sendall(piece)
                left -= len(piece)


class Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    request_queue_size = 128


Server(("127.0.0.1", PORT), Answers).serve_forever()
