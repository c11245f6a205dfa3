"""Shapes of raw records: what comes beside, behind and out of a record, worked by hand."""

import json
from collections import Counter
from collections.abc import Iterator
from itertools import permutations
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tandem.data.batches import Batch, Export
from tandem.data.blocks import Events
from tandem.data.shapes import steps
from tandem.data.shapes.others import Other
from tandem.errors import SourceError

EXPORT = Export("main.csv", Path("main.csv"))
Row = dict[str, str | None] | str
"""Cells by column, or the problem of a row that has none."""


def block(**shape: Any) -> Events:
    """A block of events with `item` and `when` and a shape."""
    given = {"files": "main.csv", "format": "csv", "columns": {"product_id": "item", "time": "when"}, "kind": "view"}
    return Events.model_validate(given | shape)


def batches(header: list[str], rows: list[Row], size: int = 2) -> Iterator[Batch]:
    """The rows in batches of `size`; problems are there only where a batch has one."""
    for begin in range(0, len(rows), size):
        piece = rows[begin : begin + size]
        cells = [pa.array([r.get(c) if isinstance(r, dict) else None for r in piece], pa.string()) for c in header]
        problems = [r if isinstance(r, str) else None for r in piece]
        yield Batch(
            pa.RecordBatch.from_arrays(cells, names=header), pa.array(problems, pa.string()) if any(problems) else None
        )


def shaped(of: Events, rows: list[Row], others: dict[str, list[Row]] | None = None, size: int = 2) -> list[Row]:
    """The rows in their shape; checks that they have the columns that were foretold."""

    def header(found: list[Row]) -> list[str]:
        return list(dict.fromkeys(name for row in found if isinstance(row, dict) for name in row))

    def open_other(pattern: str, named: tuple[str, ...]) -> Other:
        found = (others or {})[pattern]
        return Other(pattern, header(found), batches(header(found), found, size + 1))

    out = []
    for batch in steps.apply(batches(header(rows), rows, size), of, EXPORT, open_other, Counter()):
        assert batch.cells.schema.names == steps.columns(header(rows), of, open_other)
        assert all(field.type == pa.string() for field in batch.cells.schema)
        problems = [None] * batch.cells.num_rows if batch.problems is None else batch.problems.to_pylist()
        out += [p or cells for p, cells in zip(problems, batch.cells.to_pylist(), strict=True)]
    return out


def test_without_a_shape_records_stay_as_they_are() -> None:
    rows: list[Row] = [{"item": "a", "when": "1"}, "3 cells where the header has 2", {"item": None, "when": " "}]
    assert shaped(block(), rows) == rows


def test_a_row_and_a_file_are_told_where_the_block_names_them() -> None:
    of = block(columns={"product_id": "item", "time": {"ordinal": "@row", "start": "2000-01-01", "step_minutes": 1}})
    rows: list[Row] = [{"item": "a"}, {"item": "b"}, "broken", {"item": "c"}]
    assert shaped(of, rows) == [
        {"item": "a", "@row": "0"},
        {"item": "b", "@row": "1"},
        "broken",
        {"item": "c", "@row": "3"},
    ]
    named = block(rules=[{"name": "old", "where": {"@file": "^old"}, "refuse": "old"}])
    assert shaped(named, [{"item": "a", "when": "1"}]) == [{"item": "a", "when": "1", "@file": "main.csv"}]


def test_files_beside_one_another_give_one_row_for_each_line() -> None:
    of = block(beside=["texts.csv"])
    rows: list[Row] = [{"item": str(n), "when": "1"} for n in range(5)]
    texts: list[Row] = [{"text": f"t{n}"} for n in range(5)]
    wanted = [{"item": str(n), "when": "1", "text": f"t{n}"} for n in range(5)]
    assert shaped(of, rows, {"texts.csv": texts}) == wanted
    texts[3] = "2 cells where the header has 1"
    assert shaped(of, rows, {"texts.csv": texts})[3] == "texts.csv: 2 cells where the header has 1"


@pytest.mark.parametrize(("mine", "theirs"), [(3, 4), (4, 3), (1, 0), (2, 6), (4, 8)])
def test_files_beside_one_another_have_equal_numbers_of_records(mine: int, theirs: int) -> None:
    rows: list[Row] = [{"item": "a", "when": "1"}] * mine
    texts: list[Row] = [{"text": "t"}] * theirs
    with pytest.raises(SourceError, match=f"ends after {min(mine, theirs)} records.*not aligned"):
        shaped(block(beside=["texts.csv"]), rows, {"texts.csv": texts})


def test_a_joined_file_is_looked_up_by_its_key() -> None:
    rows: list[Row] = [
        {"item": "a", "order": " 2 "},
        {"item": "b", "order": "9"},
        "broken",
        {"item": "c", "order": None},
    ]
    orders: list[Row] = [{"order": "1", "when": "x"}, {"order": "2", "when": "y"}]
    assert shaped(block(join={"files": "orders.csv", "by": "order"}), rows, {"orders.csv": orders}) == [
        {"item": "a", "order": " 2 ", "when": "y"},
        {"item": "b", "order": "9", "when": None},
        "broken",
        {"item": "c", "order": None, "when": None},
    ]


def test_a_key_that_stands_twice_in_a_joined_file_stops() -> None:
    orders: list[Row] = [{"order": "1", "when": "x"}, {"order": "1 ", "when": "y"}]
    with pytest.raises(SourceError, match=r"orders.csv has the same `order` in records 1 and 2: "):
        shaped(
            block(join={"files": "orders.csv", "by": "order"}), [{"item": "a", "order": "1"}], {"orders.csv": orders}
        )


def test_a_broken_row_of_a_joined_file_stops() -> None:
    orders: list[Row] = [{"order": "1", "when": "x"}] + [{"order": str(n), "when": "x"} for n in range(2, 6)] + ["bad"]
    with pytest.raises(SourceError, match=r"orders.csv, which is looked up by `order`: row 6: bad"):
        shaped(
            block(join={"files": "orders.csv", "by": "order"}), [{"item": "a", "order": "1"}], {"orders.csv": orders}
        )


def test_several_files_are_joined_one_after_the_other() -> None:
    joins = [{"files": "aisles", "by": "aisle"}, {"files": "halls", "by": "hall"}]
    others: dict[str, list[Row]] = {"aisles": [{"aisle": "1", "hall": "h"}], "halls": [{"hall": "h", "when": "x"}]}
    assert shaped(block(join=joins), [{"item": "a", "aisle": "1"}], others) == [
        {"item": "a", "aisle": "1", "hall": "h", "when": "x"}
    ]


def test_lists_of_texts_are_put_together() -> None:
    cells = ['["one", "two \\"three\\""]', "plain [text]", "[]", None, "['only']"]
    rows: list[Row] = [{"item": str(n), "when": cell} for n, cell in enumerate(cells)]
    texts = ['one two "three"', "plain [text]", None, None, "only"]
    assert shaped(block(glue=["when"]), rows) == [{"item": str(n), "when": text} for n, text in enumerate(texts)]


def test_a_part_is_what_the_group_finds() -> None:
    of = block(parts={"price": {"of": "tag", "match": r"^\$([0-9.]+)$"}, "level": {"of": "item", "match": "^(..)"}})
    rows: list[Row] = [{"item": "012", "when": "", "tag": "$1.50"}, {"item": "0", "when": "", "tag": "<b>$2</b>\nx"}]
    assert shaped(of, rows) == [
        {"item": "012", "when": "", "tag": "$1.50", "price": "1.50", "level": "01"},
        {"item": "0", "when": "", "tag": "<b>$2</b>\nx", "price": None, "level": None},
    ]


def test_only_records_that_match_are_of_the_block() -> None:
    rows: list[Row] = [{"item": "a", "when": "1", "what": w} for w in ("price", " category ", None)] + ["broken"]
    found = shaped(block(only={"what": "^category$"}), rows)
    assert found == [{"item": "a", "when": "1", "what": " category "}, "broken"]


def test_a_list_gives_a_row_for_each_element() -> None:
    cells = ['["b", "c"]', "['d']", "[1, 2.50, true, null]", "[]", None, "  ", '[["e", 7]]', "(1, 'f')"]
    rows: list[Row] = [{"item": cell, "when": str(n)} for n, cell in enumerate(cells)]
    texts = [["b", "c"], ["d"], ["1", "2.50", "true", None], [], [], [], ['["e", "7"]'], ["1", "f"]]
    wanted = [{"item": text, "when": str(n)} for n, found in enumerate(texts) for text in found]
    assert shaped(block(explode=["item"]), rows) == wanted


@pytest.mark.parametrize(
    "cell", ["a b", "{'a': 1}", '{"a": 1}', "7", "[1,", "[" * 5000, "__import__('os')", '["\\ud800"]']
)
def test_what_is_no_list_becomes_one_row_with_a_problem(cell: str) -> None:
    rows: list[Row] = [{"item": cell, "when": "1"}, {"item": "[1]", "when": "2"}, "broken"]
    problem = "`item` cannot be read as a list"
    assert shaped(block(explode=["item"]), rows) == [problem, {"item": "1", "when": "2"}, "broken"]


def test_lists_in_lists_are_exploded_level_by_level() -> None:
    of = block(
        explode=["item", "item"],
        columns={"product_id": "item", "time": {"ordinal": "@place_1", "start": "2000-01-01", "step_minutes": 1}},
        rules=[{"name": "late", "where": {"@place_2": "^9"}, "refuse": "late"}],
    )
    assert shaped(of, [{"item": "[[5, 6], [], [7]]"}, "broken", {"item": "[[8], 9]"}]) == [
        {"item": "5", "@place_1": "0", "@place_2": "0"},
        {"item": "6", "@place_1": "0", "@place_2": "1"},
        {"item": "7", "@place_1": "2", "@place_2": "0"},
        "broken",
        {"item": "8", "@place_1": "0", "@place_2": "0"},
        "`item` cannot be read as a list",
    ]


def test_columns_that_hold_the_value_become_rows() -> None:
    of = block(unpivot={"columns": "^has_", "keep": "1"}, columns={"product_id": "@name", "time": "when"})
    rows: list[Row] = [
        {"when": "x", "has_a": "1", "has_b": "0", "has_c": " 1"},
        {"when": "y", "has_a": None, "has_b": "0", "has_c": ""},
        "broken",
        {"when": "z", "has_a": "0", "has_b": "1", "has_c": "11"},
    ]
    assert shaped(of, rows) == [
        {"when": "x", "@name": "has_a"},
        {"when": "x", "@name": "has_c"},
        "broken",
        {"when": "z", "@name": "has_b"},
    ]


def test_lists_in_several_columns_become_rows_with_the_column_as_name() -> None:
    of = block(
        unpivot={"columns": "^also_"},
        explode=["@value"],
        columns={"product_id": "@value", "time": "when"},
        kind={"column": "@name", "values": {"also_buy": "purchase", "also_view": "view"}},
    )
    rows: list[Row] = [
        {"when": "x", "also_buy": "[1, 2]", "also_view": "[3]"},
        {"when": "y", "also_buy": "", "also_view": "[]"},
    ]
    assert shaped(of, rows) == [
        {"when": "x", "@name": "also_buy", "@value": "1"},
        {"when": "x", "@name": "also_buy", "@value": "2"},
        {"when": "x", "@name": "also_view", "@value": "3"},
    ]


HELD = [("1", "a"), ("1", "b"), ("2", "a"), ("2", "a"), ("3", "b"), ("3", "b"), ("4", "a"), ("4", "b"), ("5", "a")]
"""Months and what is held in them."""


def test_what_goes_on_from_period_to_period_starts_once() -> None:
    of = block(starts={"by": ["item"], "over": "when"})
    rows: list[Row] = [*({"item": item, "when": month} for month, item in HELD), "broken"]
    started = [("1", "a"), ("1", "b"), ("3", "b"), ("3", "b"), ("4", "a")]  # a row that stands twice does so twice
    assert shaped(of, rows) == [*({"item": item, "when": month} for month, item in started), "broken"]


def test_periods_out_of_order_stop() -> None:
    rows: list[Row] = [{"item": "a", "when": month} for month in "121"]
    with pytest.raises(
        SourceError, match=r"main.csv is not in the order of `when`: what record 3 holds stands further up"
    ):
        shaped(block(starts={"by": ["item"], "over": "when"}), rows)


def test_values_that_share_a_key_become_pairs_in_both_directions() -> None:
    of = block(pairs={"by": "bundle", "of": "item"}, columns={"product_id": "@first", "time": "@second"})
    rows: list[Row] = [
        {"bundle": "1", "item": "a"},
        {"bundle": "2", "item": "a"},
        "broken",
        {"bundle": "1", "item": "b"},
        {"bundle": "1", "item": "a"},
        {"bundle": None, "item": "c"},
        {"bundle": "1", "item": "c"},
    ]
    pairs = [{"@first": a, "@second": b} for a, b in permutations("abc", 2)]
    assert shaped(of, rows) == ["broken", *pairs]


def test_of_distinct_columns_the_first_record_counts() -> None:
    rows: list[Row] = [
        {"item": i, "when": w, "who": n} for n, (i, w) in zip("1234", ["ax", "bx", "ax", "ay"], strict=True)
    ]
    found = shaped(block(distinct=["when", "item"]), [*rows, "broken", "broken"])
    assert found == [
        {"when": "x", "item": "a"},
        {"when": "x", "item": "b"},
        {"when": "y", "item": "a"},
        "broken",
        "broken",
    ]


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        ({"explode": ["list"]}, "`explode` needs the column `list`, which is none of the 2 that are there$"),
        ({"unpivot": {"columns": "^ind_"}}, "none of the 2 columns matches `unpivot` `\\^ind_`$"),
        ({"pairs": {"by": "bundle", "of": "item"}}, "`pairs` needs the column `bundle`"),
        ({"join": {"files": "other", "by": "key"}}, "`join` needs the column `key`"),
        ({"join": {"files": "other", "by": "when"}}, "`join` of `other` needs the column `when`"),
        ({"parts": {"item": {"of": "when", "match": "(.)"}}}, "makes a column `item`, which is there already"),
        ({"beside": ["same"]}, "makes a column `item`, which is there already; the file has 2 columns$"),
        ({"beside": ["bare"]}, "makes a column with the name of column 3, which is there already; the file has 2 "),
        ({"distinct": ["item", "colour"]}, "`distinct` needs the column `colour`"),
        ({"starts": {"by": ["item"], "over": "month"}}, "`starts` needs the column `month`"),
        ({"glue": ["text"]}, "`glue` needs the column `text`"),
        ({"only": {"what": "^x"}}, "`only` needs the column `what`"),
    ],
)
def test_a_shape_that_does_not_fit_the_file_says_so(shape: dict[str, Any], message: str) -> None:
    headers = {"other": ["x"], "same": ["item"], "bare": ["ann@example.com", "ann@example.com"]}
    others = {name: Other(name, header, iter(())) for name, header in headers.items()}
    with pytest.raises(SourceError, match=message):
        steps.columns(["item", "when"], block(**shape), lambda pattern, _: others[pattern])


@pytest.mark.parametrize(
    ("shape", "rows", "expected"),
    [
        ({"explode": ["item"]}, ["[1, 2]", "[]", None, " ", "no list", "[[]]"], {"explode": 3}),
        ({"explode": ["item", "item"]}, ["[[1], [], []]", "[]"], {"explode": 3}),
        ({"unpivot": {"columns": "^item$", "keep": "1"}}, ["1", "0", None], {"unpivot": 2}),
        ({"pairs": {"by": "when", "of": "item"}}, ["a", "b", "a", None], {"pairs": 1}),
        ({"pairs": {"by": "when", "of": "item"}}, ["a", "a"], {"pairs": 2}),
        ({"pairs": {"by": "item", "of": "when"}}, ["a", "b", None], {"pairs": 3}),
    ],
)
def test_records_that_give_no_row_are_counted(
    shape: dict[str, Any], rows: list[str | None], expected: dict[str, int]
) -> None:
    """A record with a problem gives one."""
    records: list[Row] = [*({"item": item, "when": "x"} for item in rows), "broken"]
    left_out: Counter[str] = Counter()
    list(steps.apply(batches(["item", "when"], records), block(**shape), EXPORT, _nothing, left_out))
    assert left_out == expected


def _nothing(pattern: str, _: tuple[str, ...]) -> Other:
    raise AssertionError(pattern)


CELLS = st.one_of(st.none(), st.lists(st.one_of(st.none(), st.text(max_size=3)), max_size=4).map(json.dumps))


@given(st.lists(st.one_of(CELLS, st.just("{")), max_size=12), st.integers(1, 5), st.integers(1, 5))
def test_the_rows_do_not_depend_on_how_the_file_is_cut(cells: list[str | None], one: int, other: int) -> None:
    of = block(unpivot={"columns": "^[ab]$"}, explode=["@value"], columns={"product_id": "@value", "time": "when"})
    rows: list[Row] = [{"when": str(n), "a": cell, "b": "[1]"} for n, cell in enumerate(cells)]
    assert shaped(of, rows, size=one) == shaped(of, rows, size=other)
