import gzip
import io
import json
import random
import sqlite3
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tandem.privacy.traces import Search, is_unmistakable

PSEUDONYM = "b0344c61d8db38535ca8afceaf0bf12b"
OTHER = "0123456789abcdef0123456789abcdef"
RAW = "customer-4711"


def csv(path: Path, person: str) -> None:
    path.write_text(f"user,item\n{person},a\n")


def packed(path: Path, person: str) -> None:
    path.write_bytes(gzip.compress(f"user,item\n{person},a\n".encode()))


def archive(path: Path, person: str) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as made:
        made.writestr("a.txt", "nothing")
        made.writestr("deep/b.csv.gz", gzip.compress(person.encode()))


def workbook(path: Path, person: str) -> None:
    book = openpyxl.Workbook()
    book.active.append(["user", person])
    book.save(path)


def parquet(path: Path, person: str) -> None:
    pq.write_table(pa.table({"n": [1, 2], "user": ["x", person]}), path, compression="zstd")


def dictionary(path: Path, person: str) -> None:
    pq.write_table(pa.table({"user": pa.array(["x", person] * 100).dictionary_encode()}), path)


def nested(path: Path, person: str) -> None:
    rows = [{"who": [{"id": person}], "map": [(person, b"x")]}, None]
    kind = pa.struct({"who": pa.list_(pa.struct({"id": pa.string()})), "map": pa.map_(pa.string(), pa.binary())})
    pq.write_table(pa.table({"cell": pa.array(rows, kind)}), path, compression="snappy")


def arrays(path: Path, person: str) -> None:
    with path.open("wb") as stream:
        np.savez_compressed(stream, ids=np.array(["x", person]), numbers=np.arange(10))


def one_array(path: Path, person: str) -> None:
    with path.open("wb") as stream:
        np.save(stream, np.array([person.encode()]))


def database(path: Path, person: str) -> None:
    with sqlite3.connect(path) as made:
        made.execute("CREATE TABLE t (a INTEGER, b TEXT)")
        made.execute("INSERT INTO t VALUES (1, ?)", ["x" * 5000 + f" {person} " + "y" * 5000])
    made.close()


def deleted_row(path: Path, person: str) -> None:
    """Of a row that was deleted, bytes stay in the file."""
    with sqlite3.connect(path, isolation_level=None) as made:
        made.execute("PRAGMA secure_delete = OFF")
        made.execute("CREATE TABLE t (b TEXT)")
        made.execute("INSERT INTO t VALUES (?)", [person])
        made.execute("DELETE FROM t")
    made.close()


def escaped(path: Path, person: str) -> None:
    path.write_text(json.dumps({"user": person}))


FORMS = [csv, packed, archive, workbook, parquet, dictionary, nested, arrays, one_array, database, deleted_row, escaped]


@pytest.mark.parametrize("person", [PSEUDONYM, RAW])
@pytest.mark.parametrize("write", FORMS)
def test_the_person_is_found_in_every_form_and_nobody_else(tmp_path, write: Callable, person: str) -> None:
    for name, who in (("theirs", person), ("other", OTHER)):
        write(tmp_path / name, who)
    assert Search([PSEUDONYM], RAW).in_file(tmp_path / "theirs")
    assert not Search([PSEUDONYM], RAW).in_file(tmp_path / "other")


def test_sixteen_raw_bytes_are_a_pseudonym_too(tmp_path) -> None:
    (tmp_path / "raw").write_bytes(b"\0" * 7 + bytes.fromhex(PSEUDONYM) + b"\1")
    assert Search([PSEUDONYM], RAW).in_file(tmp_path / "raw")


def test_a_trace_across_two_chunks_is_found() -> None:
    from tandem.privacy import traces

    for cut in (traces.CHUNK - 5, traces.CHUNK - 1, traces.CHUNK):
        stream = io.BytesIO(b" " * cut + RAW.encode() + b" " * 100)
        assert Search([PSEUDONYM], RAW).in_stream(stream, "a file")


def test_an_unmistakable_id_counts_as_a_whole_token_only(tmp_path) -> None:
    search = Search([PSEUDONYM], RAW)
    assert search.in_bytes(b"id=customer-4711,")
    assert search.in_bytes("客户customer-4711号".encode())
    assert not search.in_bytes(b"customer-47110 xcustomer-4711")


@pytest.mark.parametrize(("user_id", "expected"), [
    ("17850", False), ("4711", False), ("customer", False), ("a1", False), ("1234567890", False),
    ("123456789012", True), ("customer-4711", True), ("a@b", True), ("客户4711号的人", True),
])  # fmt: skip
def test_short_numbers_and_words_may_stand_anywhere_by_chance(user_id, expected) -> None:
    assert is_unmistakable(user_id) is expected


def test_a_short_id_is_not_searched_in_bytes() -> None:
    assert not Search([PSEUDONYM], "17850").in_bytes(b'{"price": 17850}')
    assert not Search([PSEUDONYM], "17850").in_bytes(random.Random(7).randbytes(1_000_000))


def test_a_broken_archive_is_searched_as_it_lies_and_named(tmp_path) -> None:
    packed(tmp_path / "cut.gz", PSEUDONYM)
    (tmp_path / "cut.gz").write_bytes((tmp_path / "cut.gz").read_bytes()[:25])
    search = Search([PSEUDONYM], RAW)
    assert not search.in_file(tmp_path / "cut.gz")
    assert search.closed == [str(tmp_path / "cut.gz")]
