"""Sound files of every format with bytes changed, cut out or put in: rows or one sentence, never a traceback."""

import gzip
import io
import json
import random
import zipfile

import numpy as np
import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import scipy.sparse

from tandem.errors import SourceError

COLUMN = {"product_id": "column"}
OBJECTS = [{"id": n, "n": f'x"{n}', "l": [n, None]} for n in range(40)]
LINES = "\n".join(map(json.dumps, OBJECTS))
CSV = "id,n\n" + "".join(f'{n},"a ""{n}"", 岁\n"\n' for n in range(60))


def book() -> bytes:
    made, out = openpyxl.Workbook(), io.BytesIO()
    for line in [["id", "n"], *([n, f"x{n}"] for n in range(20))]:
        made.active.append(line)
    made.save(out)
    return out.getvalue()


def parquet() -> bytes:
    out = io.BytesIO()
    pq.write_table(
        pa.table({"id": range(500), "n": [f"x{n % 7}" for n in range(500)], "t": [[n] for n in range(500)]}), out
    )
    return out.getvalue()


def npz() -> bytes:
    out = io.BytesIO()
    scipy.sparse.save_npz(out, scipy.sparse.random(30, 30, 0.1, "csr", rng=np.random.default_rng(1)))
    return out.getvalue()


def zipped() -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("p.csv", CSV)
    return out.getvalue()


SOUND = {
    "csv": (CSV.encode(), {"format": "csv"}),
    "gbk": (CSV.encode("gbk"), {"format": "csv"}),
    "utf16": (CSV.encode("utf-16"), {"format": "csv"}),
    "gzip": (gzip.compress(CSV.encode()), {"format": "csv"}),
    "zip": (zipped(), {"format": "csv"}),
    "jsonl": (LINES.encode(), {"format": "jsonl"}),
    "json": (json.dumps(OBJECTS).encode(), {"format": "json"}),
    "excel": (book(), {"format": "excel"}),
    "parquet": (parquet(), {"format": "parquet"}),
    "npz": (npz(), {"format": "matrix", "columns": COLUMN}),
    "sequences": (b"1 2 3\n4 5\n", {"format": "sequences", "columns": {"product_id": "item"}}),
    "matrix": (b"0 1 2\n1 0 0\n", {"format": "matrix", "columns": COLUMN}),
}


def harmed(content: bytes, rng: random.Random) -> bytes:
    """The content with one to three faults."""
    for _ in range(rng.randint(1, 3)):
        at, size = rng.randrange(len(content) + 1), rng.choice([1, 2, 8, 60])
        put = rng.choice([rng.randbytes(size), b"\0" * size, b'"', b"", b"\xff", content[:size]])
        keep = rng.choice([at, at + size, at + size, len(content)])
        content = content[:at] + put + content[keep:]
    return content


@pytest.mark.parametrize("format", SOUND)
def test_a_harmed_file_gives_rows_or_one_sentence(ask, format) -> None:
    content, changes = SOUND[format]
    assert ask("p.file", content, **changes)
    rng, said = random.Random(format), []
    for _ in range(60):
        try:
            ask("p.file", harmed(content, rng), **changes)
        except SourceError as error:
            said.append(str(error))
    assert said or format in ("sequences", "matrix", "jsonl")
    assert all("p.file" in sentence and "\n" not in sentence for sentence in said)
