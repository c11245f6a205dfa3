"""A model's id is fetched once, by the hub's own protocol, here spoken by a server on this machine."""

import hashlib
import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from huggingface_hub import constants

from models.text import folders
from models.text.encoder import Encoder
from models.text.errors import EncoderError

COMMIT = "0123456789abcdef0123456789abcdef01234567"
LARGE = "model.safetensors"


@dataclass
class Shelf:
    """What the hub has of shop/bert, revision v1, and what it was asked."""

    files: dict[str, bytes]
    asked: list[str] = field(default_factory=list)
    broken: bool = False  # large files end in the middle


class Hub(BaseHTTPRequestHandler):
    """Speaks what `snapshot_download` asks: a revision's commit, its files, and each one; large ones lie elsewhere."""

    def __init__(self, shelf: Shelf, *args: Any) -> None:
        self.shelf = shelf
        super().__init__(*args)

    def do_GET(self) -> None:
        self.shelf.asked.append(path := self.path.partition("?")[0])
        files = self.shelf.files
        if path == "/api/models/shop/bert/revision/v1":
            self.answer(json.dumps({"id": "shop/bert", "sha": COMMIT, "siblings": []}).encode())
        elif path == f"/api/models/shop/bert/tree/{COMMIT}":
            self.answer(json.dumps([listed(name, content) for name, content in files.items()]).encode())
        elif path == f"/shop/bert/resolve/{COMMIT}/{LARGE}":
            elsewhere = f"http://localhost:{self.server.server_port}/stored"  # another host than the hub's 127.0.0.1
            self.answer(b"", 302, large(files[LARGE]) | {"Location": elsewhere})
        elif path == "/stored":
            self.answer(files[LARGE], cut=self.shelf.broken)
        elif (name := path.removeprefix(f"/shop/bert/resolve/{COMMIT}/")) in files:
            self.answer(files[name], headers={"ETag": f'"{git_oid(files[name])}"', "X-Repo-Commit": COMMIT})
        else:
            self.answer(b"{}", 404, {"X-Error-Code": "RepoNotFound"})

    def do_HEAD(self) -> None:
        self.do_GET()

    def answer(
        self, content: bytes, status: int = 200, headers: dict[str, str] | None = None, cut: bool = False
    ) -> None:
        self.send_response(status)
        for name, value in {"Content-Length": str(len(content)), **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(content[: len(content) // 2] if cut else content)

    def log_message(self, *_: Any) -> None:
        pass


def git_oid(content: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()


def listed(name: str, content: bytes) -> dict[str, Any]:
    """A file as the hub lists it."""
    found: dict[str, Any] = {"type": "file", "path": name, "size": len(content), "oid": git_oid(content)}
    if name == LARGE:
        found["lfs"] = {"oid": hashlib.sha256(content).hexdigest(), "size": len(content), "pointerSize": 134}
    return found


def large(content: bytes) -> dict[str, str]:
    """What the hub says of a large file before it sends one elsewhere."""
    etag = f'"{hashlib.sha256(content).hexdigest()}"'
    return {"X-Linked-ETag": etag, "X-Linked-Size": str(len(content)), "X-Repo-Commit": COMMIT}


@pytest.fixture
def online(monkeypatch: pytest.MonkeyPatch) -> None:
    """As with HF_HUB_OFFLINE=0, which the library reads when it is imported."""
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_TELEMETRY", True)


def at(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """As with HF_ENDPOINT."""
    monkeypatch.setattr(constants, "ENDPOINT", address)
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", address + "/{repo_id}/resolve/{revision}/{filename}")


@pytest.fixture
def hub(make_folder: Callable, monkeypatch: pytest.MonkeyPatch, online: None) -> Iterator[Shelf]:
    """It has shop/bert at revision v1, with files that nobody needs."""
    shelf = Shelf({path.name: path.read_bytes() for path in make_folder().iterdir()} | {"onnx.bin": b"unneeded"})
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Hub, shelf))
    thread = threading.Thread(target=partial(server.serve_forever, poll_interval=0.02))
    thread.start()
    at(f"http://127.0.0.1:{server.server_port}", monkeypatch)
    yield shelf
    server.shutdown()
    thread.join()
    server.server_close()


def test_an_id_is_fetched_once(hub: Shelf, tmp_path: Path) -> None:
    folder = folders.find("shop/bert", tmp_path / "home", "v1")
    assert Encoder(folder, None, True, "float32").dim == 8
    needed = {name: content for name, content in hub.files.items() if name != "onnx.bin"}
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == needed
    asked = len(hub.asked)
    assert folders.find("shop/bert", tmp_path / "home", "v1") == folder
    assert len(hub.asked) == asked


def test_what_was_fetched_is_there_offline(hub: Shelf, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = folders.find("shop/bert", tmp_path, "v1")
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    assert folders.find("shop/bert", tmp_path, "v1") == folder


def test_an_unknown_id_says_what_was_asked(hub: Shelf, tmp_path: Path) -> None:
    with pytest.raises(EncoderError, match=rf"shop/bret, revision v1, cannot be fetched from {constants.ENDPOINT}"):
        folders.find("shop/bret", tmp_path, "v1")


def test_half_a_file_is_not_kept(hub: Shelf, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hub.broken = True
    with pytest.raises(EncoderError, match="shop/bert"):
        folders.find("shop/bert", tmp_path, "v1")
    hub.broken = False
    folder = folders.find("shop/bert", tmp_path, "v1")
    assert (folder / LARGE).read_bytes() == hub.files[LARGE]


def test_a_hub_out_of_reach_is_named(online: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    at("http://127.0.0.1:9", monkeypatch)
    with pytest.raises(EncoderError, match=r"cannot be fetched from http://127\.0\.0\.1:9: .* Offline, name a local"):
        folders.find("shop/bert", tmp_path, "v1")


def test_offline_the_variable_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(EncoderError, match=r"no folder is named shop/bert, .* with HF_HUB_OFFLINE=0 it may be fetched"):
        folders.find("shop/bert", tmp_path, "v1")


@pytest.mark.parametrize("source", ["../secrets", "a/b/c", "", "/nowhere/at/all", Path("nowhere"), "shop/.."])
def test_what_is_neither_folder_nor_id_is_refused(source: str | Path, tmp_path: Path) -> None:
    with pytest.raises(EncoderError, match="is no folder and no id"):
        folders.find(source, tmp_path)


@pytest.mark.parametrize("revision", ["../main", "a b", "", "-x"])
def test_a_revision_is_a_name(revision: str, tmp_path: Path) -> None:
    with pytest.raises(EncoderError, match="no branch, tag or commit"):
        folders.find("shop/bert", tmp_path, revision)


def test_a_folder_is_itself(tmp_path: Path) -> None:
    assert folders.find(str(tmp_path), tmp_path / "home") == tmp_path


def test_the_package_is_found_without_importing_it() -> None:
    assert (folders.find(None, Path("unused")) / "model.safetensors").is_file()


def test_without_the_package_a_folder_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(folders, "PACKAGE", "no-such-distribution")
    with pytest.raises(EncoderError, match="no-such-distribution is not installed"):
        folders.packaged()
