"""What is taken in stays as it came, and a rerun changes nothing."""

import io
import json
import os
import sqlite3
import subprocess
import zipfile
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest
import yaml
from PIL import Image

from flows import erasure
from flows import ingest as intake
from flows.ingest import ingest, keep_accepted
from flows.versions import PipelineError
from tandem.data.sources import Source
from tandem.errors import SettingsError, SourceError
from tandem.params import read_all
from tandem.settings import Settings

pytestmark = pytest.mark.slow  # the real tools start

take_in = ingest.fn


HEADER = "StockCode,CustomerID,InvoiceDate,InvoiceNo,Quantity,UnitPrice,Description\n"


def export(folder: Path, **texts: str) -> Path:
    """A folder with one CSV for each name; a text of one line stands under the header of Online Retail."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in texts.items():
        (folder / f"{name}.csv").write_text(text if "\n" in text else HEADER + text)
    return folder


def taken_in(source: str = "online_retail") -> dict[str, str]:
    """The texts that came in, without that header."""
    folder = Path("data/raw", source)
    found = [path for path in folder.rglob("*") if path.is_file()]
    return {path.relative_to(folder).as_posix(): path.read_text("latin-1").removeprefix(HEADER) for path in found}


def test_new_files_come_in_and_old_ones_stay(project: Path, tmp_path: Path) -> None:
    raw = export(tmp_path / "raw", monday="1")
    take_in("online_retail", raw)
    assert taken_in() == {"monday.csv": "1"}
    assert read_all()["source"] == "online_retail"
    assert len(Path("data/raw/key_id.txt").read_text().strip()) == 8
    (key,) = Path(".tandem").glob("*.key")
    assert key.stat().st_mode & 0o777 == 0o600
    versioned = Path("data/raw/online_retail.dvc").read_bytes()

    take_in("online_retail", raw)
    assert Path("data/raw/online_retail.dvc").read_bytes() == versioned

    (raw / "notes.txt").write_text("not read by this source")
    (raw / ".hidden.csv").write_text("half-written by somebody")
    take_in(None, export(raw, tuesday="2"))
    assert taken_in() == {"monday.csv": "1", "tuesday.csv": "2"}
    assert Path("data/raw/online_retail.dvc").read_bytes() != versioned

    with pytest.raises(SourceError, match=r"monday\.csv differs from .*raw files never change"):
        take_in(None, export(raw, monday="other", wednesday="3"))
    assert taken_in() == {"monday.csv": "1", "tuesday.csv": "2"}


def test_files_that_no_block_reads_are_told(project: Path, tmp_path: Path, caplog) -> None:
    raw = export(tmp_path / "raw", monday="1")
    (raw / "july.xls").write_text("another way to write it")
    (raw / ".hidden.csv").write_text("half-written by somebody")
    with caplog.at_level("WARNING"):
        take_in("online_retail", raw)
    assert "no block of source online_retail reads july.xls\n" in caplog.text


def test_data_keeps_the_key_it_was_registered_with(project: Path, tmp_path: Path, monkeypatch) -> None:
    take_in("online_retail", export(tmp_path / "raw", monday="1"))
    registered, (key,) = Path("data/raw/key_id.txt").read_text(), Path(".tandem").glob("*.key")
    ours = key.read_text()
    tuesday = export(tmp_path / "raw", tuesday="2")
    for theirs, said in (("ab" * 32, "the key at hand is"), (None, "there is no key")):
        key.unlink()
        if theirs:
            key.write_text(theirs)
        with pytest.raises(
            SettingsError, match=f"registered with pseudonym key {registered.strip()}, {said}"
        ) as refused:
            take_in(None, tuesday)
        assert "remove data/raw/key_id.txt" in str(refused.value)
        assert key.exists() == bool(theirs)
        assert taken_in() == {"monday.csv": "1"}
        key.write_text(ours)
    take_in(None, tuesday)
    assert Path("data/raw/key_id.txt").read_text() == registered


def test_git_is_shown_which_key_and_when_but_no_raw_file(project: Path, tmp_path: Path) -> None:
    take_in("online_retail", export(tmp_path / "raw", monday="1"))
    command = ["git", "ls-files", "--others", "--exclude-standard", "data/raw"]
    shown = subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()
    assert {"data/raw/key_id.txt", "data/raw/as_of.txt"} <= set(shown)
    assert not any(name.endswith(".csv") for name in shown)


def test_the_moment_of_ingest_changes_only_with_new_files(project: Path, tmp_path: Path) -> None:
    as_of, raw = Path("data/raw/as_of.txt"), export(tmp_path / "raw", monday="1")
    before = datetime.now(UTC)
    take_in("online_retail", raw)
    assert before <= datetime.fromisoformat(as_of.read_text().strip()) <= datetime.now(UTC)
    as_of.write_text("2020-01-01T00:00:00+00:00\n")
    take_in(None, raw)
    assert as_of.read_text() == "2020-01-01T00:00:00+00:00\n"
    take_in(None, export(raw, tuesday="2"))
    assert datetime.fromisoformat(as_of.read_text().strip()) >= before


def test_one_file_is_an_export_too(project: Path, tmp_path: Path) -> None:
    take_in("online_retail", export(tmp_path / "raw", all="1", other="2") / "all.csv")
    assert taken_in() == {"all.csv": "1"}


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        ("nowhere", "raw data .*nowhere does not exist"),
        ("empty", r"raw data .*empty has no file that source online_retail reads: \*\*/\*\.csv"),
        ("empty/readme.txt", r"has no file that source online_retail reads"),
        (None, "source online_retail has no raw files yet"),
    ],
)
def test_nothing_to_take_in_is_one_sentence(project: Path, tmp_path: Path, raw: str | None, said: str) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty" / "readme.txt").touch()
    before = Path("params.yaml").read_bytes()
    with pytest.raises(SourceError, match=said) as refused:
        take_in("online_retail", raw and tmp_path / raw)
    assert "\n" not in str(refused.value)
    assert Path("params.yaml").read_bytes() == before


def test_a_subfolder_that_may_not_be_read_is_one_sentence(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Half an export is not taken in. Tests may run as root, who may read everything: the refusal is acted."""
    folder = export(tmp_path / "raw", day="1")
    (folder / "locked").mkdir()
    scandir = os.scandir

    def refuse(path):
        if Path(path).name == "locked":
            raise PermissionError(13, "Permission denied", str(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuse)
    with pytest.raises(SourceError, match="cannot be read: Permission denied"):
        take_in("online_retail", folder)


def test_the_inbox_is_taken_from_when_no_folder_is_named(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TANDEM_INBOX", str(export(tmp_path / "inbox", day="1")))
    take_in("online_retail")
    assert taken_in() == {"day.csv": "1"}


def test_a_source_that_is_not_there_is_named(project: Path) -> None:
    with pytest.raises(SourceError, match=r"sources/nosuch\.yaml is missing"):
        take_in("nosuch")


def shop(**keys) -> Path:
    """The file that describes `shop`: products only, unless said otherwise."""
    block = {"files": "products.csv", "format": "csv", "columns": {"product_id": "Id"}}
    path = Path("sources/shop.yaml")
    described = {"name": "shop", "title": "A shop", "timezone": "UTC", "products": [block], **keys}
    path.write_text(yaml.safe_dump(described))
    return path


def orders(path: Path, *numbers: int) -> None:
    with closing(sqlite3.connect(path)) as database, database:
        database.execute("CREATE TABLE IF NOT EXISTS orders (number INTEGER)")
        database.executemany("INSERT INTO orders VALUES (?)", [(number,) for number in numbers])


EXTRACT = {
    "name": "orders",
    "url_variable": "SHOP_DB",
    "query": "SELECT number FROM orders WHERE :since IS NULL OR number > :since",
    "cursor": "number",
}


def test_rows_of_a_database_come_in_without_an_export(project: Path, tmp_path: Path, monkeypatch) -> None:
    shop(extracts=[EXTRACT])
    with pytest.raises(SettingsError, match=r"SHOP_DB is not set: extract orders needs a SQLAlchemy URL"):
        take_in("shop")
    assert not Path("data/raw").exists()
    monkeypatch.setenv("SHOP_DB", f"sqlite:///{tmp_path}/shop.db")
    orders(tmp_path / "shop.db")
    with pytest.raises(SourceError, match="source shop has no raw files: its extracts returned no rows"):
        take_in("shop")
    orders(tmp_path / "shop.db", 1, 2)
    take_in("shop")
    as_of, versioned = Path("data/raw/as_of.txt"), Path("data/raw/shop.dvc")
    before = as_of.read_text(), versioned.read_bytes()
    take_in("shop")
    assert (as_of.read_text(), versioned.read_bytes()) == before
    orders(tmp_path / "shop.db", 3)
    take_in("shop", export(tmp_path / "raw", products="Id\n1"))
    assert sorted(path.name for path in Path("data/raw/shop").iterdir()) == [
        "orders-000001.parquet",
        "orders-000002.parquet",
        "products.csv",
    ]
    assert as_of.read_text() > before[0]
    assert versioned.read_bytes() != before[1]


def test_loose_pictures_reach_dvc_as_one_shard(project: Path, tmp_path: Path) -> None:
    shop(pictures=[{"files": "photos/*.png"}])
    raw = export(tmp_path / "raw", products="Id\n1")
    (raw / "photos").mkdir()
    for color in range(50):
        out = io.BytesIO()
        Image.new("RGB", (2, 2), color).save(out, "PNG")
        (raw / "photos" / f"{color}.png").write_bytes(out.getvalue())
    take_in("shop", raw)
    taken = sorted(p.relative_to("data/raw/shop").as_posix() for p in Path("data/raw/shop").rglob("*") if p.is_file())
    assert taken == ["pictures/pictures-00000.index.parquet", "pictures/pictures-00000.zip", "products.csv"]
    versioned = yaml.safe_load(Path("data/raw/shop.dvc").read_text())
    assert versioned["outs"][0]["nfiles"] == 3
    take_in("shop", raw)
    assert yaml.safe_load(Path("data/raw/shop.dvc").read_text()) == versioned


def test_files_put_beside_a_block_come_in_with_its_own(project: Path, tmp_path: Path) -> None:
    block = {"files": "products*.csv.gz", "format": "csv", "columns": {"product_id": "Id"}}
    beside = {"beside": ["titles.csv"], "join": [{"files": "prices.csv", "by": "Id"}]}
    inner = {"files": "orders.zip!orders-*.csv", "format": "csv", "columns": {"product_id": "Id", "time": "T"}}
    picture = {"image": {"archive": "photos.zip", "column": "Id"}}
    products = block | beside | {"columns": block["columns"] | picture}
    links = [{"links": {"files": "links.csv", "column": "Url"}}]
    shop(products=[products], events=[inner | {"kind": "purchase"}], pictures=links)
    raw = export(tmp_path / "raw", titles="1", prices="2", links="Url\n", other="not named")
    for name in ("products-1.csv.gz", "photos.zip", "readme.gz"):
        (raw / name).write_bytes(b"as it is")
    with zipfile.ZipFile(raw / "orders.zip", "w") as archive:
        archive.writestr("orders-1.csv", "Id,T\n1,2026-01-01\n")
    export(raw / ".backup", titles="of yesterday")
    take_in("shop", raw)
    expected = {"links.csv", "orders.zip", "photos.zip", "prices.csv", "products-1.csv.gz", "titles.csv"}
    assert set(taken_in("shop")) == expected


@pytest.mark.parametrize("size", [0, 1, 3_000_000])
def test_a_copy_has_the_same_bytes_and_does_not_change_with_the_shops_file(tmp_path: Path, size: int) -> None:
    path, target = tmp_path / "day.csv", tmp_path / "data/day.csv"
    content = os.urandom(size)
    path.write_bytes(content)
    intake._copy(path, target)
    with path.open("ab") as out:
        out.write(b"later")
    assert target.read_bytes() == content
    assert not intake._same(path, target)


def test_what_was_compared_once_is_not_read_again(project: Path, tmp_path: Path, monkeypatch) -> None:
    raw, source = export(tmp_path / "raw", monday="one", tuesday="two"), Source.read(Path("sources/online_retail.yaml"))
    for path, target in intake._arriving(source, raw).items():
        intake._copy(path, target)
    read: list[str] = []
    same = intake._same
    monkeypatch.setattr(intake, "_same", lambda path, other: read.append(path.stem) or same(path, other))
    for expected in (["monday", "tuesday"], []):
        assert intake._arriving(source, raw) == {}
        assert read == expected
        read.clear()
    export(raw, monday="one")
    assert intake._arriving(source, raw) == {}
    assert read == ["monday"]
    export(raw, tuesday="2.0")
    with pytest.raises(SourceError, match=r"tuesday\.csv differs"):
        intake._arriving(source, raw)


def test_a_file_that_is_still_being_written_does_not_come_in(tmp_path: Path, monkeypatch) -> None:
    path, target = tmp_path / "day.csv", tmp_path / "data/day.csv"
    path.write_text("half")
    clone = intake._clone

    def slowly(source: Path, copy: Path) -> None:
        clone(source, copy)
        source.write_text("half and the rest")

    monkeypatch.setattr(intake, "_clone", slowly)
    with pytest.raises(SourceError, match=r"day\.csv changed while it was copied: take it in when it is complete"):
        intake._copy(path, target)
    assert not list(target.parent.iterdir())


def test_the_accepted_snapshot_is_remembered_only_before_new_files(repository: Path) -> None:
    accepted, snapshot = Path("data/accepted/manifest.json"), Path("data/snapshot/manifest.json")
    for path, rows in ((snapshot, 10), (accepted, 7)):
        path.parent.mkdir(parents=True)
        path.write_text(json.dumps({"source": "shop", "rows": rows}))
    keep_accepted("shop", new=False)
    assert json.loads(accepted.read_text())["rows"] == 7
    keep_accepted("shop", new=True)
    assert json.loads(accepted.read_text())["rows"] == 10
    keep_accepted("elsewhere", new=True)
    assert not accepted.exists()


def test_the_demo_shop_is_generated_once_with_its_truth_apart(project: Path) -> None:
    take_in("demo")
    made = {path: path.stat().st_mtime_ns for path in Path("data/raw/demo").rglob("*")}
    assert any(path.suffix == ".csv" for path in made)
    assert list(Path("data/truth/demo").iterdir())
    assert not list(Path("data/raw").glob(".*partial"))
    take_in("demo")
    assert {path: path.stat().st_mtime_ns for path in Path("data/raw/demo").rglob("*")} == made


def test_a_truncated_dvc_file_of_a_killed_run_is_written_anew(project: Path, tmp_path: Path) -> None:
    take_in("online_retail", export(tmp_path / "raw", monday="1"))
    versioned = Path("data/raw/online_retail.dvc")
    before = versioned.read_bytes()
    versioned.write_bytes(b"")
    take_in()
    assert versioned.read_bytes() == before


def test_dvc_errors_reach_the_caller(project: Path, tmp_path: Path) -> None:
    Path("dvc.yaml").write_text("stages: [")
    with pytest.raises(PipelineError, match=r"dvc\.yaml"):
        take_in("online_retail", export(tmp_path / "raw", monday="1"))


@pytest.mark.parametrize(
    ("wednesday", "said"),
    [
        (HEADER.replace("Quantity", "Pieces"), r"renamed, it seems: `Quantity` to `Pieces`"),
        (HEADER.replace("UnitPrice,", ""), "gone: `UnitPrice`, read as unit_price"),
        (HEADER.replace("Description", "Description,Colour"), r"new: `Colour`[\s\S]*may_have: \[Colour\]"),
        (HEADER.replace("UnitPrice", "unitprice,UNITPRICE"), "have the same name but for capitals"),
        ("\n", "is empty: it has no header"),
    ],
)
def test_a_file_that_the_source_cannot_read_does_not_come_in(
    project: Path, tmp_path: Path, wednesday: str, said: str
) -> None:
    rows = "".join(f"8512{n},1785{n}.0,12/1/2010 8:2{n},53636{n},{n},2.5,a cup\n" for n in range(9))
    raw = export(tmp_path / "raw", monday=HEADER + rows)
    take_in("online_retail", raw)
    before = (
        sorted(taken_in()),
        Path("data/raw/as_of.txt").read_bytes(),
        Path("data/raw/online_retail.dvc").read_bytes(),
    )
    export(raw, tuesday="2", wednesday=wednesday + rows if "," in wednesday else wednesday)
    with pytest.raises(SourceError, match=rf"wednesday\.csv[\s\S]*{said}[\s\S]*\nNothing was taken in") as refused:
        take_in(None, raw)
    assert "85121" not in str(refused.value)
    assert before == (
        sorted(taken_in()),
        Path("data/raw/as_of.txt").read_bytes(),
        Path("data/raw/online_retail.dvc").read_bytes(),
    )
    (raw / "wednesday.csv").write_text(HEADER + rows)  # corrected, under the same name
    take_in(None, raw)
    assert sorted(taken_in()) == ["monday.csv", "tuesday.csv", "wednesday.csv"]


def test_a_first_file_that_lacks_a_column_does_not_come_in_either(project: Path, tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"monday\.csv has no column `UnitPrice`[\s\S]*\nNothing was taken in"):
        take_in("online_retail", export(tmp_path / "raw", monday=HEADER.replace("UnitPrice", "Price") + "1"))
    assert not Path("data/raw").exists()


def test_a_file_that_was_taken_out_again_is_forgotten(project: Path, tmp_path: Path) -> None:
    """As docs/intake.md says: removed by hand, then one more ingest."""
    raw = export(tmp_path / "raw", monday="1", tuesday='"no end')
    take_in("online_retail", raw)
    Path("data/raw/online_retail/tuesday.csv").unlink()
    export(raw, tuesday="2")
    take_in(None, raw)
    assert taken_in() == {"monday.csv": "1", "tuesday.csv": "2"}
    Path("data/raw/online_retail/tuesday.csv").unlink()
    take_in()
    assert yaml.safe_load(Path("data/raw/online_retail.dvc").read_text())["outs"][0]["nfiles"] == 1


def test_a_name_that_is_not_one_line_is_refused_before_anything_is_copied(project: Path, tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="rename it"):
        take_in("online_retail", export(tmp_path / "raw", **{"two\nlines": "1"}))
    assert not Path("data/raw/online_retail").exists()


def test_a_file_that_an_erasure_rewrote_may_come_again_but_not_another(project: Path, tmp_path: Path, caplog) -> None:
    raw, source = export(tmp_path / "raw", monday="ann,ben,cid"), Source.read(Path("sources/online_retail.yaml"))
    (target,) = [intake._copy(path, target) or target for path, target in intake._arriving(source, raw).items()]
    for left in ("ben,cid", "cid"):
        erasure._note_rewritten([target], Settings().home / intake.REWRITTEN)
        target.write_text(HEADER + left)
    assert "monday.csv" in json.loads((Settings().home / "erasure/rewritten.json").read_text()).popitem()[0]
    for text in ("ann,ben,cid", "ben,cid", "cid"):
        with caplog.at_level("INFO"):
            assert intake._arriving(source, export(raw, monday=text)) == {}
        assert ("erase the person at the shop's end too" in caplog.text) == (text != "cid")
        caplog.clear()
    assert target.read_text() == HEADER + "cid"
    with pytest.raises(SourceError, match=r"monday\.csv differs"):
        intake._arriving(source, export(raw, monday="ann"))


def test_one_file_is_refused_where_no_pattern_would_find_it(project: Path, tmp_path: Path) -> None:
    block = {"files": "sub/*.csv", "format": "csv", "columns": {"product_id": "Id"}}
    source = Source.read(shop(products=[block]))
    raw = export(tmp_path / "raw/sub", items="Id\n1").parent
    with pytest.raises(SourceError, match=r"reads items\.csv in a folder, as sub/\*\.csv: give as raw data the folder"):
        intake._arriving(source, raw / "sub/items.csv")
    assert set(intake._arriving(source, raw).values()) == {Path("data/raw/shop/sub/items.csv")}
