"""Faults that end the reading: each with the sentence that has to say so."""

import gzip
import io
import os
import struct
import zipfile
from collections.abc import Callable, Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import openpyxl
import pyarrow as pa

from .shop import HEADER, Content, lines, parquet, rezipped, table, workbook, zipped

GOOD = table("", {}, {})
PACKED = gzip.compress(table("", *[{}] * 500).encode())
LINE = "a1,uid-7f3a,2026-03-01,1,2,9.99,buy,"


class Stop(NamedTuple):
    """A fault, the raw file that has it, and a pattern of what is said; the file is named in it."""

    name: str
    file: str
    content: Content
    says: str
    change: Mapping[str, Any] = {}  # of the source's block
    beside: Mapping[str, Content] = {}  # further raw files


def late(made: Callable[[], bytes]) -> Content:
    """Content that is large, made when it is put there."""

    def write(path: Path) -> None:
        path.write_bytes(made())

    return write


# Archives


def encrypted() -> bytes:
    """A zip whose member is marked as encrypted, in its head and in the directory."""
    content = bytearray(zipped({"a.csv": GOOD}))
    for place in (6, content.index(b"PK\1\2") + 8):
        content[place] |= 1
    return bytes(content)


def linked() -> bytes:
    """A zip with a symbolic link to a file of the machine."""
    out, info = io.BytesIO(), zipfile.ZipInfo("a.csv")
    info.external_attr = 0o120777 << 16
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr(info, "/etc/passwd")
    return out.getvalue()


def twice() -> bytes:
    """A zip with two members of one name."""
    return zipped({"a.csv": GOOD, "b.csv": GOOD}).replace(b"b.csv", b"a.csv")


def misnamed() -> bytes:
    """A zip that says its member's name is UTF-8, which it is not."""
    content = bytearray(zipped({"ab.csv": GOOD}).replace(b"ab.csv", b"a\xff.csv"))
    for place in (7, content.index(b"PK\1\2") + 9):
        content[place] |= 8
    return bytes(content)


ARCHIVES = [
    Stop("a truncated gzip", "events/a.csv.gz", PACKED[:-400], "is cut short or damaged"),
    Stop("a gzip with a wrong check sum", "events/a.csv.gz", PACKED[:-8] + b"\0" * 8, "damaged: CRC check failed"),
    Stop("a gzip with rubbish behind it", "events/a.csv.gz", PACKED + b"rubbish", "is cut short or damaged"),
    Stop("a truncated zip", "events/a.zip", zipped({"a.csv": GOOD})[:-30], "is cut short or damaged"),
    Stop("a zip with changed bytes", "events/a.zip",
         zipped({"a.csv": GOOD}, zipfile.ZIP_STORED).replace(b"9.99", b"0.99"),
         "damaged: Bad CRC-32"),
    Stop("a gzip bomb", "events/a.csv.gz", late(lambda: gzip.compress(bytes(101 * 2**20))),
         "unpacks to more than .* bytes"),
    Stop("a zip bomb", "events/a.zip", late(lambda: zipped({"a.csv": b"\n" * 101 * 2**20})),
         "unpacks to more than .* bytes"),
    Stop("a zip in a zip", "events/a.zip", zipped({"a.zip": zipped({"a.csv": GOOD})}), "archive within an archive"),
    Stop("a gzip in a gzip", "events/a.csv.gz", gzip.compress(PACKED), "archive within an archive"),
    Stop("a member above its folder", "events/a.zip", zipped({"../a.csv": GOOD}), "points outside its archive"),
    Stop("a member with an absolute path", "events/a.zip", zipped({"/etc/a.csv": GOOD}), "points outside its archive"),
    Stop("a member above its folder on Windows", "events/a.zip", zipped({"b\\..\\..\\a.csv": GOOD}), "points outside"),
    Stop("an encrypted zip", "events/a.zip", encrypted(), "is encrypted"),
    Stop("a link in a zip", "events/a.zip", linked(), "is a link, not a file"),
    Stop("two members of one name", "events/a.zip", twice(), "two members of one name: a.csv"),
    Stop("a member whose name is no text", "events/a.zip", misnamed(), "the name of a member is not UTF-8"),
    Stop("a member with a terminal's codes in its name", "events/a.zip", zipped({"\x1b[2J.csv": GOOD, "b.csv": GOOD}),
         "holds control characters"),
    Stop("a zip of nothing", "events/a.zip", zipped({}), "has no file that matches"),
    Stop("bytes of xz", "events/a.csv", b"\xfd7zXZ\0" + bytes(20), "is compressed as xz"),
]  # fmt: skip


# Files and folders


def pipe(path: Path) -> None:
    """A named pipe, at which a reader would wait for ever."""
    os.mkfifo(path)


FILES = [
    Stop("a link out of the folder", "events/a.csv", lambda path: path.symlink_to("/etc/hostname"), "link to outside"),
    Stop("a linked folder", "events/a.csv", lambda path: path.symlink_to("/etc"), "is a link to outside the folder"),
    Stop("a link to itself", "events/a.csv", lambda path: path.symlink_to("a.csv"), "is a link that leads nowhere"),
    Stop("a folder named like a file", "events/a.csv", lambda path: path.mkdir(), "has no file that matches"),
    Stop("a pipe named like a file", "events/a.csv", pipe, "has no file that matches"),
    Stop("no file at all", "events/.hidden.csv", GOOD, "has no file that matches `events/"),
    Stop("an empty file", "events/a.csv", "", "is empty: it has no header"),
    Stop("a file of blank lines", "events/a.csv", "\n\r\n\n", "is empty: it has no header"),
    Stop("a name that is not UTF-8", "events/caf\udce9.csv", GOOD, r"not UTF-8 .*caf\\udce9"),
    Stop("a name of two lines", "events/a\nb.csv", GOOD, r"control characters: .*a\\nb"),
]  # fmt: skip


# Text


TEXT = [
    Stop("another encoding than declared", "events/a.csv", GOOD + LINE + "岁\n", r"is not gbk: byte \d+ cannot be read",
         {"encoding": "gbk"}),
    Stop("letters beyond ASCII where that is declared", "events/a.csv", GOOD + LINE + "é\n", "is not ascii: byte",
         {"encoding": "ascii"}),
    Stop("two encodings in one file", "events/a.csv",
         (GOOD + LINE + "岁月静好\n").encode() + (LINE + "岁月静好\n").encode("gbk"),
         "in none of the encodings tried: utf-8 .*, gb18030"),
    Stop("UTF-16 without its mark", "events/a.csv", GOOD.encode("utf-16-le"), "holds NUL characters; .*`encoding`"),
    Stop("half of a UTF-16 character", "events/a.csv", GOOD.encode("utf-16")[:-1], "is not utf-16: byte"),
    Stop("JSON that is not UTF-8", "events/a.jsonl", lines("", {}).encode() + b'{"note": "\xff"}\n',
         "none of the encodings"),
    Stop("a quote that never ends", "events/a.csv", GOOD + LINE + '"x\n', "cannot be read as CSV: .* in line 4"),
    Stop("a quote that never ends, far behind", "events/a.csv", table("", *[{}] * 70_000) + LINE + '"x\n',
         "cannot be read as CSV: .* in line 70002"),
    Stop("text behind a closed quote", "events/a.csv", GOOD + LINE + '"x"y\n', "cannot be read as CSV: .* in line 4"),
    Stop("a gigantic field", "events/a.csv", GOOD + LINE + "x" * 2**25, "has a line of more than 16,777,216 bytes"),
    Stop("a gigantic field in quotes", "events/a.csv", GOOD + LINE + '"' + "x\n" * 11 * 2**20,
         "cannot be read as CSV: field larger"),
    Stop("ten thousand columns", "events/a.csv", HEADER[:-1] + "".join(f",c{n}" for n in range(10_000)) + "\n",
         "has 10,008 columns, more than the 2,000"),
    Stop("a column twice", "events/a.csv", GOOD.replace("note", "item", 1),
         "columns `item`, `item` have the same name"),
    Stop("a column twice but for capitals", "events/a.csv", GOOD.replace("note", "Item", 1),
         "`item`, `Item` have the same"),
    Stop("no header", "events/a.csv", GOOD.partition("\n")[2], "names none of the columns .* has it a header"),
    Stop("a column that the source names and the file lacks", "events/a.csv", GOOD.replace("price", "cost", 1),
         "has no column `price`"),
    Stop("another delimiter", "events/a.csv", table("", {}, delimiter=";"), "names none of the columns"),
    Stop("a header of its own in a later file", "events/a.csv", GOOD, "another header than the events files before",
         beside={"events/b.csv": GOOD.replace("note", "remark", 1)}),
    Stop("a typed header without types", "events/a.inter", table("", {}, delimiter="\t"), "needs `name:type`"),
    Stop("NULs in sequences", "events/a.seq", "uid-1 a1\0\n", "holds NUL characters"),
]  # fmt: skip


# JSON


JSON = [
    Stop("a cut list", "events/a.json", f"[{lines('', {})}", "cannot be read as JSON: it ends too early"),
    Stop("a comma too many", "events/a.json", f"[{lines('', {})},]", "cannot be read as JSON"),
    Stop("two lists", "events/a.json", f"[{lines('', {})}][]", "cannot be read as JSON: more than one value"),
    Stop("lists in lists without end", "events/a.json", "[" * 200_000, "cannot be read as JSON: nested too deeply"),
    Stop("one object where a list is meant", "events/a.json", lines("", {}), "its objects have none of the keys"),
    Stop("no object at all", "events/a.jsonl", "[]\n1\n", "holds no JSON object"),
    Stop("one number", "events/a.json", "1", "holds no JSON object"),
]


# Workbooks


def _empty_workbook() -> bytes:
    out = io.BytesIO()
    openpyxl.Workbook().save(out)
    return out.getvalue()


def locked() -> bytes:
    """What Excel writes for a workbook with a password: an OLE file with a stream `EncryptedPackage`."""
    free, end, fat = 0xFFFFFFFF, 0xFFFFFFFE, 0xFFFFFFFD
    head = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(16) + struct.pack("<HHHHH6x", 0x3E, 3, 0xFFFE, 9, 6)
    head += struct.pack("<IIIIIIIII", 0, 1, 1, 0, 0x1000, end, 0, end, 0) + struct.pack("<109I", 0, *[free] * 108)
    table = struct.pack("<128I", fat, end, end, *[free] * 125)

    def entry(name: str, kind: int, child: int, start: int, size: int) -> bytes:
        text = name.encode("utf-16-le")
        tail = struct.pack("<HBBIII36xIQ", len(text) + 2, kind, 1, free, free, child, start, size)
        return text.ljust(64, b"\0") + tail

    folder = entry("Root Entry", 5, 1, end, 0) + entry("EncryptedPackage", 2, free, 2, 4096) + bytes(256)
    return head.ljust(512, b"\0") + table + folder.ljust(512, b"\0") + bytes(4096)


def laughing(sheet: bytes) -> bytes:
    """A sheet with entities of entities, 10^8 letters in all."""
    names = "abcdefgh"
    said = '<!ENTITY a "ha">' + "".join(f'<!ENTITY {name} "{f"&{before};" * 10}">' for before, name in pairwise(names))
    sheet = sheet.replace(b"<worksheet", f"<!DOCTYPE x [{said}]><worksheet".encode(), 1)
    return sheet.replace(b"<v>2</v>", b"<v>&h;</v>", 1)


SHEET = "/".join(("xl", "worksheets", "sheet1.xml"))
WORKBOOKS = [
    Stop("an empty workbook", "events/a.xlsx", _empty_workbook(), "is empty: it has no header"),
    Stop("a sheet that is not there", "events/a.xlsx", workbook("", {}), "has no sheet `Orders`; it has Sheet",
         {"sheet": "Orders"}),
    Stop("a workbook with a password", "events/a.xlsx", locked(), "(?i)password"),
    Stop("rubbish named .xls", "events/a.xlsx", b"\xd0\xcf\x11\xe0" + bytes(4000),
         "cannot be read as an Excel workbook"),
    Stop("CSV named .xlsx", "events/a.xlsx", GOOD, "cannot be read as an Excel workbook"),
    Stop("a workbook named .csv", "events/a.csv", workbook("", {}), "in none of the encodings tried"),
    Stop("entities of entities", "events/a.xlsx", rezipped(workbook("", {"pieces": 2}), {SHEET: laughing}),
         "cannot be read as an Excel workbook: .*entit"),
    Stop("a sheet that is a bomb", "events/a.xlsx",
         late(lambda: rezipped(workbook("", {}), {SHEET: lambda sheet: sheet + b" " * 101 * 2**20})),
         "sheet1.xml unpacks to"),
    Stop("a cut sheet", "events/a.xlsx", rezipped(workbook("", {}), {SHEET: lambda sheet: sheet[:-40]}),
         "cannot be read as an Excel workbook"),
]  # fmt: skip


# Parquet and matrices


def _bad_text() -> pa.Array:
    """A text whose bytes are not UTF-8, which Parquet does not check."""
    return pa.Array.from_buffers(
        pa.string(), 1, [None, pa.py_buffer(struct.pack("<ii", 0, 3)), pa.py_buffer(b"a\xff\xfe")]
    )


class Pickled:
    """Unpickled, it would make a file."""

    def __reduce__(self) -> tuple[Any, ...]:
        return (Path.touch, (Path("executed"),))


def npz(**arrays: Any) -> bytes:
    """A sparse matrix of SciPy, some of its arrays replaced."""
    sound = {"format": "csr", "shape": [2, 2], "indptr": [0, 1, 2], "indices": [0, 1], "data": [1, 1]}
    out = io.BytesIO()
    np.savez(out, **{name: np.array(values) for name, values in {**sound, **arrays}.items()})
    return out.getvalue()


TYPED = [
    Stop("Parquet with wrong last bytes", "events/a.parquet", parquet("", {})[:-4] + b"XXXX", "magic bytes not found"),
    Stop("Parquet without its end", "events/a.parquet", parquet("", {})[:-100], "cannot be read: .*Parquet"),
    Stop("CSV named .parquet", "events/a.parquet", GOOD, "cannot be read: .*Parquet"),
    Stop("Parquet with texts that are not UTF-8", "events/a.parquet", parquet("", {}, item=_bad_text()),
         "values of column `item` .* cannot be read as text"),
    Stop("Parquet with a dictionary of bytes", "events/a.parquet",
         parquet("", {}, item=pa.array([b"\xff"]).dictionary_encode()), "column `item` .* cannot be read as text"),
    Stop("a matrix with pickled objects", "events/a.npz", npz(data=[Pickled(), Pickled()]),
         "Python objects, which are not"),
    Stop("a matrix of another shape", "events/a.npz", npz(shape=[5, 2]), "its arrays do not fit one another"),
    Stop("a number outside the matrix", "events/a.npz", npz(indices=[0, 7]), "lies outside its shape"),
    Stop("arrays that are no sparse matrix", "events/a.npz", npz(format="dense"), "no sparse matrix of a format"),
]  # fmt: skip

STOPS = [*ARCHIVES, *FILES, *TEXT, *JSON, *WORKBOOKS, *TYPED]
