"""Pictures come out of zips that may be damaged, in part or as a whole."""

import zipfile
from pathlib import Path

import pytest

from models.image.shards import Shards
from tandem.data import pictures
from tandem.errors import SourceError


def packed(folder: Path, **members: bytes) -> Path:
    with zipfile.ZipFile(folder / "own.zip", "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return folder / "own.zip"


def test_each_zip_is_opened_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    packed(tmp_path, one=b"1", two=b"2")
    opened, zipped = [], zipfile.ZipFile
    monkeypatch.setattr(zipfile, "ZipFile", lambda path: opened.append(path) or zipped(path))
    with Shards(tmp_path, ["own.zip!one", "own.zip!two"]) as shards:
        found = [shards.read(place) for place in ("own.zip!two", "own.zip!one", "own.zip!two")]
    assert found == [(b"2", None), (b"1", None), (b"2", None)]
    assert opened == [tmp_path / "own.zip"]


def test_a_member_that_is_not_there_has_a_reason(tmp_path: Path) -> None:
    packed(tmp_path, one=b"1")
    with Shards(tmp_path, ["own.zip!other"]) as shards:
        assert shards.read("own.zip!other") == (b"", "own.zip has no member 'other'")


def test_a_damaged_member_has_a_reason_and_its_neighbours_are_read(tmp_path: Path) -> None:
    path = packed(tmp_path, one=b"first content", two=b"second content")
    path.write_bytes(path.read_bytes().replace(b"first content", b"fierce attack"))
    with Shards(tmp_path, ["own.zip!one"]) as shards:
        content, reason = shards.read("own.zip!one")
        assert (content, str(reason).split(":")[0]) == (b"", "damaged in its zip")
        assert shards.read("own.zip!two") == (b"second content", None)


def test_a_member_that_is_too_large_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("models.image.shards.LARGEST_BYTES", 3)
    packed(tmp_path, one=b"1234", two=b"123")
    with Shards(tmp_path, ["own.zip!one"]) as shards:
        assert shards.read("own.zip!one") == (b"", pictures.too_large(4))
        assert shards.read("own.zip!two") == (b"123", None)


@pytest.mark.parametrize("place", ["absent.zip!one", "no_zip!one", "no place at all", ""])
def test_a_shard_that_is_absent_or_none_stops_all(tmp_path: Path, place: str) -> None:
    packed(tmp_path, one=b"1")
    (tmp_path / "no_zip").write_bytes(b"text")
    with pytest.raises(SourceError, match="cannot be read as a zip"), Shards(tmp_path, ["own.zip!one", place]):
        pass
