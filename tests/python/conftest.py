"""Fixtures: a server of one's own for each test that asks for one."""

import contextlib
import os

import pytest

from harness import Server

# Requests go to this machine, whatever proxy the environment names.
os.environ["NO_PROXY"] = os.environ["no_proxy"] = "*"


@pytest.fixture
def serve(tmp_path):
    """Starts servers: `serve()`, `serve(data)`, `serve(data, "--option")`. Ends them all."""
    with contextlib.ExitStack() as running:

        def start(data=None, *options, launcher=()):
            server = Server(data or tmp_path / "data", *options, launcher=launcher)
            running.callback(server.stop)
            return server

        yield start


@pytest.fixture
def server(serve):
    """A server on an empty directory, ready to be asked."""
    started = serve()
    assert started.url and started.password and started.token
    return started


@pytest.fixture
def admin(server):
    return server.admin
