"""What the small shops of the tests have in common: their columns, a key, and how their raw files are put down."""

import io
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path

KEY = bytes(range(32))

COLUMNS = {
    "product_id": "item",
    "user_id": "customer",
    "time": "when",
    "order_id": "order",
    "quantity": "pieces",
    "unit_price": "price",
}
"""The raw columns of events; the kind stands in `what`."""

Content = bytes | str | Callable[[Path], None]
"""What a raw file holds; or what puts something else at its place."""


def put(raw: Path, contents: Mapping[str, Content]) -> None:
    """Write raw files below `raw`."""
    for name, content in contents.items():
        path = raw / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if callable(content):
            content(path)
        else:
            path.write_bytes(content.encode() if isinstance(content, str) else content)


def zipped(members: Mapping[str, str | bytes], how: int = zipfile.ZIP_DEFLATED) -> bytes:
    """A zip of these members, whatever their names."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", how) as archive:
        for name, content in members.items():
            archive.writestr(zipfile.ZipInfo(name), content, how)
    return out.getvalue()
