"""A model's id is fetched once, all or nothing, from a hub of models: here one on this machine."""

import threading
from collections.abc import Callable, Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from models.text import folders
from models.text.encoder import Encoder
from models.text.errors import EncoderError


class Hub(SimpleHTTPRequestHandler):
    """Serves a folder; counts what is asked, and breaks off what is marked so."""

    asked: list[str]
    broken: set[str]

    def do_GET(self) -> None:
        self.asked.append(self.path)
        if any(self.path.endswith(name) for name in self.broken):
            self.send_response(200)
            self.send_header("Content-Length", "1000")
            self.end_headers()
            self.wfile.write(b"half")
            return
        super().do_GET()

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def hub(tmp_path: Path, make_folder: Callable) -> Iterator[tuple[str, type[Hub]]]:
    """Its address, and what it was asked: it has shop/bert at revision v1."""
    (tmp_path / "hub" / "shop" / "bert" / "resolve").mkdir(parents=True)
    make_folder().rename(tmp_path / "hub" / "shop" / "bert" / "resolve" / "v1")
    handler = type("Handler", (Hub,), {"asked": [], "broken": set()})
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(handler, directory=str(tmp_path / "hub")))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", handler
    server.shutdown()
    thread.join()
    server.server_close()


def test_an_id_is_fetched_once(hub: tuple[str, type[Hub]], tmp_path: Path) -> None:
    address, handler = hub
    folder = folders.find("shop/bert", tmp_path / "home", "v1", address)
    assert Encoder(folder, None, True, "float32").dim == 8
    assert {path.name for path in folder.iterdir() if path.is_file()} == {
        "config.json",
        "model.safetensors",
        "tokenizer_config.json",
        "vocab.txt",
    }
    asked = len(handler.asked)
    assert folders.find("shop/bert", tmp_path / "home", "v1", address) == folder
    assert len(handler.asked) == asked


def test_an_unknown_id_says_what_was_asked(hub: tuple[str, type[Hub]], tmp_path: Path) -> None:
    address, _ = hub
    with pytest.raises(EncoderError, match=rf"no folder of that name, and {address}/shop/bret/resolve/v1/.* 404"):
        folders.find("shop/bret", tmp_path / "home", "v1", address)
    assert not list((tmp_path / "home").glob("[!.]*"))


def test_half_a_file_is_not_kept(hub: tuple[str, type[Hub]], tmp_path: Path) -> None:
    address, handler = hub
    handler.broken.add("model.safetensors")
    with pytest.raises(EncoderError, match=r"model\.safetensors"):
        folders.find("shop/bert", tmp_path / "home", "v1", address)
    assert not list((tmp_path / "home").glob("[!.]*"))
    handler.broken.clear()
    assert folders.find("shop/bert", tmp_path / "home", "v1", address).is_dir()


def test_offline_it_says_so(tmp_path: Path) -> None:
    with pytest.raises(EncoderError, match=r"cannot be fetched .* offline, name a local folder"):
        folders.find("shop/bert", tmp_path, "v1", "http://127.0.0.1:9")


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
