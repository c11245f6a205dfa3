"""Against a real HTTP server on loopback, which breaks off, refuses and changes its mind as told."""

import gzip
import hashlib
import os
import struct
import subprocess
import threading
import time
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import yaml

from flows.download import Patience, download
from flows.fetch import fetch, unpack
from flows.ingest import ingest
from tandem.errors import SourceError

CONTENT = bytes(range(256)) * 4_000  # 1,024,000 bytes
SUM = hashlib.sha256(CONTENT).hexdigest()
HASTE = Patience(attempts=3, wait_s=0.01, longest_wait_s=0.05, timeout_s=0.5)


@dataclass
class Shelf:
    """What the server has, how it misbehaves, and what it was asked."""

    content: bytes = CONTENT
    etag: str | None = '"one"'
    ranges: bool = True
    status: int = 200
    breaks_after: list[int] = field(default_factory=list)  # bytes sent of the n-th answer before the line goes dead
    statuses: list[int] = field(default_factory=list)  # of the first answers
    silent: bool = False
    asked: list[dict[str, str]] = field(default_factory=list)
    sent: int = 0
    address: str = ""


class Handler(BaseHTTPRequestHandler):
    shelf: Shelf

    def do_GET(self) -> None:
        shelf = self.shelf
        shelf.asked.append(dict(self.headers))
        if self.path == "/moved":
            return self._head(302, {"Location": "/file"})
        if self.path == "/astray":
            return self._head(302, {"Location": "file:///etc/hostname"})
        if shelf.silent:
            time.sleep(1.5)
            return None
        status = shelf.statuses.pop(0) if shelf.statuses else shelf.status
        if status != 200:
            return self._head(status, {"Content-Length": "0"})
        return self._send(shelf)

    def _send(self, shelf: Shelf) -> None:
        begin, total = self._begin(shelf), len(shelf.content)
        facts = {"ETag": shelf.etag} if shelf.etag else {}
        if begin and begin >= total:
            return self._head(416, {"Content-Range": f"bytes */{total}", "Content-Length": "0"})
        facts |= {"Content-Length": str(total - begin)}
        facts |= {"Content-Range": f"bytes {begin}-{total - 1}/{total}"} if begin else {}
        self._head(206 if begin else 200, facts)
        until = shelf.breaks_after.pop(0) if shelf.breaks_after else total
        body = shelf.content[begin : begin + until]
        shelf.sent += len(body)  # before who reads it can be done
        self.wfile.write(body)
        if begin + until < total:
            self.wfile.flush()
            time.sleep(0.05)
            self.connection.setsockopt(1, 13, struct.pack("ii", 1, 0))  # SO_LINGER: the line is reset
            self.connection.close()
        return None

    def _begin(self, shelf: Shelf) -> int:
        asked, condition = self.headers.get("Range"), self.headers.get("If-Range")
        if not asked or not shelf.ranges or (condition and condition != shelf.etag):
            return 0
        return int(asked.removeprefix("bytes=").removesuffix("-"))

    def _head(self, status: int, facts: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in (facts | {"Connection": "close"}).items():
            self.send_header(name, value)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


class Quiet(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_: object) -> None:
        """Lines are cut on purpose."""


@pytest.fixture
def shelf(monkeypatch: pytest.MonkeyPatch) -> Iterator[Shelf]:
    for name in [name for name in os.environ if name.lower().endswith("_proxy")]:
        monkeypatch.delenv(name)
    found = Shelf()
    server = Quiet(("127.0.0.1", 0), type("Bound", (Handler,), {"shelf": found}))
    found.address = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield found
    server.shutdown()
    thread.join()
    server.server_close()


def bring(shelf: Shelf, folder: Path, sha256: str | None = SUM, path: str = "/file") -> Path:
    target = folder / "data.bin"
    download(shelf.address + path, target, sha256, HASTE)
    return target


def left_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_file_comes_whole_and_nothing_else_stays(shelf, tmp_path) -> None:
    assert bring(shelf, tmp_path).read_bytes() == CONTENT
    assert left_in(tmp_path) == ["data.bin"]
    assert "Range" not in shelf.asked[0]


def test_a_broken_transfer_goes_on_where_it_stopped(shelf, tmp_path) -> None:
    shelf.breaks_after = [300_000, 200_000]
    assert bring(shelf, tmp_path).read_bytes() == CONTENT
    assert len(shelf.asked) == 3
    begins = [int(asked["Range"].removeprefix("bytes=").removesuffix("-")) for asked in shelf.asked[1:]]
    assert 0 < begins[0] <= 300_000 < begins[1] <= 500_000
    assert [asked["If-Range"] for asked in shelf.asked[1:]] == ['"one"', '"one"']


def test_a_transfer_that_was_given_up_goes_on_at_the_next_call(shelf, tmp_path) -> None:
    shelf.breaks_after = [300_000, 0, 0, 0]
    with pytest.raises(SourceError, match="broke off 3 times in a row") as caught:
        bring(shelf, tmp_path)
    kept = (tmp_path / "data.bin.partial").stat().st_size
    assert 0 < kept <= 300_000
    assert str(kept) in str(caught.value)
    assert bring(shelf, tmp_path).read_bytes() == CONTENT
    assert shelf.asked[-1]["Range"] == f"bytes={kept}-"


def test_a_server_without_ranges_sends_all_again(shelf, tmp_path) -> None:
    shelf.ranges, shelf.breaks_after = False, [300_000]
    assert bring(shelf, tmp_path).read_bytes() == CONTENT
    assert shelf.sent == 300_000 + len(CONTENT)


def test_a_file_that_changed_meanwhile_is_begun_anew(shelf, tmp_path) -> None:
    shelf.breaks_after = [300_000, 0, 0, 0]
    with pytest.raises(SourceError):
        bring(shelf, tmp_path)
    shelf.content, shelf.etag = CONTENT[::-1], '"two"'
    assert bring(shelf, tmp_path, hashlib.sha256(CONTENT[::-1]).hexdigest()).read_bytes() == CONTENT[::-1]


def test_a_shorter_file_instead_is_begun_anew(shelf, tmp_path) -> None:
    shelf.etag, shelf.breaks_after = None, [300_000, 0, 0]
    with pytest.raises(SourceError):
        bring(shelf, tmp_path)
    shelf.content = b"short"
    assert bring(shelf, tmp_path, hashlib.sha256(b"short").hexdigest()).read_bytes() == b"short"


def test_without_version_and_sum_nothing_is_joined(shelf, tmp_path) -> None:
    shelf.etag, shelf.breaks_after = None, [300_000]
    assert bring(shelf, tmp_path, sha256=None).read_bytes() == CONTENT
    assert all("Range" not in asked for asked in shelf.asked)


def test_all_bytes_of_a_killed_download_need_only_be_checked(shelf, tmp_path) -> None:
    (tmp_path / "data.bin.partial").write_bytes(CONTENT)
    (tmp_path / "data.bin.partial.json").write_text('{"version": "\\"one\\""}')
    assert bring(shelf, tmp_path).read_bytes() == CONTENT
    assert shelf.sent == 0


def test_bytes_with_a_wrong_sum_are_kept_aside_and_both_sums_told(shelf, tmp_path) -> None:
    with pytest.raises(SourceError) as caught:
        bring(shelf, tmp_path, sha256="0" * 64)
    assert SUM in str(caught.value)
    assert "0" * 64 in str(caught.value)
    assert left_in(tmp_path) == [f"data.bin.wrong-{SUM[:8]}"]
    assert (tmp_path / f"data.bin.wrong-{SUM[:8]}").read_bytes() == CONTENT
    assert bring(shelf, tmp_path).read_bytes() == CONTENT  # the next call begins anew


@pytest.mark.parametrize(("status", "advice"), [(404, "address may have changed"), (403, "login or an agreement")])
def test_a_refusal_is_told_at_once(shelf, tmp_path, status, advice) -> None:
    shelf.status = status
    with pytest.raises(SourceError, match=f"answers {status} .*{advice}"):
        bring(shelf, tmp_path)
    assert len(shelf.asked) == 1


def test_a_busy_server_is_asked_again_but_not_forever(shelf, tmp_path) -> None:
    shelf.statuses = [503, 429]
    assert bring(shelf, tmp_path).read_bytes() == CONTENT
    shelf.status = 503
    (tmp_path / "data.bin").unlink()
    with pytest.raises(SourceError, match=r"3 times in a row without a new byte .*answers 503"):
        bring(shelf, tmp_path)


def test_a_redirect_is_followed_to_http_only(shelf, tmp_path) -> None:
    assert bring(shelf, tmp_path, path="/moved").read_bytes() == CONTENT
    (tmp_path / "data.bin").unlink()
    with pytest.raises(SourceError, match="only http and https"):
        bring(shelf, tmp_path, path="/astray")


def test_a_silent_server_is_given_up_in_time(shelf, tmp_path) -> None:
    shelf.silent = True
    began = time.monotonic()
    with pytest.raises(SourceError, match="ReadTimeout"):
        bring(shelf, tmp_path)
    assert time.monotonic() - began < 5


def test_a_server_that_is_not_there_is_given_up(tmp_path) -> None:
    with pytest.raises(SourceError, match="ConnectError"):
        download("http://127.0.0.1:9/file", tmp_path / "data.bin", None, HASTE)


def test_a_complete_file_is_not_downloaded_again(shelf, tmp_path) -> None:
    bring(shelf, tmp_path)
    bring(shelf, tmp_path)
    assert len(shelf.asked) == 1


def test_waiting_doubles_and_is_bounded() -> None:
    patience = Patience(wait_s=1, longest_wait_s=5)
    assert [patience.pause_s(n, None) for n in (1, 2, 3, 4, 9)] == [1, 2, 4, 5, 5]
    assert (patience.pause_s(1, 3.0), patience.pause_s(1, 3600.0)) == (3.0, 5)


def zipped(path: Path, *members: tuple[str | zipfile.ZipInfo, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members:
            archive.writestr(name, content)
    return path


def test_a_zip_becomes_a_folder_and_a_gzip_a_file(tmp_path) -> None:
    unpack(zipped(tmp_path / "a.zip", ("x/one.csv", b"1"), ("__MACOSX/two.csv", b"2")), tmp_path / "a")
    assert [p.relative_to(tmp_path).as_posix() for p in (tmp_path / "a").rglob("*.csv")] == ["a/x/one.csv"]
    (tmp_path / "b.csv.gz").write_bytes(gzip.compress(b"text"))
    unpack(tmp_path / "b.csv.gz", tmp_path / "b.csv")
    assert (tmp_path / "b.csv").read_bytes() == b"text"


def link() -> zipfile.ZipInfo:
    info = zipfile.ZipInfo("link.csv")
    info.external_attr = 0o120777 << 16
    return info


@pytest.mark.parametrize(
    ("member", "reason"),
    [
        ("../out.csv", "would leave the folder"),
        ("/etc/out.csv", "would leave the folder"),
        ("a/..\\..\\out.csv", "would leave the folder"),
        ("C:/out.csv", "would leave the folder"),
        (link(), "is a link"),
    ],
)
def test_a_member_that_leaves_the_folder_stops_all(tmp_path, member, reason) -> None:
    archive = zipped(tmp_path / "a.zip", ("good.csv", b"1"), (member, b"/etc/passwd"))
    with pytest.raises(SourceError, match=reason):
        unpack(archive, tmp_path / "deep/a")
    assert not list((tmp_path / "deep").rglob("*.csv"))
    assert not (tmp_path / "out.csv").exists()


def test_two_members_of_one_name_stop_all(tmp_path) -> None:
    with pytest.raises(SourceError, match="two members of one name"):
        unpack(zipped(tmp_path / "a.zip", ("a.csv", b"1"), ("A.csv", b"2")), tmp_path / "a")


def test_a_bomb_is_stopped_while_it_unpacks(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr("flows.fetch.SMALL_BYTES", 1000)
    zeros = bytes(50_000_000)  # deflate makes a thousandth of it
    for archive in (zipped(tmp_path / "a.zip", ("a.csv", zeros)), tmp_path / "b.gz"):
        if archive.suffix == ".gz":
            archive.write_bytes(gzip.compress(zeros))
        with pytest.raises(SourceError, match="more than 200 times its size"):
            unpack(archive, tmp_path / "out")
        assert not (tmp_path / "out").exists()
        assert not list(tmp_path.glob(".out*"))


def test_a_damaged_archive_is_told(tmp_path) -> None:
    whole = gzip.compress(os.urandom(5000))
    (tmp_path / "a.gz").write_bytes(whole[:3000])
    with pytest.raises(SourceError, match=r"a\.gz cannot be unpacked"):
        unpack(tmp_path / "a.gz", tmp_path / "a")
    (tmp_path / "b.zip").write_bytes(b"<html>log in, please</html>")
    with pytest.raises(SourceError, match="neither zip nor gzip"):
        unpack(tmp_path / "b.zip", tmp_path / "b")


EVENTS = "item,who,when\n" + "".join(f"P{n % 7},U{n % 5},2026-01-01 10:{n:02}:00\n" for n in range(60))


@pytest.fixture
def described(shelf, project, tmp_path, monkeypatch) -> Path:
    """A project with a source whose one file is on the shelf, zipped; the flow runs without Prefect's server."""
    monkeypatch.setattr("flows.ingest.ingest", ingest.fn)
    zipped(tmp_path / "shop.zip", ("export/events.csv", EVENTS.encode()))
    shelf.content = (tmp_path / "shop.zip").read_bytes()
    columns = {"product_id": "item", "user_id": "who", "time": "when"}
    source = {
        "name": "shelf",
        "title": "a shop on loopback",
        "timezone": "UTC",
        "events": [{"files": "**/*.csv", "format": "csv", "columns": columns, "kind": "view"}],
        "products_from_events": {},
        "fetch": [
            {
                "url": f"{shelf.address}/shop.zip",
                "to": "shop.zip",
                "sha256": hashlib.sha256(shelf.content).hexdigest(),
                "unpack": True,
            }
        ],
    }
    Path("sources/shelf.yaml").write_text(yaml.safe_dump(source))
    return project


@pytest.mark.slow
def test_what_was_fetched_is_taken_in_and_versioned_once(shelf, described) -> None:
    shelf.breaks_after = [100]
    fetch("shelf", HASTE)
    assert Path("data/raw/shelf/shop/export/events.csv").read_text() == EVENTS
    version = yaml.safe_load(Path("data/raw/shelf.dvc").read_text())["outs"][0]
    assert (version["path"], version["nfiles"]) == ("shelf", 1)
    asked = len(shelf.asked)
    assert asked == 2
    fetch("shelf", HASTE)
    assert len(shelf.asked) == asked
    assert yaml.safe_load(Path("data/raw/shelf.dvc").read_text())["outs"][0] == version
    ignored = subprocess.run(["git", "check-ignore", ".tandem/downloads"], check=False).returncode
    assert ignored == 0  # nothing of it can be committed by accident


def test_a_source_without_address_says_what_to_do(project) -> None:
    with pytest.raises(SourceError, match=r"says no address under `fetch`: .* --raw FOLDER"):
        fetch("jdata")
