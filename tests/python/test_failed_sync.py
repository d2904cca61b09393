"""A disk that fails to make something durable: from then on the server writes no more, also when the disk
claims to be well again. It reads on, and its end tells that something was wrong.

A library between the server and the system has the sync fail.
"""

import random
import subprocess
from pathlib import Path

import pytest

from harness import bindery

SOURCE = Path(__file__).with_name("failing_sync.c")
LARGE, SMALL = random.randbytes(100_000), b"small"


@pytest.fixture(scope="session")
def library(tmp_path_factory):
    built = tmp_path_factory.mktemp("library") / "failing_sync.so"
    command = ["cc", "-shared", "-fPIC", "-Wall", "-Werror", "-o", built, SOURCE, "-ldl"]
    subprocess.run(command, check=True)
    return built


@pytest.mark.parametrize("failing", ["#1", "directory", "catalog.db-wal"])
def test_a_failed_sync_ends_writing(serve, tmp_path, library, failing):
    fault = tmp_path / "fault"
    launcher = ["env", f"LD_PRELOAD={library}", f"FAILING_SYNC={fault}"]
    server = serve(launcher=launcher)
    admin = server.admin
    kept = admin.upload("kept", LARGE)

    def has_ended():
        return "bindery_writing_ended 1\n" in admin.call("GET", "metrics", prefix="/").text

    def upload(content):
        return admin.call("POST", "files/contents/", files={"file": ("lost", content)}).status_code

    assert not has_ended()
    fault.write_text(failing)
    assert upload(LARGE) == 503
    fault.unlink()
    assert has_ended()
    assert [upload(LARGE), upload(SMALL)] == [503, 503]
    assert admin.call("DELETE", f"files/{kept['id']}/").status_code == 503
    assert admin.names() == ["kept"]
    assert admin.download(kept["id"]) == LARGE
    assert server.stop() == 1
    assert "unknown outcome: no more writes" in server.log.read_text()

    server = serve(server.data)
    admin.url = server.url
    # A commit that was not known to be durable may turn out to be.
    assert admin.names() in (["kept"], ["kept", "lost"], ["lost", "kept"])
    assert upload(LARGE) == upload(SMALL) == 201
    assert not has_ended()
    assert admin.download(kept["id"]) == LARGE
    assert bindery("verify", data=server.data).stdout.endswith(", 0 damaged\n")
    assert server.stop() == 0
