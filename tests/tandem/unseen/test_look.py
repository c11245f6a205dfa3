import gzip
import json
import zipfile

import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from tandem.unseen import look

ROWS = "item,when\n" + "".join(f"P{n},2026-01-01 10:{n:02}\n" for n in range(40))


def at(tmp_path, name: str, content: bytes | str, most: int = look.WHOLE_BYTES) -> look.Look:
    path = tmp_path / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return look.at(path, name, most)


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_a_delimiter_is_found(tmp_path, delimiter) -> None:
    found = at(tmp_path, "a.csv", ROWS.replace(",", delimiter))
    assert (found.format, found.delimiter, found.header) == ("csv", delimiter, ("item", "when"))
    assert (len(found.records), found.whole, found.named) == (40, True, True)


def test_delimiters_inside_quotes_are_text(tmp_path) -> None:
    found = at(tmp_path, "a.csv", "id;text\n" + '"1";"a, b, c; ""d"""\n' * 9)
    assert (found.delimiter, found.records[0]) == (";", ["1", 'a, b, c; "d"'])


def test_a_line_of_values_is_no_header(tmp_path) -> None:
    found = at(tmp_path, "a.csv", "".join(f"{n},view,150000000{n}\n" for n in range(9)))
    assert (found.named, found.header, len(found.records)) == (False, ("column_1", "column_2", "column_3"), 9)


@pytest.mark.parametrize(
    ("codec", "encoding"), [("utf-8", "utf-8"), ("utf-8-sig", "utf-8"), ("gbk", "gb18030"), ("utf-16", "utf-16")]
)
def test_an_encoding_is_found(tmp_path, codec, encoding) -> None:
    found = at(tmp_path, "a.csv", ("商品,数量\n" + "白色杯子,1\n" * 9).encode(codec))
    assert (found.encoding, found.header, found.records[0]) == (encoding, ("商品", "数量"), ["白色杯子", "1"])


def test_letters_of_western_europe_are_not_taken_for_chinese(tmp_path) -> None:
    found = at(tmp_path, "a.csv", ("item,name\n" + "1,café crème\n2,Müller\n3,garçon\n" * 9).encode("cp1252"))
    assert (found.encoding, found.records[1]) == ("cp1252", ["2", "Müller"])
    assert "a guess" in found.notes[0]


def test_other_formats_are_told_by_their_content(tmp_path) -> None:
    objects = [{"asin": f"B{n}", "also_buy": ["B1"]} for n in range(5)]
    lines = "\n".join(json.dumps(one) for one in objects)
    assert at(tmp_path, "a.json", lines).format == "jsonl"
    assert at(tmp_path, "b.json", json.dumps(objects)).records[2] == ["B2", '["B1"]']
    assert at(tmp_path, "c.json", '{"1": [[-1], [2, 3]], "2": []}').header == ("@key", "@value")
    assert at(tmp_path, "d.json", "\n".join(map(repr, objects))).notes == ("lines are Python literals, not JSON",)
    typed = at(tmp_path, "e.inter", "user_id:token\titem_id:token\n1\t2\n")
    assert (typed.format, typed.header) == ("typed", ("user_id", "item_id"))
    assert at(tmp_path, "f.txt", "1 10 11 12\n2 11\n3 12 13\n4 10 11\n").format == "sequences"
    assert at(tmp_path, "g.txt", "10 11 12\n11 14\n10 12 13\n10 11\n").format == "baskets"
    assert (
        at(tmp_path, "h.data", "0\t1\t2\t0\t0\t1\t1\t0\t1\t0\t1\t0\t0\t1\t0\t1\t0\t1\t0\t1\t1\n" * 4).format == "matrix"
    )


def test_archives_are_looked_through(tmp_path) -> None:
    assert at(tmp_path, "a.csv.gz", gzip.compress(ROWS.encode())).header == ("item", "when")
    with zipfile.ZipFile(tmp_path / "b.zip", "w") as archive:
        archive.writestr("in/a.csv", ROWS)
    assert look.at(tmp_path / "b.zip", "b.zip").header == ("item", "when")
    with zipfile.ZipFile(tmp_path / "c.zip", "w") as archive:
        archive.writestr("1.jpg", b"x")
    assert look.at(tmp_path / "c.zip", "c.zip").format == "pictures"


def test_tables_with_types_are_read(tmp_path) -> None:
    frame = pd.DataFrame({"item": ["a", "b"], "price": [1.5, 2.0], "tags": [["x"], ["y", "z"]]})
    frame.to_parquet(tmp_path / "a.parquet")
    found = look.at(tmp_path / "a.parquet", "a.parquet")
    assert (found.header, found.records[1]) == (("item", "price", "tags"), ["b", "2.0", '["y", "z"]'])


def test_a_matrix_of_users_and_items_tells_where_items_begin(tmp_path) -> None:
    taken = sparse.csr_matrix(np.array([[1, 0, 1], [0, 1, 0]]))
    sparse.save_npz(tmp_path / "a.npz", sparse.bmat([[None, taken], [taken.T, None]], format="csr"))
    assert look.at(tmp_path / "a.npz", "a.npz").window == (2, 2, 5)


def test_of_a_large_file_head_middle_and_tail_are_read(tmp_path) -> None:
    rows = "n,text\n" + "".join(f"{n},{'x' * 20}\n" for n in range(20_000))
    for name, content in (("a.csv", rows.encode()), ("a.csv.gz", gzip.compress(rows.encode()))):
        found = at(tmp_path, name, content, most=20_000)
        numbers = [int(record[0]) for record in found.records]
        assert numbers == sorted(numbers)
        assert (numbers[0], numbers[-1], found.whole) == (0, 19_999, False)
        assert any(8_000 < n < 17_000 for n in numbers)
        assert len(numbers) < 8_000


@pytest.mark.parametrize(
    ("name", "content"), [("a.csv", b""), ("b.zip", b"PK no"), ("c.gz", b"\x1f\x8bx"), ("d.x", b"\0\1")]
)
def test_what_cannot_be_read_is_unknown_and_says_why(tmp_path, name, content) -> None:
    found = at(tmp_path, name, content)
    assert found.format == "unknown"
    assert found.notes
