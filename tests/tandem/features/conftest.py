"""Small tables in canonical form."""

from collections.abc import Callable, Sequence
from typing import Any

import pandas as pd
import pytest

from tandem.data import schema

MakeEvents = Callable[[Sequence[tuple[str | None, str, str, str, str | None]]], pd.DataFrame]


def _typed(rows: list[dict[str, Any]], table: schema.Table) -> pd.DataFrame:
    """The rows as `files.read` would give them; what a row does not name is missing."""
    import pyarrow as pa

    columns = {c.name: pa.array([row.get(c.name) for row in rows], c.type) for c in table.columns}
    return pa.table(columns).to_pandas()


@pytest.fixture(scope="session")
def make_events() -> MakeEvents:
    """Events from (user, product, kind, ISO time, order) rows."""

    def make(rows: Sequence[tuple[str | None, str, str, str, str | None]], **more: Sequence[Any]) -> pd.DataFrame:
        names = "user_id", "product_id", "kind", "time", "order_id"
        dicts = [dict(zip(names, row, strict=True)) for row in rows]
        for place, row in enumerate(dicts):
            row |= {"event_id": f"e{place}", "quantity": 1.0, "time": pd.Timestamp(row["time"], tz="UTC")}
            row |= {name: values[place] for name, values in more.items()}
        return _typed(dicts, schema.EVENTS)

    return make


@pytest.fixture(scope="session")
def make_products() -> Callable[..., pd.DataFrame]:
    """Products from keyword rows; the category is empty unless given."""

    def make(*rows: dict[str, Any]) -> pd.DataFrame:
        return _typed([{"category": [], **row} for row in rows], schema.PRODUCTS)

    return make
