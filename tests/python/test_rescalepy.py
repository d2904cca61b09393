"""The public client `rescalepy`, unmodified: only its endpoint points to this server."""

import zipfile

import pytest
import rescalepy.client
from rescalepy.client import Client


@pytest.fixture
def client(admin, monkeypatch):
    monkeypatch.setattr(rescalepy.client, "ENDPOINT", f"{admin.url}/api/v2/")
    return Client(api_token=admin.token)


def test_upload_list_and_download(client, admin, tmp_path):
    contents = {f"input {n}.txt": b"deck %d\n" % n for n in range(12)}
    ids = {}
    for name, content in contents.items():
        (tmp_path / name).write_bytes(content)
        sent = client.upload(tmp_path / name, type_id=4)
        assert sent.name == name
        ids[name] = sent.id

    # Twelve files are two pages: the client follows `next`.
    listed = client.get(client.endpoint + "files/")
    assert {file["name"]: file["id"] for file in listed} == ids
    assert len(listed) == 12
    assert {file["typeId"] for file in listed} == {4}

    for name, content in contents.items():
        client.download(ids[name], tmp_path / "back")
        assert (tmp_path / "back").read_bytes() == content


def test_a_directory_arrives_as_an_archive(client, tmp_path):
    (tmp_path / "case").mkdir()
    (tmp_path / "case" / "mesh.txt").write_text("1 2 3\n")
    sent = client.upload(tmp_path / "case")
    client.download(sent, tmp_path / "back.zip")
    with zipfile.ZipFile(tmp_path / "back.zip") as archive:
        assert archive.read("case/mesh.txt") == b"1 2 3\n"


def test_a_wrong_token_is_told_at_once(client):
    with pytest.raises(ValueError):
        Client(api_token="nobody")
