"""Columns that a draft does not use: each is named with what is in it, so that none gets lost without a word."""

from typing import Any

from tandem.unseen import names
from tandem.unseen.blocks import Proposal, wanted
from tandem.unseen.profile import Profile
from tandem.unseen.roles import WITHHELD, Group

MOST = 40
"""Columns of one block of which the values are told; of more, the names."""

FEW = 12
OFTEN = 5
"""Values are shown where they are few and come often: nobody's name or id does."""

MEASURED = ("boolean", "number", "decimal_comma", "money", "time", "empty")
"""Types whose values are no ids."""

TELLING = {"rating", "quantity", "unit_price", "stock", "time", "kind"}
"""Meanings whose values are nobody's."""


def note(blocks: list[Proposal], told: set[str]) -> None:
    """Add to the first block of each group of files what no block reads of them.

    Args:
        blocks: all that are proposed.
        told: raw columns that `products_from_events` reads.
    """
    seen: list[Group] = []
    for block in blocks:
        for group in block.groups:
            if group in seen or not _is_table(group):
                continue
            seen.append(group)
            used = told.union(*(_strings(other.keys) for other in blocks if group in other.groups))
            wants = {m for other in blocks if group in other.groups for m in _wanted(other)}
            _note(group, block, [raw for raw in group.profiles if raw not in used], wants)


def _is_table(group: Group) -> bool:
    return group.look.format not in ("sequences", "baskets", "matrix") and group.look.header != ("@key", "@value")


def _wanted(block: Proposal) -> set[str]:
    return {meaning for _, meaning in wanted(block.table)} | {"kind"} if block.table != "relations" else set()


def _note(group: Group, block: Proposal, unused: list[str], wants: set[str]) -> None:
    left = [raw for raw in unused if group.meaning(raw) not in ("person", "contact")]
    for raw in left[:MOST]:
        found = group.profiles[raw]
        block.about.append(f"not used: `{raw}`: {_why(group, raw)}; {_values(raw, found)}")
        if meaning := _failed(group, raw, wants):
            block.unsure.append(f"`{raw}` is called like {meaning}, but {_values(raw, found)}: it is not used")
    if more := left[MOST:]:
        block.about.append(f"not used: {len(more)} more: {', '.join(more)}")


def _strings(value: Any) -> set[str]:
    """Every text in a block's keys and what they hold: the columns it speaks of are among them."""
    if isinstance(value, dict):
        return {text for pair in value.items() for member in pair for text in _strings(member)}
    if isinstance(value, list):
        return {text for member in value for text in _strings(member)}
    return {value} if isinstance(value, str) else set()


def _why(group: Group, raw: str) -> str:
    if found := group.meaning(raw):
        best = group.column(found)
        return f"may be {found}, " + (f"as `{best}` is" if best != raw else "which none of its tables has")
    by_name = max(names.meanings(raw).items(), key=lambda pair: pair[1], default=("", 0))[0]
    if by_name and (other := group.column(by_name)) and other != raw:
        return f"`{other}` is taken for {by_name}"
    return "no meaning found"


def _failed(group: Group, raw: str, wants: set[str]) -> str | None:
    """The meaning of the column's name where its values do not bear it out, and no other column has it."""
    found = [meaning for meaning in names.meanings(raw) if meaning in wants]
    fails = found and group.meaning(raw) is None and group.profiles[raw].type != "empty"
    return found[0] if fails and not any(m in group.guesses for m in found) else None


def _values(raw: str, found: Profile) -> str:
    """What is in the column; no value that may be an id, a name or an address."""
    kind = f"objects ({', '.join(found.inside[:6])})" if found.inside else found.type
    told = f"{kind}, {found.distinct} different in {found.count}" if found.type != "empty" else "empty"
    meanings = names.meanings(raw).keys()
    few = found.distinct <= FEW and found.count >= OFTEN * found.distinct
    open_ = few or found.type in MEASURED or meanings & TELLING
    shown = found.shown(3) if open_ and not meanings & {*WITHHELD} else []
    return told + (f", such as {', '.join(map(repr, shown))}" if shown else "")
