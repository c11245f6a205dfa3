import gzip
import io
import zipfile

import pytest

from tandem.data import exports
from tandem.data.readers import archives
from tandem.data.sources import Source
from tandem.errors import SourceError

from ....shop import zipped

TEXT = "id,n\n" + "".join(f"{n},x{n * 7919 % 1000}\n" for n in range(1000))


def gzipped(content: bytes) -> bytes:
    """Packed at no time: the bytes are part of tests' names, which every worker has to find the same."""
    return gzip.compress(content, mtime=0)


@pytest.mark.parametrize("name", ["p.csv", "p.csv.gz", "p.zip"])
def test_what_a_file_holds_decides_not_its_name(ask, name) -> None:
    plain = ask("p.csv", TEXT)
    junk = {"__MACOSX/._p.csv": b"\0\5", "folder/": "", ".DS_Store": b"\0"}
    for content in (gzipped(TEXT.encode()), zipped(junk | {"folder/p.csv": TEXT})):
        assert ask(name, content) == plain


def find(shop, folder, pattern):
    shop["events"][0]["files"] = pattern
    return exports.find(Source.model_validate(shop), folder)


def test_each_file_of_an_archive_is_an_export(tmp_path, shop) -> None:
    (tmp_path / "all.zip").write_bytes(zipped({"b.csv": "id\n2\n", "a/a.csv": "id\n1\n", "__MACOSX/x": ""}))
    (tmp_path / "README").touch()
    found = find(shop, tmp_path, "*.zip")
    [(block, files)] = found.of["events"]
    assert [(file.name, file.member) for file in files] == [("all.zip!a/a.csv", "a/a.csv"), ("all.zip!b.csv", "b.csv")]
    assert [next(iter(exports._batches(file, block))).cells.schema.names for file in files] == [["id"], ["id"]]
    assert found.unmapped == ["README"]
    found = find(shop, tmp_path, "all.zip!b*")
    assert [file.name for file in found.of["events"][0][1]] == ["all.zip!b.csv"]
    assert found.unmapped == ["README", "all.zip!a/a.csv"]
    with pytest.raises(SourceError, match=r"no file that matches `all\.zip!c\*`"):
        find(shop, tmp_path, "all.zip!c*")


def test_an_archive_of_one_file_is_that_file(tmp_path, shop) -> None:
    (tmp_path / "all.zip").write_bytes(zipped({"b.csv": "id\n2\n"}))
    assert [file.name for file in find(shop, tmp_path, "*.zip").of["events"][0][1]] == ["all.zip"]


def linked() -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        info = zipfile.ZipInfo("p.csv")
        info.external_attr = 0o120777 << 16
        archive.writestr(info, "/etc/passwd")
    return out.getvalue()


def encrypted() -> bytes:
    content = bytearray(zipped({"p.csv": "id\n"}))
    for place in (6, content.index(b"PK\1\2") + 8):  # the flags of the member and of its entry in the directory
        content[place] |= 1
    return bytes(content)


PACKED = gzipped(TEXT.encode())


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (PACKED[:-2000], "is cut short or damaged"),
        (PACKED[:-8] + b"\0" * 8, "is cut short or damaged: CRC check failed"),
        (PACKED[:40] + b"\xff\xff\xff" + PACKED[43:], "is cut short or damaged"),
        (PACKED + b"rubbish", "is cut short or damaged"),
        (PACKED[:5], "is cut short or damaged"),
        (zipped({"p.csv": TEXT})[:-30], "is cut short or damaged"),
        (zipped({"p.csv": TEXT}).replace(b"x1", b"x2"), None),
        (zipped({"p.csv": TEXT}, zipfile.ZIP_STORED).replace(b"x919", b"y919"), "is cut short or damaged: Bad CRC-32"),
        (zipped({"../p.csv": TEXT}), "points outside its archive"),
        (zipped({"/etc/p.csv": TEXT}), "points outside its archive"),
        (zipped({"a\\..\\..\\p.csv": TEXT}), "points outside its archive"),
        (zipped({"C:/p.csv": TEXT}), "points outside its archive"),
        (linked(), "is a link, not a file"),
        (encrypted(), "is encrypted"),
        (zipped({}), "holds 0 files where one is expected"),
        (zipped({"p.zip": zipped({"p.csv": TEXT})}), "is an archive within an archive"),
        (gzipped(PACKED), "is an archive within an archive"),
        (gzipped(zipped({"p.csv": TEXT})), "is an archive within an archive"),
        (b"\xfd7zXZ\x00\0\0\0\0\0", "is compressed as xz"),
        (b"BZh91AY&SY\0\0\0", "is compressed as bzip2"),
    ],
)
def test_a_broken_or_harmful_archive_is_one_clear_sentence(ask, content, said) -> None:
    if said is None:
        assert len(ask("p.csv", content)) == 1000
        return
    with pytest.raises(SourceError) as caught:
        ask("p.csv", content)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_two_members_of_one_name_are_refused(ask) -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("p.csv", "id\n1\n")
        archive.writestr("p.csv", "id\n2\n")
    with pytest.raises(SourceError, match=r"has two members of one name: p\.csv"):
        ask("p.zip", out.getvalue())


@pytest.mark.parametrize("pack", [gzipped, lambda content: zipped({"p.csv": content})])
@pytest.mark.parametrize("format", ["csv", "parquet", "jsonl"])
def test_a_bomb_is_stopped_long_before_it_is_unpacked(ask, monkeypatch, pack, format) -> None:
    monkeypatch.setattr(archives, "FREE_BYTES", 2**20)
    with pytest.raises(SourceError, match=r"unpacks to more than .* bytes from .*: no export of a shop does"):
        ask("p.csv", pack(b"id\n" + b"\n" * 2**25), format=format)


def test_an_archive_of_much_the_same_is_no_bomb(ask) -> None:
    assert len(ask("p.gz", gzipped(b"id\n" + b"1\n" * 100_000))) == 100_000


def test_a_link_that_leaves_the_folder_is_refused(tmp_path, shop) -> None:
    (tmp_path / "secret.csv").write_text("id\n")
    folder = tmp_path / "raw"
    (folder / "sub").mkdir(parents=True)
    (folder / "sub" / "real.csv").write_text("id\n")
    (folder / "a.csv").symlink_to(folder / "sub" / "real.csv")
    assert [file.name for file in find(shop, folder, "*.csv").of["events"][0][1]] == ["a.csv"]
    (folder / "b.csv").symlink_to(tmp_path / "secret.csv")
    with pytest.raises(SourceError, match="is a link to outside the folder"):
        find(shop, folder, "a.csv")
    (folder / "b.csv").unlink()
    (folder / "c").symlink_to(tmp_path / "nowhere")
    with pytest.raises(SourceError, match="is a link that leads nowhere"):
        find(shop, folder, "a.csv")


@pytest.mark.real_data("chinese_reviews")
def test_the_zip_of_chinese_reviews(real_data, block) -> None:
    path = real_data / "online_shopping_10_cats.zip"
    export = exports.Export(path.name, path)
    reviews = block(columns={"product_id": "cat", "description": "review"})
    batches = list(exports.batches(export, reviews))
    labels = [label for batch in batches for label in batch.cells["label"].to_pylist()]
    assert (labels.count("1"), labels.count("0"), len(labels)) == (31_728, 31_046, 62_774)
    assert all(batch.problems is None for batch in batches)


@pytest.mark.real_data("amazon_gift_cards")
def test_gift_cards_in_gzip(real_data, block) -> None:
    for name, count in (("meta_Gift_Cards.json.gz", 1547), ("Gift_Cards_5.json.gz", 2972)):
        cards = block(format="jsonl", columns={"product_id": "asin"})
        batches = list(exports.batches(exports.Export(name, real_data / name), cards))
        assert sum(batch.cells.num_rows for batch in batches) == count
        assert all(batch.problems is None for batch in batches)
        assert None not in batches[-1].cells["asin"].to_pylist()
