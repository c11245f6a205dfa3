from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tandem.data import exports
from tandem.data.batches import Export
from tandem.data.blocks import Block
from tandem.data.sources import Source

PRODUCTS = {"files": "p.*", "format": "csv", "columns": {"product_id": "id"}}
MADE: dict[str, Block] = {}


@pytest.fixture
def block(shop) -> Callable[..., Block]:
    """A block of products, changed at will; each is made once, for properties that ask hundreds of times."""

    def ask(**changes: Any) -> Block:
        key = repr(changes)
        if key not in MADE:
            MADE[key] = Source.model_validate(shop | {"products": [PRODUCTS | changes]}).products[0]
        return MADE[key]

    return ask


@pytest.fixture
def ask(tmp_path, block) -> Callable[..., list[Any]]:
    """Rows of a file: each a mapping of its cells, or the text of its problem."""

    def read(name: str, content: str | bytes | None = None, **changes: Any) -> list[Any]:
        if content is not None:
            (tmp_path / name).write_bytes(content.encode() if isinstance(content, str) else content)
        return rows(tmp_path / name, block(**changes))

    return read


def rows(path: Path, block: Block, member: str | None = None) -> list[Any]:
    """Rows of a file: each a mapping of its cells, or the text of its problem."""
    found: list[Any] = []
    for batch in exports.batches(Export(path.name, path, member), block):
        problems = batch.problems.to_pylist() if batch.problems is not None else [None] * batch.cells.num_rows
        for cells, problem in zip(batch.cells.to_pylist(), problems, strict=True):
            assert problem is None or not any(cells.values())
            found.append(problem or cells)
    return found
