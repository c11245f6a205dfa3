"""Why a raw column was chosen: how sure that is, and what its values look like."""

from typing import Any

from tandem.unseen.figures import Figures
from tandem.unseen.profile import PERSONAL
from tandem.unseen.roles import WITHHELD, Group, Key

COUNTED = ("quantity", "unit_price", "stock", "rating")
"""Meanings of columns of numbers."""


def of(group: Group, meaning: str, cell: Any, links: list[Key]) -> str:
    """The evidence for a column of ours, of each raw column that it is made of."""
    several = cell["columns"] if isinstance(cell, dict) and "columns" in cell else [group.guesses[meaning][0].column]
    told = [_of_one(group, meaning, raw, links) for raw in several]
    return told[0] if len(told) == 1 else " | ".join(f"{raw}: {one}" for raw, one in zip(several, told, strict=True))


def _of_one(group: Group, meaning: str, raw: str, links: list[Key]) -> str:
    found = group.profiles[raw]
    guess = next(guess for guess in group.guesses[meaning] if guess.column == raw)
    kind = {"whole": "integer written like 17850.0"}.get(found.type, found.type)
    kind = "time" if meaning == "time" else kind
    told = [f"{guess.why} ({guess.score:.2f}): {kind}", f"{found.distinct} different in {found.count}"]
    told += [f"{_share(found.share_missing)} missing"] if found.missing else []
    told += [_unread(found.figures)] if found.figures and found.figures.unread and meaning in COUNTED else []
    if found.time and meaning == "time":
        told.append(f"{found.time.earliest} … {found.time.latest}{', rising' if found.time.rising else ''}")
    elif found.low is not None and (found.numeric or meaning in COUNTED) and meaning not in WITHHELD:
        told.append(f"{found.low:g} … {found.high:g}")
    refers = [k for k in links if (k.group, k.column) == (group.label, raw)]
    told += [f"{k.share:.0%} are in `{k.key}` of {k.to}" for k in refers[:2]]
    shown = [] if meaning in WITHHELD else found.shown(3)
    told.append(f"such as {', '.join(map(repr, shown))}" if shown else "samples withheld")
    return "; ".join(told)


def _unread(found: Figures) -> str:
    """The cells that are no numbers, with an example."""
    clean = [value for value, _ in found.odd if not any(p.search(value) for p in PERSONAL)]
    example = f" such as {clean[0][:20]!r}" if clean else ""
    return f"{found.unread} of {found.count} cells are no numbers{example}: their rows are refused"


def _share(share: float) -> str:
    return "<0.1%" if 0 < share < 0.001 else f"{share:.1%}"
