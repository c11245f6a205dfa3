"""How the times and numbers of a block are written, as keys of a source."""

from tandem.unseen.blocks import Proposal
from tandem.unseen.figures import Figures
from tandem.unseen.roles import Group

NUMBERS = {
    "quantity": "quantity",
    "unit_price": "unit_price",
    "price": "unit_price",
    "stock": "stock",
    "rating": "rating",
}
"""Our columns of numbers, with the meaning that fits."""


def set_numbers(group: Group, block: Proposal) -> None:
    """How all numbers of the block are written, and those cells that are none."""
    raws = [group.column(meaning) for ours, meaning in NUMBERS.items() if ours in block.keys["columns"]]
    written = {raw: found for raw in raws if raw and (found := group.profiles[raw].figures)}
    for raw, found in written.items():
        _note_unread(raw, found, block)
    odd = [found for found in written.values() if not found.plain]
    if not odd:
        return
    with_signs = [found for found in written.values() if found.has_fractions or found.thousands] or odd
    strip = list(dict.fromkeys(text for found in odd for text in found.strip))
    decimal, thousands = with_signs[0].decimal, next((f.thousands for f in with_signs if f.thousands), None)
    block.keys["numbers"] = {
        **({"decimal": decimal} if decimal != "." else {}),
        **({"thousands": thousands} if thousands else {}),
        **({"strip": strip} if strip else {}),
    }
    others = [raw for raw, f in written.items() if f.has_fractions and (f.decimal != decimal or f.decimal == thousands)]
    if others:
        block.unsure.append(f"`{'`, `'.join(others)}` is not written as `numbers` says, which holds for all columns")
    if any(found.ambiguous for found in odd):
        block.unsure.append("numbers such as 1,234: a thousand or one and a bit? No value decides; a thousand taken")


def _note_unread(raw: str, found: Figures, block: Proposal) -> None:
    if found.unread > 0.02 * found.count:
        block.unsure.append(f"`{raw}` is no number in {found.unread} of {found.count} cells: their rows are refused")


def set_time(group: Group, block: Proposal) -> None:
    """The pattern of times that are not in ISO 8601; where the values fit several, the first, with a doubt."""
    time = group.of("time")
    if "time" not in block.keys["columns"] or time is None or time.time is None:
        return
    formats = [how for how in time.time.formats if how != "iso"]
    if formats:
        block.keys["time_formats"] = formats[:1]
    if len(formats) > 1:
        raw = group.column("time")
        block.unsure.append(
            f"`{raw}` fits {' and '.join(formats)} alike: no day above 12 decides which; `{formats[0]}` taken"
        )
