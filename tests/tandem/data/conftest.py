"""A small shop to bend: its YAML as a mapping, and raw files written from text."""

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tandem.data.sources import Source
from tandem.params import IngestParams

from ...shop import COLUMNS, KEY, put

_READ = IngestParams.read(Path(__file__).parents[3] / "params.yaml")
PARAMS = _READ._replace(privacy=_READ.privacy.model_copy(update={"user_attributes": ("age",)}))

SHOP: dict[str, Any] = {
    "name": "shop",
    "title": "a shop for tests",
    "timezone": "Europe/Berlin",
    "currency": "EUR",
    "events": [
        {
            "files": "events*.csv",
            "format": "csv",
            "columns": COLUMNS,
            "integers": ["user_id"],
            "upper": ["product_id"],
            "kind": {"column": "what", "values": {"look": "view", "buy": "purchase", "hide": None}},
            "rules": [
                {"name": "test_order", "where": {"order": "^T", "what": "buy"}, "refuse": "a test order"},
                {"name": "fee", "unless": {"item": "^[ab]"}, "refuse": "a fee"},
                {"name": "cancellation", "where": {"order": "^C"}, "kind": "return"},
            ],
        }
    ],
    "products_from_events": {"title": "name", "price": "unit_price"},
}
HEADER = "item,customer,when,order,pieces,price,what,name,secret\n"


@pytest.fixture
def shop() -> dict[str, Any]:
    """The shop's YAML, to be changed at will."""
    return copy.deepcopy(SHOP)


@pytest.fixture
def canonical(tmp_path: Path, make: Callable[..., Any]) -> Callable[..., Any]:
    """Write raw files and make the canonical tables of them: `canonical(shop, {"events.csv": text})`."""

    def build(shop: dict[str, Any], raw: dict[str, str | bytes]) -> Any:
        put(tmp_path / "raw", raw)
        return make(Source.model_validate(shop), tmp_path / "raw", KEY, tmp_path, PARAMS)

    return build


@pytest.fixture
def refusals(canonical: Callable[..., Any], shop: dict[str, Any]) -> Callable[..., list[tuple[str, str]]]:
    """Rule and reason of each refused row of an event file, given its rows."""

    def ask(*rows: str, **changes: Any) -> list[tuple[str, str]]:
        shop["events"][0].update(changes)
        refused = canonical(shop, {"events.csv": HEADER + "\n".join(rows)}).tables["refused"]
        return list(zip(refused["rule"], refused["reason"], strict=True))

    return ask
