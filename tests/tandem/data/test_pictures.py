"""Pictures are packed once, checked, never lost without a reason, and found under the names that products use."""

import io
import struct
import zipfile
import zlib
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from tandem import files
from tandem.data import pictures
from tandem.data.pictures import Entry, Offered, Tally
from tandem.errors import SourceError


def picture(color: int = 0, form: str = "PNG", mode: str = "RGB", size: tuple[int, int] = (6, 4), **options) -> bytes:
    out = io.BytesIO()
    Image.new(mode, size, color).save(out, form, **options)
    return out.getvalue()


def pack(folder: Path, **contents: bytes) -> Tally:
    return pictures.pack([Offered(name, content) for name, content in contents.items()], folder)


def indexed(folder: Path) -> list[Entry]:
    return list(pictures.entries(folder))


def found(folder: Path, archive: str | None = None) -> dict[str, str]:
    table = pictures.index(folder, archive)
    return dict(zip(table["name"].to_pylist(), table["place"].to_pylist(), strict=True))


def test_a_packed_picture_comes_back_byte_for_byte(tmp_path: Path) -> None:
    one, two = picture(1), picture(2, "JPEG")
    assert pack(tmp_path, one=one, two=two) == Tally(packed=2)
    places = found(tmp_path)
    assert places["two"].startswith("pictures/pictures-00000.zip!")
    assert places["two"].endswith(".jpg")
    assert [pictures.read(tmp_path, places[name]) for name in ("one", "two")] == [one, two]
    names = sorted(path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.is_file())
    assert names == ["pictures/pictures-00000.index.parquet", "pictures/pictures-00000.zip"]
    assert all(map(pictures.is_packed, names))
    assert not pictures.is_packed("pictures/mine.zip")
    with zipfile.ZipFile(tmp_path / names[1]) as shard:
        assert {info.compress_type for info in shard.infolist()} == {zipfile.ZIP_STORED}


def test_what_came_before_is_not_packed_again_and_no_file_changes(tmp_path: Path) -> None:
    pack(tmp_path, one=picture(1), broken=b"no picture")
    before = files.hash_folder(tmp_path)
    assert pack(tmp_path, one=picture(1), broken=b"no picture") == Tally(known=2)
    assert files.hash_folder(tmp_path) == before
    assert pack(tmp_path, one=picture(1), two=picture(2)) == Tally(packed=1, known=1)
    assert found(tmp_path)["two"].startswith("pictures/pictures-00001.zip!")
    (tmp_path / "pictures/pictures-00001.zip").unlink()
    (tmp_path / "pictures/pictures-00001.index.parquet").unlink()
    assert files.hash_folder(tmp_path) == before


def test_equal_content_is_stored_once_in_this_shard_and_in_later_ones(tmp_path: Path) -> None:
    assert pack(tmp_path, one=picture(1), again=picture(1)) == Tally(packed=1, shared=1)
    assert pack(tmp_path, later=picture(1)) == Tally(shared=1)
    assert len(set(found(tmp_path).values())) == 1
    assert not (tmp_path / "pictures/pictures-00001.zip").exists()
    assert [entry.name for entry in indexed(tmp_path)] == ["one", "again", "later"]


def test_a_new_picture_under_an_old_name_takes_its_place(tmp_path: Path) -> None:
    for color in (1, 2, 1):
        pack(tmp_path, one=picture(color))
        assert pictures.read(tmp_path, found(tmp_path)["one"]) == picture(color)
    assert pack(tmp_path, one=b"no picture at all") == Tally(refused=1)
    assert found(tmp_path) == {}


def test_equal_pictures_give_equal_bytes(tmp_path: Path) -> None:
    contents = {f"p{color}": picture(color) for color in range(40)}
    for name in ("a", "b"):
        pack(tmp_path / name, **contents)
    assert files.hash_folder(tmp_path / "a") == files.hash_folder(tmp_path / "b")


def test_shards_keep_to_their_size(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pictures, "SHARD_PICTURES", 3)
    pack(tmp_path / "count", **{f"p{color}": picture(color) for color in range(7)})
    shards = sorted((tmp_path / "count/pictures").glob("*.zip"))
    assert [len(zipfile.ZipFile(shard).namelist()) for shard in shards] == [3, 3, 1]
    monkeypatch.setattr(pictures, "SHARD_PICTURES", 100)
    monkeypatch.setattr(pictures, "SHARD_BYTES", 2000)
    pack(tmp_path / "bytes", **{f"p{color}": picture(color) for color in range(20)})
    sizes = [shard.stat().st_size for shard in (tmp_path / "bytes/pictures").glob("*.zip")]
    assert len(sizes) > 1
    assert max(sizes) <= 2000


@pytest.mark.parametrize(
    ("content", "facts"),
    [
        (picture(form="JPEG", mode="CMYK"), {"format": "JPEG", "mode": "CMYK", "frames": 1}),
        (picture(form="PNG", mode="P"), {"format": "PNG", "mode": "P", "frames": 1}),
        (picture(form="JPEG", mode="L", size=(9, 7)), {"mode": "L", "width": 9, "height": 7}),
        (picture(form="WEBP"), {"format": "WEBP"}),
        (picture(form="AVIF"), {"format": "AVIF"}),
        (picture(form="BMP"), {"format": "BMP"}),
        (
            picture(form="GIF", save_all=True, append_images=[Image.new("RGB", (6, 4), "red")]),
            {"format": "GIF", "frames": 2},
        ),
    ],
)
def test_the_index_says_what_a_picture_is(tmp_path: Path, content: bytes, facts: dict) -> None:
    assert pack(tmp_path, one=content) == Tally(packed=1)
    (entry,) = indexed(tmp_path)
    assert asdict(entry).items() >= facts.items()
    assert (entry.bytes, entry.refused) == (len(content), None)


def huge() -> bytes:
    """A PNG of 50 bytes that says it has 20,000 × 20,000 pixels."""
    header = b"IHDR" + struct.pack(">II5B", 20_000, 20_000, 8, 2, 0, 0, 0)
    return picture()[:12] + header + struct.pack(">I", zlib.crc32(header)) + picture()[33:]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "empty"),
        (b"<html>not found</html>", "not a picture of a known format (AVIF, BMP,"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "not a picture of a known format"),
        (picture(form="JPEG", size=(64, 64))[:-40], "damaged: image file is truncated"),
        (picture(size=(64, 64))[:60], "damaged: "),
        (huge(), f"more than {Image.MAX_IMAGE_PIXELS} pixels"),
    ],
)
def test_what_is_no_whole_picture_is_refused_with_a_reason(tmp_path: Path, content: bytes, said: str) -> None:
    assert pack(tmp_path, bad=content, good=picture()) == Tally(packed=1, refused=1)
    (bad,) = [entry for entry in indexed(tmp_path) if entry.name == "bad"]
    assert said in str(bad.refused)
    assert (bad.shard, bad.member) == (None, None)
    assert list(found(tmp_path)) == ["good"]


@given(st.lists(st.tuples(st.sampled_from("abcd"), st.sampled_from([picture(1), picture(2), b"", b"GIF89a"]))))
def test_every_picture_offered_is_packed_shared_refused_or_known(tmp_path_factory, offered) -> None:
    folder = tmp_path_factory.mktemp("pictures")
    tally = pictures.pack([Offered(name, content) for name, content in offered], folder)
    assert tally.new + tally.known == len(offered)
    assert len(indexed(folder)) == tally.new
    latest = dict(offered)
    places = found(folder)
    assert set(places) == {name for name, content in latest.items() if content.startswith(b"\x89PNG")}
    assert all(pictures.read(folder, places[name]) == latest[name] for name in places)


def test_a_picture_is_found_by_any_end_of_its_path_that_is_its_own(tmp_path: Path) -> None:
    names = ["photos/red/1.jpg", "photos/blue/1.jpg", "photos/blue/2.jpg", "https://cdn.shop/x/3.jpg"]
    pack(tmp_path, **{name: picture(color) for color, name in enumerate(names)})
    places = found(tmp_path)
    assert "1.jpg" not in places
    assert places["blue/1.jpg"] == places["photos/blue/1.jpg"] != places["red/1.jpg"]
    assert places["2.jpg"] == places["photos/blue/2.jpg"]
    assert places["3.jpg"] == places["https://cdn.shop/x/3.jpg"]
    assert pictures.index(tmp_path).column_names == ["name", "place"]


def test_a_zip_that_came_as_it_is_serves_as_a_shard(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "photos.zip", "w") as archive:
        for name in ("a/1.png", "__MACOSX/a/1.png", ".DS_Store"):
            archive.writestr(name, picture())
    assert found(tmp_path, "photos.zip") == {"1.png": "photos.zip!a/1.png", "a/1.png": "photos.zip!a/1.png"}
    assert pictures.read(tmp_path, "photos.zip!a/1.png") == picture()
    with pytest.raises(SourceError, match=r"photos\.zip has no picture 'b\.png'"):
        pictures.read(tmp_path, "photos.zip!b.png")


def test_without_pictures_the_index_is_empty(tmp_path: Path) -> None:
    assert pictures.index(tmp_path).num_rows == 0


def test_members_of_a_zip_are_read_in_order_and_bad_ones_refused(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(pictures, "LARGEST_BYTES", 5000)
    path = tmp_path / "photos.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in {
            "b.png": picture(2),
            "../a.png": picture(1),
            "c.png": picture(3),
            "d": b"0" * 9000,
        }.items():
            archive.writestr(name, content)
    damaged = bytearray(path.read_bytes())
    damaged[damaged.index(b"c.png") + 10] ^= 0xFF
    path.write_bytes(damaged)
    tally = pictures.pack(pictures.members(path), tmp_path)
    assert tally == Tally(packed=2, refused=2)
    reasons = {entry.name: entry.refused for entry in indexed(tmp_path)}
    assert list(reasons) == ["../a.png", "b.png", "c.png", "d"]
    assert str(reasons["c.png"]).startswith("damaged in its zip: ")
    assert reasons["d"] == "9000 bytes, more than 5000"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["photos.zip", "pictures"]
    path.write_bytes(b"PK no zip")
    with pytest.raises(SourceError, match=r"photos\.zip cannot be read as a zip"):
        list(pictures.members(path))


def test_what_was_packed_before_an_error_stays(tmp_path: Path) -> None:
    def breaking() -> Iterable[Offered]:
        for color in range(30):
            yield Offered(f"p{color:02d}", picture(color))
        raise SourceError("the network is gone")

    with pytest.raises(SourceError, match="the network is gone"):
        pictures.pack(breaking(), tmp_path)
    kept = len(found(tmp_path))
    assert 20 <= kept <= 30  # a few may be on their way
    contents = [Offered(f"p{color:02d}", picture(color)) for color in range(30)]
    assert pictures.pack(contents, tmp_path) == Tally(packed=30 - kept, known=kept)


def test_a_shard_without_index_is_written_anew(tmp_path: Path) -> None:
    """What a run leaves that was killed between the two."""
    pack(tmp_path / "whole", one=picture(1))
    (tmp_path / "pictures").mkdir()
    (tmp_path / "pictures/pictures-00000.zip").write_bytes(b"half a sha")
    (tmp_path / "pictures/.pictures-00000.zip.partial").write_bytes(b"ha")
    pack(tmp_path, one=picture(1))
    assert files.hash_folder(tmp_path / "pictures") == files.hash_folder(tmp_path / "whole/pictures")


def test_a_damaged_index_is_one_sentence(tmp_path: Path) -> None:
    pack(tmp_path, one=picture(1))
    path = tmp_path / "pictures/pictures-00000.index.parquet"
    assert pq.read_schema(path).remove_metadata() == pictures.SCHEMA
    path.write_bytes(b"PAR1")
    with pytest.raises(SourceError, match="cannot be read as an index of pictures"):
        pictures.index(tmp_path)
