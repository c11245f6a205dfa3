from collections.abc import Callable
from pathlib import Path

import pytest

from tandem.unseen import description
from tandem.unseen.description import Draft

Describe = Callable[[dict[str, str]], Draft]


@pytest.fixture
def described(tmp_path) -> Describe:
    """The draft for a folder with these files: `described({"orders.csv": text})`."""

    def describe(files: dict[str, str]) -> Draft:
        folder = Path(tmp_path) / "export"
        for name, text in files.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(text, encoding="utf-8")
        return description.describe(folder, "shop")

    return describe


@pytest.fixture
def rows() -> Callable[..., str]:
    """A csv file: `rows("sku,qty", "S{a},{b}", 60)`; `a` and `b` count to 7 and 3, `n` all, `day` is of January."""

    def write(header: str, pattern: str, count: int = 60) -> str:
        lines = [pattern.format(n=n, a=n % 7, b=n % 3, day=f"{n % 28 + 1:02}") for n in range(count)]
        return "\n".join([header, *lines]) + "\n"

    return write
