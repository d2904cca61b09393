"""The curl calls of section 3.3 of the Filr REST guide, pasted in the guide's order.

What the guide's text cannot do as printed is completed, and said here: its host and account become
this server's, its ids those that were just answered, a line that breaks without a backslash is
joined, and `--upload-file` gets a file of the guide's length where the guide shows another content.
"""

import hashlib
import json
import re

import pytest
import requests

from harness import DEADLINE_SECONDS, paste

HOST = "https://amethyst.provo.novell.com:8443"
USER = "dlewis:novell"
FILE = "09c1c3fb530f562401531018f4270000"
MOVED = "09c1c3fb530f56240153105273a40009"
COPY = "09c1c3fb530f562401531070137b000e"

LIST = r"""
curl -k -u dlewis:novell https://amethyst.provo.novell.com:8443/rest/self/my_files/library_files
"""
DOWNLOAD = r"""
curl -k -u dlewis:novell \
  https://amethyst.provo.novell.com:8443/rest/files/09c1c3fb5256e2e4015256e8691c003b -o test.txt
"""
CHILDREN = r"""
curl -k -u dlewis:novell https://amethyst.provo.novell.com:8443/rest/self/my_files/library_children
"""
UPLOAD = r"""
curl -k -u dlewis:novell https://amethyst.provo.novell.com:8443/rest/folders/48/library_files?file_name=aaa.txt \
   -X POST -H "Content-Type: application/octet-stream" --upload-file ./test.txt
"""
OVERWRITE = r"""
curl -k -u dlewis:novell \
   "https://amethyst.provo.novell.com:8443/rest/folders/48/library_files?file_name=aaa.txt&overwrite_existing=true" \
   -X POST -H "Content-Type: application/octet-stream" --upload-file ./test.txt
"""
FORCE = r"""
curl -k -u dlewis:novell \
   "https://amethyst.provo.novell.com:8443/rest/files/09c1c3fb530f562401531018f4270000?force_overwrite=true" \
   -X POST -H "Content-Type: application/octet-stream" --upload-file ./test.txt
"""
REPLACE = r"""
curl -k -u dlewis:novell \
   "https://amethyst.provo.novell.com:8443/rest/files/09c1c3fb530f562401531018f4270000?last_version=3" \
   -X POST -H "Content-Type: application/octet-stream" --upload-file ./test.txt
"""
RENAME = r"""
curl -k -u dlewis:novell "https://amethyst.provo.novell.com:8443/rest/files/09c1c3fb530f562401531018f4270000/name" \
  -X POST -H "Content-Type: application/x-www-form-urlencoded" -d "name=aaa%20renamed.txt"
"""
MOVE = r"""
curl -k -u dlewis:novell \
  "https://amethyst.provo.novell.com:8443/rest/files/09c1c3fb530f562401531018f4270000/parent_folder" \
  -X POST -H "Content-Type: application/x-www-form-urlencoded" -d "folder_id=49"
"""
MOVE_AND_RENAME = r"""
curl -k -u dlewis:novell \
  "https://amethyst.provo.novell.com:8443/rest/files/09c1c3fb530f562401531018f4270000/parent_folder" \
  -X POST -H "Content-Type: application/x-www-form-urlencoded" -d "folder_id=48&name=aaa.txt"
"""
COPY_FILE = r"""
curl -k -u dlewis:novell "https://amethyst.provo.novell.com:8443/rest/self/my_files/library_files" \
  -X POST -H "Content-Type: application/x-www-form-urlencoded" \
  -d "source_id=09c1c3fb530f56240153105273a40009&file_name=aaa%20copied.txt"
"""
DELETE = r"""
curl -v -k -u dlewis:novell \
  https://amethyst.provo.novell.com:8443/rest/files/09c1c3fb530f562401531070137b000e -X DELETE
"""

FIELDS = [
    "id",
    "creation",
    "modification",
    "length",
    "md5",
    "name",
    "href",
    "links",
    "doc_type",
    "version_number",
    "owning_entity",
    "parent_binder",
]


class Reader:
    """Someone with the guide open, who replaces what stands for other things."""

    def __init__(self, server, directory):
        self.server = server
        self.directory = directory
        self.words = {HOST: server.url, USER: f"admin:{server.password}"}

    def curl(self, example):
        for word, here in self.words.items():
            example = example.replace(word, str(here))
        status, body = paste(example, self.directory)
        return status, json.loads(body) if body else None

    def content(self, text):
        (self.directory / "test.txt").write_bytes(text)
        return text

    def call(self, method, path, **options):
        answer = requests.request(
            method,
            f"{self.server.url}/rest{path}",
            auth=("admin", self.server.password),
            timeout=DEADLINE_SECONDS,
            **options,
        )
        assert answer.status_code == 200, answer.text
        return answer

    def folder(self, title):
        made = self.call("POST", "/self/my_files/library_folders", json={"title": title})
        return made.json()["id"]


@pytest.fixture
def reader(server, tmp_path):
    directory = tmp_path / "reader"
    directory.mkdir()
    return Reader(server, directory)


def check_file(file, content, **expected):
    assert [field for field in file if field in FIELDS] == FIELDS
    assert re.fullmatch("[0-9a-f]{32}", file["id"])
    assert file["href"] == f"/files/{file['id']}/metadata"
    assert {"rel": "content", "href": f"/files/{file['id']}"} in file["links"]
    assert file["md5"] == hashlib.md5(content).hexdigest()
    assert (file["length"], file["doc_type"]) == (len(content), "file")
    entry = file["owning_entity"]["id"]
    assert file["owning_entity"] == {
        "id": entry,
        "type": "folderEntry",
        "href": f"/folder_entries/{entry}",
    }
    for stamp in ("creation", "modification"):
        principal = file[stamp]["principal"]
        assert principal["href"] == f"/users/{principal['id']}"
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", file[stamp]["date"])
    for field, value in expected.items():
        assert file[field] == value, field


def test_the_calls_of_the_document_in_order(reader):
    a, b = reader.folder("A"), reader.folder("B")
    in_a = {"id": a, "href": f"/binders/{a}"}
    in_b = {"id": b, "href": f"/binders/{b}"}
    first = reader.content(b"fourteen bytes")
    path = "/self/my_files/library_files?file_name=test.txt"
    made = reader.call("POST", path, data=first).json()

    # 3.3.1 Download file
    status, listed = reader.curl(LIST)
    assert status == 200
    assert (listed["first"], listed["count"], listed["total"]) == (0, 1, 1)
    assert listed["items"] == [made]
    reader.words["09c1c3fb5256e2e4015256e8691c003b"] = made["id"]
    (reader.directory / "test.txt").unlink()
    assert reader.curl(DOWNLOAD) == (200, None)
    assert (reader.directory / "test.txt").read_bytes() == first

    # 3.3.2 Upload new file
    status, children = reader.curl(CHILDREN)
    assert status == 200
    folder = next(item for item in children["items"] if item["title"] == "A")
    assert (folder["id"], folder["href"]) == (a, f"/folders/{a}")
    assert (folder["doc_type"], folder["entity_type"]) == ("binder", "folder")
    link = {"rel": "child_library_files", "href": f"/folders/{a}/library_files"}
    assert link in folder["links"]
    reader.words["/folders/48/"] = f"/folders/{a}/"
    status, file = reader.curl(UPLOAD)
    assert status == 200
    check_file(file, first, name="aaa.txt", version_number=1, parent_binder=in_a)
    status, conflict = reader.curl(UPLOAD)
    assert status == 409
    assert conflict == {
        "code": "FILE_EXISTS",
        "message": "A file with the name already exists.",
        "data": file,
    }

    # 3.3.3 Replace existing file
    same = {"id": file["id"], "creation": file["creation"], "name": "aaa.txt"}
    content = reader.content(b"twenty-four bytes or so.")
    status, second = reader.curl(OVERWRITE)
    assert status == 200
    check_file(second, content, version_number=2, parent_binder=in_a, **same)
    reader.words[FILE] = file["id"]
    content = reader.content(b"forty-five bytes, as the guide's third one has")
    status, third = reader.curl(FORCE)
    assert status == 200
    check_file(third, content, version_number=3, parent_binder=in_a, **same)
    content = reader.content(b"The version that user A sends.")
    status, fourth = reader.curl(REPLACE)
    assert status == 200
    check_file(fourth, content, version_number=4, parent_binder=in_a, **same)
    reader.content(b"The version that user B sends.")
    status, conflict = reader.curl(REPLACE)
    assert status == 409
    assert conflict == {
        "code": "FILE_VERSION_CONFLICT",
        "message": "A file with the name already exists.",
        "data": fourth,
    }

    # 3.3.4 Rename file
    dates = {field: fourth[field] for field in ("creation", "modification", "version_number")}
    status, renamed = reader.curl(RENAME)
    assert status == 200
    check_file(renamed, content, name="aaa renamed.txt", parent_binder=in_a, **dates)

    # 3.3.5 Move file
    reader.words["folder_id=49"] = f"folder_id={b}"
    status, moved = reader.curl(MOVE)
    assert status == 200
    check_file(moved, content, name="aaa renamed.txt", parent_binder=in_b, **dates)
    reader.words[FILE] = reader.words[MOVED] = moved["id"]
    reader.words["folder_id=48"] = f"folder_id={a}"
    status, back = reader.curl(MOVE_AND_RENAME)
    assert status == 200
    check_file(back, content, name="aaa.txt", parent_binder=in_a, **dates)

    # 3.3.6 Copy file
    reader.words[MOVED] = back["id"]
    status, copy = reader.curl(COPY_FILE)
    assert status == 200
    my_files = {"id": -100, "href": "/self/my_files"}
    check_file(copy, content, name="aaa copied.txt", version_number=1, parent_binder=my_files)
    assert copy["id"] != back["id"] and copy["owning_entity"] != back["owning_entity"]
    assert copy["modification"]["date"] == back["modification"]["date"]
    assert copy["creation"]["date"] >= back["creation"]["date"]

    # 3.3.7 Delete file
    reader.words[COPY] = copy["id"]
    assert reader.curl(DELETE) == (204, None)
    status, gone = reader.curl(DELETE)
    assert (status, gone["code"], len(gone)) == (404, "FILE_NOT_FOUND", 2)
    status, listed = reader.curl(LIST)
    assert [item["name"] for item in listed["items"]] == ["test.txt"]


def test_the_password_that_was_not_replaced(reader):
    del reader.words[USER]
    status, refused = reader.curl(LIST)
    assert status == 401 and set(refused) == {"code", "message"}
    answer = requests.get(f"{reader.server.url}/rest/self", timeout=DEADLINE_SECONDS)
    assert answer.headers["WWW-Authenticate"].startswith('Basic realm="')
    assert "Set-Cookie" not in answer.headers


def test_the_id_that_was_not_replaced(reader):
    status, refused = reader.curl(FORCE.replace("--upload-file ./test.txt", "--data x"))
    assert (status, refused["code"]) == (404, "FILE_NOT_FOUND")
