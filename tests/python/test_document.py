"""The examples of the Rescale files API's document, pasted with another host and token.

What the document's text cannot do as printed is completed, and said here: shell commands are joined
where the page breaks their lines, and the download in Python gets the `contents/` that its heading
has, and a chunk size.
"""

import ast
import hashlib
import json
import re
import warnings

import pytest

from harness import paste

HOST = "https://platform.rescale.com"
CONTENT = b"".join(b"This is line %d.\n" % n for n in range(1, 6))
LINES = [f"This is line {n}.\n" for n in range(1, 6)]

FIELDS = {
    "typeId": int,
    "name": str,
    "dateUploaded": str,
    "relativePath": str,
    "encodedEncryptionKey": str,
    "downloadUrl": str,
    "sharedWith": list,
    "decryptedSize": int,
    "owner": str,
    "path": str,
    "isUploaded": bool,
    "viewInBrowser": bool,
    "id": str,
    "isDeleted": bool,
    "md5": str,
}

UPDATE = """{
    "typeId": 4,
    "name": "new_script.txt",
    "dateUploaded": "2015-03-17T00:24:39.531384Z",
    "relativePath": "new_script.txt",
    "encodedEncryptionKey": "83TFwNf5QxFaCOmluBQBnJ/L0yAC/2Z9MPs2pKZuUi4=",
    "downloadUrl": "https://platform.rescale.com/api/files/dNEXtf/contents/",
    "sharedWith": [],
    "decryptedSize": 112,
    "owner": "demouser@rescale.com",
    "path": "user/user_OvdRk/testLines-9425c8a5-08a6-4249-939a-2f060a4d0f25.txt",
    "isUploaded": true,
    "viewInBrowser": true,
    "id": "dNEXtf",
    "isDeleted": false,
    "md5": "4d479b49d26318068d3e23aa9d81e9ee"
}"""

CURL = {
    "list": r"""
curl -X GET -H 'Authorization: Token \<token\>' \
https://platform.rescale.com/api/files/
""",
    "upload": r"""
curl -X POST -H 'Content-Type:multipart/form-data' \
-H 'Authorization: Token \<token\>' \
-F 'file=@file_to_upload.txt' \
https://platform.rescale.com/api/files/contents/
""",
    "delete": r"""
curl -X DELETE -H 'Authorization: Token \<token\>' \
https://platform.rescale.com/api/files/{file_id}/
""",
    "download": r"""
curl -X GET -H 'Authorization: Token \<token\>' \
-o 'download_file.txt' https://platform.rescale.com/api/files/{file_id}/contents/
""",
    "lines": r"""
curl -X GET -H 'Authorization: Token \<token\>' \
https://platform.rescale.com/api/files/{file_id}/lines/
""",
    "metadata": r"""
curl -X GET -H 'Authorization: Token \<token\>' \
https://platform.rescale.com/api/files/{file_id}/
""",
    "update": rf"""
curl -X PATCH -H 'Content-Type: application/json' \
-H 'Authorization: Token \<token\>' --data \
'{UPDATE}' \
https://platform.rescale.com/api/files/{{file_id}}/
""",
}

PYTHON = {
    "list": r"""
import requests

requests.get(
  'https://platform.rescale.com/api/files/',
  headers={'Authorization': 'Token <api-token>'}
)
""",
    "upload": r"""
import requests

# Simple input file upload

requests.post(
  'https://platform.rescale.com/api/files/contents/',
  headers={'Authorization': 'Token \<token\>'},
  files={'file': open('file_to_upload.txt', 'rb')}
)
""",
    "upload as": r"""
import requests

# Upload with new file name and different file type

type_id = 1  # file type
new_name = 'new_file.txt'  #  new file name

requests.post(
  'https://platform.rescale.com/api/files/contents/',
  headers={'Authorization': 'Token \<token\>'},
  files={'file': (new_name, open('file_to_upload.txt', 'rb'), {'type_id': type_id})}
)
""",
    "delete": r"""
import requests

requests.delete(
  'https://platform.rescale.com/api/files/{file_id}/',
  headers={'Authorization': 'Token \<token\>'}
)
""",
    "download": r"""
import requests

chunk_size = 8192

response = requests.get(
  'https://platform.rescale.com/api/files/{file_id}/contents/',
  headers={'Authorization': 'Token \<token\>'}
)

with open('file_to_download', 'wb') as fd:
    for chunk in response.iter_content(chunk_size):
        fd.write(chunk)

response
""",
    "lines": r"""
import requests

requests.get(
  'https://platform.rescale.com/api/files/{file_id}/lines',
  headers={'Authorization': 'Token <api-token>'}
)
""",
    "metadata": r"""
import requests

requests.get(
  'https://platform.rescale.com/api/files/{file_id}/',
  headers={'Authorization': 'Token <api-token>'}
)
""",
    "update": rf"""
import requests

requests.patch(
  'https://platform.rescale.com/api/files/{{file_id}}/',
  {UPDATE.replace("true", "True").replace("false", "False")},
  headers={{'Authorization': 'Token <api-token>'}}
)
""",
}


class User:
    """Someone with the document open, in a directory with a file to upload."""

    def __init__(self, account, directory):
        self.account = account
        self.directory = directory
        (directory / "file_to_upload.txt").write_bytes(CONTENT)

    def adapt(self, example, file_id, token):
        example = example.replace(HOST, self.account.url)
        if token is not None:
            example = example.replace(r"\<token\>", token).replace("<api-token>", token)
        if file_id is not None:
            example = example.replace("{file_id}", file_id)
        return example

    def curl(self, name, file_id=None):
        return paste(self.adapt(CURL[name], file_id, self.account.token), self.directory)

    def python(self, name, file_id=None, token=""):
        """Runs the example and returns the response that its last line evaluates to."""
        if token == "":
            token = self.account.token
        with warnings.catch_warnings():
            # The document writes '\<', which Python reads as it stands, with a warning.
            warnings.simplefilter("ignore")
            tree = ast.parse(self.adapt(PYTHON[name], file_id, token))
        last = tree.body.pop()
        assert isinstance(last, ast.Expr)
        names = {}
        exec(compile(tree, name, "exec"), names)
        response = eval(compile(ast.Expression(last.value), name, "eval"), names)
        assert response.history == [], "a redirect would drop bodies"
        return response

    def upload(self):
        return self.account.upload("testInput.txt", CONTENT)


@pytest.fixture
def user(admin, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return User(admin, tmp_path)


def check_file(file, account, **expected):
    """A file object as documented: each field there, of its type, none null."""
    for field, kind in FIELDS.items():
        assert type(file[field]) is kind, (field, file.get(field))
    assert re.fullmatch(r"[A-Za-z]{6,}", file["id"]) and file["id"] != "contents"
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", file["dateUploaded"])
    assert file["downloadUrl"] == f"{account.url}/api/files/{file['id']}/contents/"
    assert file["md5"] == hashlib.md5(CONTENT).hexdigest()
    assert file["decryptedSize"] == len(CONTENT)
    assert file["isUploaded"] is True and file["isDeleted"] is False
    assert file["viewInBrowser"] is True
    assert "@" in file["owner"]
    for field, value in expected.items():
        assert file[field] == value, field


UPLOAD_PATH = r"user/user_\w+/{stem}-[0-9a-f]{{8}}(-[0-9a-f]{{4}}){{3}}-[0-9a-f]{{12}}\.txt"


def check_upload(file, account, stem):
    name = f"{stem}.txt"
    check_file(file, account, name=name, relativePath=name, typeId=1, sharedWith=[])
    assert re.fullmatch(UPLOAD_PATH.format(stem=stem), file["path"])


def test_list_by_curl(user):
    user.upload()
    status, body = user.curl("list")
    assert status == 200
    page = json.loads(body)
    assert (page["count"], page["previous"], page["next"]) == (1, None, None)
    check_file(page["results"][0], user.account, name="testInput.txt")


def test_list_by_python_has_ten_and_a_link_to_the_rest(user):
    sent = [user.account.upload(f"{n}.txt", CONTENT)["id"] for n in range(12)]
    response = user.python("list")
    assert response.status_code == 200
    page = response.json()
    assert set(page) == {"count", "previous", "results", "next"}
    assert (page["count"], page["previous"], len(page["results"])) == (12, None, 10)
    for file in page["results"]:
        check_file(file, user.account)

    assert page["next"].startswith(f"{user.account.url}/api/files/?page=2")
    rest = user.account.call("GET", "", prefix=page["next"][len(user.account.url) :]).json()
    assert rest["next"] is None and rest["previous"].startswith(f"{user.account.url}/api/files/")
    newest_first = [file["id"] for file in page["results"] + rest["results"]]
    assert newest_first == sent[::-1]


def test_upload_by_curl(user):
    status, body = user.curl("upload")
    assert status == 201
    check_upload(json.loads(body), user.account, "file_to_upload")


def test_upload_by_python(user):
    response = user.python("upload")
    assert response.status_code == 201
    check_upload(response.json(), user.account, "file_to_upload")


def test_upload_with_new_name_and_type_by_python(user):
    response = user.python("upload as")
    assert response.status_code == 201
    check_upload(response.json(), user.account, "new_file")


def test_upload_with_another_type_by_python(user, monkeypatch):
    example = PYTHON["upload as"].replace("type_id = 1", "type_id = 4")
    monkeypatch.setitem(PYTHON, "upload as", example)
    assert user.python("upload as").json()["typeId"] == 4


@pytest.mark.parametrize("way", ["curl", "python"])
def test_delete(user, way):
    file_id = user.upload()["id"]
    if way == "curl":
        assert user.curl("delete", file_id) == (204, "")
    else:
        response = user.python("delete", file_id)
        assert (response.status_code, response.content) == (204, b"")
    again = user.python("metadata", file_id)
    assert (again.status_code, again.json()) == (404, {"detail": "Not found."})
    assert user.account.names() == []


def test_download_by_curl(user):
    status, body = user.curl("download", user.upload()["id"])
    assert (status, body) == (200, "")
    assert (user.directory / "download_file.txt").read_bytes() == CONTENT


def test_download_by_python(user):
    response = user.python("download", user.upload()["id"])
    assert response.status_code == 200
    assert int(response.headers["Content-Length"]) == len(CONTENT)
    assert (user.directory / "file_to_download").read_bytes() == CONTENT


def test_lines_by_curl(user):
    status, body = user.curl("lines", user.upload()["id"])
    assert (status, json.loads(body)) == (200, {"lines": LINES})


def test_lines_by_python(user):
    response = user.python("lines", user.upload()["id"])
    assert (response.status_code, response.json()) == (200, {"lines": LINES})


def test_metadata_by_curl(user):
    sent = user.upload()
    status, body = user.curl("metadata", sent["id"])
    assert status == 200
    check_upload(json.loads(body), user.account, "testInput")
    assert json.loads(body)["id"] == sent["id"]


def test_metadata_by_python(user):
    sent = user.upload()
    response = user.python("metadata", sent["id"])
    assert response.status_code == 200
    check_upload(response.json(), user.account, "testInput")
    assert response.json()["encodedEncryptionKey"] == sent["encodedEncryptionKey"]


@pytest.mark.parametrize("way", ["curl", "python"])
def test_update(user, way):
    """curl sends JSON, `requests` a form; what is not writable is ignored in both."""
    sent = user.upload()
    if way == "curl":
        status, body = user.curl("update", sent["id"])
        updated = json.loads(body)
    else:
        response = user.python("update", sent["id"])
        status, updated = response.status_code, response.json()
    assert status == 200
    name = "new_script.txt"
    check_file(updated, user.account, name=name, relativePath=name, typeId=4)
    for field in ("id", "path", "owner", "dateUploaded", "encodedEncryptionKey", "sharedWith"):
        assert updated[field] == sent[field], field
    assert user.python("metadata", sent["id"]).json() == updated


def test_the_token_that_was_not_replaced(user):
    response = user.python("upload", token=None)
    assert response.status_code == 401
    assert response.json() == {"detail": "Invalid token."}
    assert response.headers["WWW-Authenticate"].startswith("Token")
    assert user.account.names() == []


def test_the_file_id_that_was_not_replaced(user):
    response = user.python("metadata")
    assert (response.status_code, response.json()) == (404, {"detail": "Not found."})
