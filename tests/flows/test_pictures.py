"""Pictures of an export and of addresses get into shards, once, whatever the network does."""

import hashlib
import io
import logging
import threading
import zipfile
from collections import Counter
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from flows import pictures as flow
from tandem.data import exports, pictures
from tandem.data.pictures import Tally
from tandem.data.sources import Source
from tandem.errors import SourceError

FILES = {"pictures": [{"files": "photos/**/*.jpg"}, {"files": "*.zip"}]}
LINKS = {"pictures": [{"links": {"files": "products.csv", "column": "Photo"}}]}


def picture(color: int) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (6, 4), color).save(out, "PNG")
    return out.getvalue()


def shop(**keys) -> Source:
    block = {"files": "products.csv", "format": "csv", "columns": {"product_id": "Id"}}
    return Source.model_validate({"name": "shop", "title": "A shop", "timezone": "UTC", "products": [block], **keys})


def places(folder: Path) -> dict[str, str]:
    table = pictures.index(folder)
    return dict(zip(table["name"].to_pylist(), table["place"].to_pylist(), strict=True))


def reasons(folder: Path) -> dict[str, str | None]:
    return {entry.name: entry.refused for entry in pictures.entries(folder)}


def test_loose_pictures_and_zips_are_packed_once(tmp_path: Path) -> None:
    raw, folder = tmp_path / "raw", tmp_path / "data"
    (raw / "photos/red").mkdir(parents=True)
    for name, color in {"red/1.jpg": 1, "2.jpg": 2, ".hidden.jpg": 3}.items():
        (raw / "photos" / name).write_bytes(picture(color))
    with zipfile.ZipFile(raw / "more.zip", "w") as archive:
        archive.writestr("3.png", picture(4))
        archive.writestr("readme.txt", "photos of our shop")
    assert flow.take(shop(**FILES), raw, folder) == Tally(packed=3, refused=1)
    found = places(folder)
    assert pictures.read(folder, found["photos/red/1.jpg"]) == pictures.read(folder, found["1.jpg"]) == picture(1)
    assert {"2.jpg", "3.png"} < set(found)
    (raw / "photos/4.jpg").write_bytes(picture(5))
    assert flow.take(shop(**FILES), raw, folder) == Tally(packed=1, known=4)
    assert flow.take(shop(**FILES), None, folder) == Tally()


def test_a_folder_of_pictures_is_named_by_itself_and_a_zip_may_be_all_there_is(tmp_path: Path) -> None:
    (tmp_path / "raw/photos").mkdir(parents=True)
    (tmp_path / "raw/photos/1.jpg").write_bytes(picture(1))
    named = shop(pictures=[{"files": "photos"}])
    assert flow.take(named, tmp_path / "raw", tmp_path / "a") == Tally(packed=1)
    with zipfile.ZipFile(tmp_path / "photos.zip", "w") as archive:
        archive.writestr("1.jpg", picture(1))
    assert flow.take(shop(**FILES), tmp_path / "photos.zip", tmp_path / "b") == Tally(packed=1)


def test_shards_and_indices_are_no_raw_files_of_any_block(tmp_path: Path) -> None:
    raw = tmp_path / "raw"
    raw.mkdir()
    (raw / "1.jpg").write_bytes(picture(1))
    block = {"files": "**/*.parquet", "format": "parquet", "columns": {"product_id": "Id"}}
    source = shop(pictures=[{"files": "*.jpg"}], products=[block])
    flow.take(source, raw, tmp_path / "data")
    pq.write_table(pa.table({"Id": ["1"]}), tmp_path / "data/products.parquet")
    found = exports.find(source, tmp_path / "data")
    assert [export.name for _, files in found.of["products"] for export in files] == ["products.parquet"]
    assert found.unmapped == []


class Shop(BaseHTTPRequestHandler):
    """Serves `answers` by path: a picture, a status, or a transfer that breaks; counts what it is asked."""

    answers: dict[str, list[bytes | int | None]]
    asked: Counter[str]

    def do_GET(self) -> None:
        self.asked[self.path] += 1
        left = self.answers[self.path]
        answer = left.pop(0) if len(left) > 1 else left[0]
        self.send_response(answer if isinstance(answer, int) else 200)
        content = answer if isinstance(answer, bytes) else b""
        self.send_header("Content-Length", str(len(content) if answer is not None else 500))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[str, type[Shop]]]:
    monkeypatch.setattr(flow, "PAUSE_S", 0.01)
    handler = type("Own", (Shop,), {"answers": {}, "asked": Counter()})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as running:
        thread = threading.Thread(target=running.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{running.server_port}", handler
        running.shutdown()
        thread.join()


def listed(folder: Path, *addresses: str) -> Path:
    folder.mkdir(exist_ok=True)
    rows = "".join(f"{number},{address}\n" for number, address in enumerate(addresses))
    (folder / "products.csv").write_text(f"Id,Photo\n{rows}")
    return folder


def test_pictures_are_fetched_from_their_addresses_once(tmp_path: Path, server) -> None:
    host, handler = server
    handler.answers = {f"/{name}.png": [picture(name)] for name in range(30)}
    addresses = [f"{host}/{name}.png" for name in range(30)]
    folder = listed(tmp_path / "data", *addresses, "", addresses[0])
    assert flow.take(shop(**LINKS), None, folder) == Tally(packed=30)
    found = places(folder)
    assert all(pictures.read(folder, found[address]) == picture(n) for n, address in enumerate(addresses))
    handler.answers["/new.png"] = [picture(99)]
    listed(folder, *addresses, f"{host}/new.png")
    assert flow.take(shop(**LINKS), None, folder) == Tally(packed=1)
    assert set(handler.asked.values()) == {1}


def test_a_broken_transfer_is_tried_again_and_a_busy_server_waited_for(tmp_path: Path, server) -> None:
    host, handler = server
    handler.answers = {"/broken.png": [None, picture(1)], "/busy.png": [503, 429, picture(2)]}
    folder = listed(tmp_path / "data", f"{host}/broken.png", f"{host}/busy.png")
    assert flow.take(shop(**LINKS), None, folder) == Tally(packed=2)
    assert handler.asked == {"/broken.png": 2, "/busy.png": 3}


def test_what_can_never_be_fetched_is_refused_and_not_asked_for_again(tmp_path: Path, server, monkeypatch) -> None:
    host, handler = server
    monkeypatch.setattr(pictures, "LARGEST_BYTES", 4000)
    monkeypatch.setattr(flow, "LARGEST_BYTES", 4000)
    handler.answers = {"/gone.png": [404], "/page.png": [b"<html>"], "/large.png": [bytes(5000)]}
    strange = ["ftp://shop/1.png", "no address", "http://[::1/x"]
    folder = listed(tmp_path / "data", *(host + path for path in handler.answers), *strange)
    for tally in (Tally(refused=6), Tally()):
        assert flow.take(shop(**LINKS), None, folder) == tally
        assert all(count == 1 for count in handler.asked.values())
    said = reasons(folder)
    assert said[f"{host}/gone.png"] == "the server said 404"
    assert str(said[f"{host}/page.png"]).startswith("not a picture")
    assert said[f"{host}/large.png"] == "5000 bytes, more than 4000"
    assert all(str(said[address]).startswith("not an address that can be fetched") for address in strange)


def test_what_cannot_be_fetched_now_is_tried_the_next_time(tmp_path: Path, server, caplog) -> None:
    host, handler = server
    handler.answers = {"/later.png": [500, 500, 500, picture(1)], "/now.png": [picture(2)]}
    folder = listed(tmp_path / "data", f"{host}/later.png", f"{host}/now.png")
    with caplog.at_level(logging.WARNING):
        assert flow.take(shop(**LINKS), None, folder) == Tally(packed=1)
    assert "1 pictures could not be fetched; the next ingest tries them again" in caplog.text
    assert flow.take(shop(**LINKS), None, folder) == Tally(packed=1)
    assert set(places(folder)) > {f"{host}/later.png", f"{host}/now.png"}


def test_a_server_that_is_down_is_not_asked_for_everything(tmp_path: Path, server, monkeypatch) -> None:
    host, handler = server
    monkeypatch.setattr(flow, "GIVE_UP", 5)
    handler.answers = {"/0.png": [picture(1)]} | {f"/{name}.png": [503] for name in range(1, 100)}
    folder = listed(tmp_path / "data", *(f"{host}/{name}.png" for name in range(100)))
    with pytest.raises(
        SourceError, match="5 pictures in a row could not be fetched, the last because the server said 503"
    ):
        flow.take(shop(**LINKS), None, folder)
    assert len(handler.asked) < 50


def test_a_list_of_addresses_without_its_column_is_one_sentence(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    (folder / "products.csv").write_text("Id,Title\n1,a\n")
    with pytest.raises(SourceError, match="`Photo`"):
        flow.take(shop(**LINKS), None, folder)


@pytest.mark.slow
@pytest.mark.real_data("myntra")
def test_every_photo_of_myntra_is_packed(tmp_path: Path, real_data: Path) -> None:
    source = shop(pictures=[{"files": "images.zip"}])
    with zipfile.ZipFile(real_data / "images.zip") as archive:
        distinct = len({hashlib.sha256(archive.read(name)).digest() for name in archive.namelist()})
    assert flow.take(source, real_data, tmp_path) == Tally(packed=distinct, shared=9583 - distinct)
    assert len(places(tmp_path)) == 9583
    assert len(list((tmp_path / "pictures").iterdir())) == 2
    assert flow.take(source, real_data, tmp_path) == Tally(known=9583)
