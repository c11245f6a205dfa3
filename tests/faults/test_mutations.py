"""Sound files harmed at random: the account of every file holds, or one sentence says why none is made."""

import random
import re
import shutil
from collections.abc import Collection
from pathlib import Path

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from tandem.data import schema
from tandem.errors import TandemError

from . import shop
from .shop import HEADER, Result, lines, table

NOTES = ('a, "b"', "line\nend", "岁月", "=1+1", "")


def changes(file: str, notes: tuple[str, ...] = NOTES) -> list[dict[str, str]]:
    """What tells the rows of a file from each other: every user comes once in all files."""
    return [
        {"customer": f"uid-{file}{n}x", "order": f"{file}{n}", "when": f"2026-03-{n % 28 + 1:02} 12:0{n % 10}",
         "price": f"{n + 1}.50", "note": notes[n % len(notes)]}
        for n in range(24)
    ]  # fmt: skip


NAMES = HEADER.strip().split(",")
SOUND = {
    "events/a.csv": table("", *changes("a")),
    "events/b.csv": table("", *changes("b")),
    "events/c.jsonl": lines("", *changes("c")),
    "events/d.inter": "\t".join(f"{name}:token" for name in NAMES)
    + table("", *changes("d", ("岁月",)), delimiter="\t").removeprefix("\t".join(NAMES)),
    "events/e.seq": "".join(f"uid-e{n}x a1 b2{' a1' * (n % 3)}\n" for n in range(12)),
}
PUT = [b'"', b'""', b"\n", b"\r", b",", b"\t", b"\0", b"\xff", b"\xef\xbb\xbf", b"'", b"\\", b"{", b"]", b"1e999",
       b"\xa0", "岁".encode("gbk"), "é".encode("latin-1"), b"NaN", b"9" * 400, b"  "]  # fmt: skip


def harmed(content: bytes, how: str, rng: random.Random) -> bytes:
    """The content with one fault of this kind."""
    parts = content.split(b"\n")
    row, other = (rng.randrange(len(parts)) for _ in range(2))
    at, size = rng.randrange(len(content)), rng.choice([1, 2, 9, 80])
    match how:
        case "flip":
            return content[:at] + bytes([content[at] ^ 1 << rng.randrange(8)]) + content[at + 1 :]
        case "put":
            return content[:at] + rng.choice(PUT) + content[at:]
        case "cut":
            return content[:at] + content[at + size :]
        case "end":
            return content[:at]
        case "line":
            parts[row] = parts[row][: rng.randrange(len(parts[row]) + 1)]
        case "swap":
            cells = parts[row].split(b",")
            rng.shuffle(cells)
            parts[row] = b",".join(cells)
        case "move":
            parts[row], parts[other] = parts[other], parts[row]
        case "encode":
            parts[row] = (
                parts[row].decode("utf-8", "replace").encode(rng.choice(["gbk", "latin-1", "utf-16"]), "replace")
            )
    return b"\n".join(parts)


HOW = ["flip", "put", "cut", "end", "line", "swap", "move", "encode"]
PLANS = st.dictionaries(
    st.sampled_from(list(SOUND)), st.lists(st.sampled_from(HOW), min_size=1, max_size=3), min_size=1, max_size=3
)


def unharmed(contents: dict[str, bytes]) -> set[str]:
    """Users of lines that stand as they did; in others an id may be where a product should: nobody can tell."""
    still = {line for content in contents.values() for line in content.split(b"\n")}
    sound = {line for content in SOUND.values() for line in content.split("\n") if line.encode() in still}
    return {user for line in sound for user in users(line)}


def users(text: str) -> set[str]:
    """Raw ids of users in the text."""
    return set(re.findall(r"uid-\w+x", text))


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("harmed")


@pytest.mark.slow
def outcome(folder: Path, contents: dict[str, bytes]) -> Result | str:
    """What becomes of the files, or the sentence that says why nothing does; any other exception goes through."""
    try:
        return shop.make(folder, contents)
    except TandemError as error:
        return str(error)


@pytest.mark.slow
@settings(max_examples=40, derandomize=True, phases=[Phase.explicit, Phase.generate])
@given(plan=PLANS, seed=st.integers(0, 2**32))
def test_whatever_is_harmed_the_account_holds_or_one_sentence_says_why(plan, seed, folder) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    rng, contents = random.Random(seed), {name: SOUND[name].encode() for name in {*plan, "events/b.csv"}}
    for name, faults in plan.items():
        for how in faults:
            contents[name] = harmed(contents[name] or b"\n", how, rng)
    found = outcome(folder, contents)
    if isinstance(found, str):
        assert any(name in found for name in plan)
        assert unharmed(contents) & users(found) == set()
    else:
        check(found, contents, plan)


def check(found: Result, contents: dict[str, bytes], plan: Collection[str]) -> None:
    """The account holds, every table has its schema, sound files are kept whole, no user id is told."""
    accounts = found.report["files"]
    assert all(a["rows"] == a["kept"] + a["duplicates"] + a["refused"] for a in accounts)
    rows = {name: found.rows(name) for name in schema.TABLES}
    assert len(rows["events"]) == sum(a["kept"] for a in accounts if a["table"] == "events")
    assert len(rows["refused"]) == sum(a["refused"] for a in accounts)
    assert all(a["kept"] == a["rows"] for a in accounts if a["file"] not in plan)
    written = found.written("canonical") + found.written("parts") + found.log
    assert unharmed(contents) & users(written) == set()
