"""Measures: the same counts as plain Python over the rows, whatever the rows."""

from pathlib import Path
from typing import Any

import ibis
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stages import measures
from stages.measures import PLACE, Orphans, Repeats, Rows
from tandem import files
from tandem.data import schema
from tandem.errors import TableError

LETTERS = st.sampled_from(["a", "b", "c", "d", None])


def table(**columns: list[Any]) -> Any:
    """A table in DuckDB with these columns of text, numbered."""
    arrays = {name: pa.array(values, pa.string()) for name, values in columns.items()}
    size = len(next(iter(columns.values())))
    return ibis.memtable(pa.table({**arrays, PLACE: pa.array(range(size), pa.int64())}))


@given(rows=st.lists(st.tuples(LETTERS, LETTERS), max_size=12))
@settings(max_examples=30)
def test_rows_of_a_key_that_another_row_has_are_counted_and_shown_first(rows: list[tuple]) -> None:
    tables = {"relations": table(product_id=[a for a, _ in rows], other_id=[b for _, b in rows])}
    whole = [pair for pair in rows if None not in pair]
    expected = [pair for pair in whole if whole.count(pair) > 1]
    key = Repeats(("product_id", "other_id"))
    assert measures.measure(tables, [("relations", key)]) == [len(expected)]
    first = measures.first_rows(tables, "relations", key)
    assert [(row["product_id"], row["other_id"]) for row in first] == expected[: measures.SHOWN]


@given(products=st.sets(st.sampled_from("abc")), asked=st.lists(LETTERS, max_size=12))
@settings(max_examples=30)
def test_orphans_are_exactly_the_ids_that_products_lacks(products: set[str], asked: list[str | None]) -> None:
    tables = {"products": table(product_id=sorted(products)), "events": table(product_id=asked)}
    expected = [product for product in asked if product and product not in products]
    orphans = Orphans("product_id")
    assert measures.measure(tables, [("events", orphans)]) == [len(expected)]
    first = measures.first_rows(tables, "events", orphans)
    assert [row["product_id"] for row in first] == expected[: measures.SHOWN]


def test_a_condition_that_is_null_breaks_nothing() -> None:
    tables = {"events": table(kind=["view", None, "steal", "steal"])}
    strange = Rows(lambda rows: rows.kind.notin(("view",)))
    missing = Rows(lambda rows: rows.kind.isnull())
    assert measures.measure(tables, [("events", strange), ("events", missing)]) == [2, 1]


def test_a_table_with_other_columns_is_refused(tmp_path: Path) -> None:
    for one in (*measures.SNAPSHOT, schema.REFUSED):
        content = one.arrow.empty_table()
        content = content.drop_columns("order_id") if one.name == "events" else content
        pa.parquet.write_table(content, tmp_path / f"{one.name}.parquet")
    with pytest.raises(TableError, match=r"events\.parquet is not a events table"), measures.open_tables(tmp_path, []):
        pass


def test_rows_of_a_table_in_several_files_are_numbered_through(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for one in (*measures.SNAPSHOT, schema.REFUSED):
        files.write(one.arrow.empty_table().to_pandas(), tmp_path / f"{one.name}.parquet", one)
    (tmp_path / "relations.parquet").unlink()
    for name in ("2", "1"):
        rows = pd.DataFrame({"product_id": [f"{name}a", f"{name}b"], "other_id": "x", "kind": "odd"})
        files.write(rows, tmp_path / "relations.parquet" / f"{name}.parquet", schema.RELATIONS)
    for folder in (tmp_path, Path()):  # the pipeline names its folders relatively
        with measures.open_tables(folder, []) as tables:
            assert tables["relations"].order_by(PLACE)[PLACE].to_pyarrow().to_pylist() == [0, 1, 2, 3]
            first = measures.first_rows(tables, "relations", Rows(lambda rows: rows.kind == "odd"))
        assert [row["product_id"] for row in first] == ["1a", "1b", "2a", "2b"][: measures.SHOWN]


def test_a_table_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="the stage that writes products"), measures.open_tables(tmp_path, []):
        pass
