"""Select from requirements.lock what the service needs, with its hashes, for the image of a bento.

python -m services.requirements        reads services/requirements.in, writes services/requirements.lock
"""

import re
from collections.abc import Iterable
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

WANTED = Path("services/requirements.in")
SELECTED = Path("services/requirements.lock")
LOCK = Path("requirements.lock")


def closure(names: Iterable[str]) -> set[str]:
    """Normalised names of the distributions `names` and of all that they require, as installed here."""
    found: set[str] = set()
    open_ends = [canonicalize_name(name) for name in names]
    while open_ends:
        name = open_ends.pop()
        if name not in found:
            found.add(name)
            wanted = (Requirement(text) for text in metadata.requires(name) or [])
            open_ends += [canonicalize_name(r.name) for r in wanted if not r.marker or r.marker.evaluate({"extra": ""})]
    return found


def select(lock: str, names: Iterable[str]) -> str:
    """The entries of a lock file for the distributions `names`, in order of name.

    Raises:
        KeyError: one is not in the lock.
    """
    entries = re.findall(r"^\S.*\n(?:[ \t]+\S.*\n)*", lock, re.MULTILINE)
    by_name = {canonicalize_name(re.split(r"[^\w.-]", entry, maxsplit=1)[0]): entry for entry in entries}
    return "".join(by_name[canonicalize_name(name)] for name in sorted(names))


def main() -> None:
    """Write the selection."""
    SELECTED.write_text(select(LOCK.read_text(), closure(WANTED.read_text().split())))


if __name__ == "__main__":
    main()
