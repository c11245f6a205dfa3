import gzip
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import scipy.sparse as sp

from tandem.data import removal
from tandem.data.sources import Source
from tandem.errors import SourceError

ERIN = "17850"
COLUMNS = {"user_id": "who", "product_id": "what", "time": "when"}
HEAD = "who,what,when\r\n"


def source(format: str = "csv", files: str = "**/*", **block: Any) -> Source:
    given = {"files": files, "format": format, "columns": COLUMNS, "kind": "view", "integers": ["user_id"], **block}
    return Source.model_validate(
        {"name": "shop", "title": "t", "timezone": "UTC", "currency": "EUR", "events": [given],
         "products_from_events": {}}
    )  # fmt: skip


def erase(source: Source, folder: Path) -> int:
    """Take user 17850 out, and return how many records it were."""
    before = removal.count(source, folder)
    cuts = removal.find(source, folder, ERIN)
    removal.remove(cuts)
    assert removal.find(source, folder, ERIN) == []
    dropped = sum(len(cut.records) for cut in cuts)
    assert [path.name for path in folder.rglob(".*")] == []
    if source.events[0].format not in ("sequences", "matrix"):
        assert removal.count(source, folder) == before - dropped
    return dropped


ROWS = [
    '17850,a,2026-01-01\r\n',
    '178501,"b, 17850 ""x""\r\nsecond line",2026-01-01\r\n',
    '\r\n',
    ' 17850.0 ,"c\r\nd",2026-01-02\r\n',
    '\n',
    '1785,17850,2026-01-03\n',
    '"17850",z,2026-01-04',
]  # fmt: skip
LEFT = HEAD + "".join(ROWS[place] for place in (1, 2, 4, 5))


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030", "utf-16"])
def test_of_csv_the_users_records_go_in_every_spelling_and_all_else_keeps_its_bytes(tmp_path, encoding) -> None:
    word = "é中文" if encoding != "gb18030" else "中文字"
    text = (HEAD + "".join(ROWS)).replace("second", word)
    (tmp_path / "a.csv").write_bytes(text.encode(encoding))
    assert erase(source(), tmp_path) == 3
    assert (tmp_path / "a.csv").read_bytes() == LEFT.replace("second", word).encode(encoding)


def test_gzip_and_zip_are_packed_again_and_other_members_stay(tmp_path) -> None:
    text = HEAD + "".join(ROWS)
    (tmp_path / "a.csv.gz").write_bytes(gzip.compress(text.encode()))
    with zipfile.ZipFile(tmp_path / "b.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("one.csv", text)
        archive.writestr("two.csv", HEAD + "5,a,2026-01-01\r\n")
    assert erase(source(), tmp_path) == 6
    assert gzip.decompress((tmp_path / "a.csv.gz").read_bytes()).decode() == LEFT
    with zipfile.ZipFile(tmp_path / "b.zip") as archive:
        assert archive.read("one.csv").decode() == LEFT
        assert archive.read("two.csv").decode() == HEAD + "5,a,2026-01-01\r\n"
        assert archive.infolist()[0].compress_type == zipfile.ZIP_DEFLATED


def test_a_file_without_the_user_is_not_touched(tmp_path) -> None:
    path = tmp_path / "a.csv"
    path.write_text(HEAD + "1,17850,2026-01-01\n")
    stamp = path.stat()
    assert erase(source(), tmp_path) == 0
    assert path.stat() == stamp


def test_a_file_without_a_header_and_one_with_types(tmp_path) -> None:
    (tmp_path / "a.csv").write_text("17850;a;2026-01-01\n2;b;2026-01-01\n")
    assert erase(source(header=["who", "what", "when"], delimiter=";"), tmp_path) == 1
    assert (tmp_path / "a.csv").read_text() == "2;b;2026-01-01\n"
    (tmp_path / "a.csv").write_text("who:token\twhat:token\twhen:float\n17850\ta\t2026-01-01\n2\tb\t2026-01-01\n")
    assert erase(source("typed"), tmp_path) == 1
    assert (tmp_path / "a.csv").read_text() == "who:token\twhat:token\twhen:float\n2\tb\t2026-01-01\n"


def test_of_json_lines_and_lists_what_stays_is_written_as_it_was(tmp_path) -> None:
    other = '{"who": 3, "what": "a ] } \\" 17850", "when": "2026-01-01", "price": 1.10e0}'
    mine = ['{"who": 17850, "what": "a", "when": "2026-01-01"}', '{"when": "2026", "who": "17850.0", "what": [1]}']
    (tmp_path / "a.jsonl").write_text("\n".join([mine[0], "", other, mine[1]]) + "\n")
    assert erase(source("jsonl", "*.jsonl"), tmp_path) == 2
    assert (tmp_path / "a.jsonl").read_text() == f"\n{other}\n"
    (tmp_path / "a.json").write_text(f" [{mine[0]}, {other},{mine[1]} ] ")
    assert erase(source("json", "*.json"), tmp_path) == 2
    assert (tmp_path / "a.json").read_text() == f"[\n{other}\n]\n"


def test_of_parquet_the_values_and_types_of_others_stay(tmp_path) -> None:
    table = pa.table(
        {"who": [1, 17850, 17850, 2], "what": ["a", "b", "c", "d"], "when": ["2026-01-01"] * 4, "p": [1.5] * 4}
    )
    pq.write_table(table, tmp_path / "a.parquet", row_group_size=2, compression="zstd")
    assert erase(source("parquet"), tmp_path) == 2
    left = pq.ParquetFile(tmp_path / "a.parquet")
    assert left.read().equals(table.take([0, 3]))
    assert left.metadata.row_group(0).column(0).compression == "ZSTD"


def test_of_a_workbook_the_rows_of_its_sheet_go(tmp_path) -> None:
    book = openpyxl.Workbook()
    book.active.title = "notes"
    sheet = book.create_sheet("orders")
    for row in (
        [],
        ["who", "what", "when"],
        [17850, "a", "2026-01-01"],
        [],
        [2, "b", "2026-01-01"],
        ["17850", "c", "x"],
    ):
        sheet.append(row)
    book.save(tmp_path / "a.xlsx")
    assert erase(source("excel", sheet="orders"), tmp_path) == 2
    left = openpyxl.load_workbook(tmp_path / "a.xlsx")
    assert left.sheetnames == ["notes", "orders"]
    assert [row for row in left["orders"].values if any(row)] == [("who", "what", "when"), (2, "b", "2026-01-01")]


def test_of_sequences_the_users_line_goes(tmp_path) -> None:
    (tmp_path / "a.txt").write_text("1 17850 3\n17850 4 5\n\n178 17850\n")
    block = {
        "columns": {
            "user_id": "user",
            "product_id": "item",
            "time": {"ordinal": "@place_1", "start": "2000-01-01", "step_minutes": 1},
        }
    }
    assert erase(source("sequences", **block), tmp_path) == 1
    assert (tmp_path / "a.txt").read_text() == "1 17850 3\n\n178 17850\n"


@pytest.mark.parametrize("form", ["dense", "csr"])
def test_in_a_matrix_the_users_row_becomes_zero_and_no_other_row_moves(tmp_path, form: str) -> None:
    values = np.arange(12).reshape(4, 3)
    path = tmp_path / "a"
    if form == "dense":
        path.write_text("\n".join(" ".join(map(str, row)) for row in values) + "\n")
    else:
        with path.open("wb") as out:
            sp.save_npz(out, sp.csr_array(values))
    time = {"ordinal": "column", "start": "2000-01-01", "step_minutes": 1}
    block = {
        "columns": {"user_id": "row", "product_id": "column", "time": time},
        "integers": [],
        "matrix": {"rows": [1, 4]},
    }
    cuts = removal.find(source("matrix", **block), tmp_path, "1")  # the third of the file
    removal.remove(cuts)
    read = np.loadtxt(path) if form == "dense" else sp.load_npz(path).toarray()
    expected = values.copy()
    expected[2] = 0
    assert read.tolist() == expected.tolist()


def test_what_is_aligned_with_a_file_and_what_it_looks_up_goes_along(tmp_path) -> None:
    (tmp_path / "main").mkdir()
    (tmp_path / "main" / "orders.csv").write_text("order,what\n1,a\n1,b\n2,c\n")
    (tmp_path / "beside.csv").write_text("price\n10\n11\n12\n")
    (tmp_path / "users.csv").write_text("order,who,when\n1,17850,2026-01-01\n2,5,2026-01-01\n")
    join = {"files": "users.csv", "by": "order"}
    cuts = removal.find(source(files="main/*.csv", beside=["beside.csv"], join=join), tmp_path, ERIN)
    assert [(cut.export.name, cut.records) for cut in cuts] == [
        ("main/orders.csv", {0, 1}),
        ("beside.csv", {0, 1}),
        ("users.csv", {0}),
    ]
    removal.remove(cuts)
    assert (tmp_path / "main" / "orders.csv").read_text() == "order,what\n2,c\n"
    assert (tmp_path / "beside.csv").read_text() == "price\n12\n"
    assert (tmp_path / "users.csv").read_text() == "order,who,when\n2,5,2026-01-01\n"


def test_a_record_with_a_list_goes_as_one(tmp_path) -> None:
    (tmp_path / "a.csv").write_text('who,what,when\n17850,"[1, 2]",2026-01-01\n3,"[4]",2026-01-01\n')
    before = removal.find(source(explode=["what"]), tmp_path, ERIN)
    assert [cut.records for cut in before] == [{0}]


def test_an_old_workbook_is_refused_before_anything_changes(tmp_path) -> None:
    cut = removal.Cut(removal.Export("a.xls", tmp_path / "a.xls"), source("excel").events[0], {0})
    (tmp_path / "a.xls").write_bytes(b"\xd0\xcf\x11\xe0" + bytes(100))
    with pytest.raises(SourceError, match=r"save it as \.xlsx"):
        removal.remove([cut])
    assert (tmp_path / "a.xls").read_bytes() == b"\xd0\xcf\x11\xe0" + bytes(100)
