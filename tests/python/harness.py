"""Runs the real binary, and gives tests a short way to talk to it.

The binary is the one that BINDERY_BIN names. Everything happens in directories of the test and on
loopback addresses; nothing here knows how the server works inside.
"""

import os
import re
import shutil
import signal
import subprocess
import threading
import time
from pathlib import Path

import requests

# Long enough for a debug build on a busy machine: it bounds a hang and is never waited out.
DEADLINE_SECONDS = 60


def binary():
    return str(Path(os.environ["BINDERY_BIN"]).resolve())


def environment(data=None):
    """This process's environment without the settings and proxies of whoever runs the tests."""
    env = {k: v for k, v in os.environ.items() if not k.startswith("BINDERY_")}
    env["NO_PROXY"] = env["no_proxy"] = "*"
    if data is not None:
        env["BINDERY_DATA"] = str(data)
    return env


def bindery(*args, data=None, stdin="", exit_code=0):
    """Runs one command to its end; `exit_code=None` accepts any."""
    done = subprocess.run(
        [binary(), *map(str, args)],
        input=stdin,
        capture_output=True,
        text=True,
        timeout=DEADLINE_SECONDS,
        env=environment(data),
    )
    if exit_code is not None:
        assert done.returncode == exit_code, f"{args}: {done}"
    return done


def wait_until(condition, what):
    deadline = time.monotonic() + DEADLINE_SECONDS
    while not condition():
        assert time.monotonic() < deadline, f"waited in vain until {what}"


def stored_files(data):
    """Every file under the objects directory, temporary ones and the store's own marker too."""
    return {path for path in (Path(data) / "objects").rglob("*") if path.is_file()}


class Account:
    """A user's view of a server: its URL and a token."""

    def __init__(self, url, token, email=None, login=None):
        self.url = url
        self.token = token
        self.email = email
        self.login = login
        self.headers = {"Authorization": f"Token {token}"}

    def call(self, method, path, prefix="/api/v2/", **options):
        headers = {**self.headers, **options.pop("headers", {})}
        return requests.request(
            method,
            self.url + prefix + path,
            headers=headers,
            timeout=DEADLINE_SECONDS,
            **options,
        )

    def upload(self, name, content):
        answer = self.call("POST", "files/contents/", files={"file": (name, content)})
        assert answer.status_code == 201, answer.text
        return answer.json()

    def download(self, file_id):
        answer = self.call("GET", f"files/{file_id}/contents/")
        assert answer.status_code == 200, answer.text
        return answer.content

    def names(self, **parameters):
        answer = self.call("GET", "files/", params={"page_size": 1000, **parameters})
        assert answer.status_code == 200, answer.text
        page = answer.json()
        assert page["count"] == len(page["results"])
        return [file["name"] for file in page["results"]]


class Server:
    """A running `bindery serve`. Made by the `serve` fixture, which also ends it.

    A `launcher` is a command that becomes the one behind it, as `env` does.
    """

    def __init__(self, data, *options, launcher=()):
        self.data = Path(data)
        self.log = self.data.with_name(self.data.name + ".log")
        self.lines = []
        self._changed = threading.Condition()
        self._ended = False
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(
                [*launcher, binary(), "serve", "--listen", "127.0.0.1:0", *map(str, options)],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                env=environment(data),
            )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self):
        for line in self.process.stdout:
            with self._changed:
                self.lines.append(line.rstrip("\n"))
                self._changed.notify_all()
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    def printed(self, prefix):
        """The rest of the line of standard output that begins with `prefix`, once it is there."""

        def found():
            return [line[len(prefix) :] for line in self.lines if line.startswith(prefix)]

        with self._changed:
            self._changed.wait_for(lambda: found() or self._ended, DEADLINE_SECONDS)
            if not found():
                raise AssertionError(f"no line {prefix!r}\n{self.lines}\n{self.log.read_text()}")
            return found()[0].strip()

    @property
    def url(self):
        return self.printed("Listening on ").rstrip("/")

    @property
    def token(self):
        return self.printed("Token: ")

    @property
    def password(self):
        return self.printed("Password: ")

    @property
    def admin(self):
        return Account(self.url, self.token, login="admin")

    def command(self, *args, **options):
        return bindery(*args, data=self.data, **options)

    def user(self, login):
        """Adds a user and gives it a token, as an administrator would."""
        email = f"{login}@example.org"
        self.command(
            "user", "add", login, "--email", email, "--password-stdin", stdin=f"pw of {login} 1!\n"
        )
        token = self.command("token", "create", login).stdout.strip()
        return Account(self.url, token, email, login)

    def stop(self, how=signal.SIGTERM):
        """Ends the server and returns its exit code. All that it printed is then in `lines`."""
        if self.process.poll() is None:
            self.process.send_signal(how)
        try:
            self.process.wait(DEADLINE_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise AssertionError(f"the server did not stop\n{self.log.read_text()}") from None
        self._reader.join(DEADLINE_SECONDS)
        return self.process.returncode


def paste(script, directory):
    """Runs a curl command as it stands and returns (status, body).

    The status comes from a .curlrc, so that the command itself need not change.
    """
    assert shutil.which("curl"), "these tests run curl"
    config = Path(directory) / "curl-home"
    config.mkdir(exist_ok=True)
    (config / ".curlrc").write_text('silent\nshow-error\nwrite-out = "\\n%{http_code}"\n')
    done = subprocess.run(
        ["bash", "-c", script],
        cwd=directory,
        capture_output=True,
        text=True,
        timeout=DEADLINE_SECONDS,
        env={**environment(), "CURL_HOME": str(config)},
    )
    assert done.returncode == 0, f"{script}\n{done.stderr}"
    body, _, status = done.stdout.rpartition("\n")
    assert re.fullmatch(r"\d{3}", status), done.stdout
    return int(status), body
