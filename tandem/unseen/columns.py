"""How the columns of some files fill a proposed block: each choice with its evidence and its doubts."""

import re
from pathlib import PurePosixPath
from typing import Any

from tandem.unseen import evidence, names, notation, words
from tandem.unseen.blocks import START, Proposal, wanted
from tandem.unseen.look import Look
from tandem.unseen.profile import Profile
from tandem.unseen.roles import Group, Key


def map_columns(group: Group, block: Proposal, links: list[Key], pictures: list[Look]) -> None:
    """Fill the block: cells of its table, and the keys that say how they are read.

    Args:
        group: the files, their columns with the meanings guessed.
        block: is filled.
        links: columns that refer to keys of other files, for the evidence.
        pictures: looks at pictures that lie with the files.
    """
    columns: dict[str, Any] = {}
    for ours, meaning in wanted(block.table):
        raw = group.column(meaning)
        if raw is None:
            continue
        found = group.profiles[raw]
        columns[ours] = _cell(ours, raw, group, pictures)
        block.notes[ours] = evidence.of(group, meaning, columns[ours], links)
        if found.type == "whole" and ours.endswith("_id"):
            block.keys.setdefault("integers", []).append(ours)
        if ours == "rating" and (stars := words.ratings(found)):
            block.keys["translate"] = {"rating": stars}
            block.unsure.append(f"`{raw}` is put into numbers by `translate`; what is not listed there is refused")
    if block.table in ("events", "reviews") and "time" not in columns:
        columns["time"] = {"ordinal": "@row", "start": START, "step_minutes": 1}
        block.unsure.append(f"no times: the order of rows counts as times from {START} on")
    block.keys["columns"] = columns
    notation.set_numbers(group, block)
    _set_picture(group, block, pictures)
    notation.set_time(group, block)
    _set_attributes(group, block)
    if block.table == "events":
        set_kind(group, block)
        _set_sessions(group, block)
        _note_oddities(group, block)


def _cell(ours: str, raw: str, group: Group, pictures: list[Look]) -> Any:
    found = group.profiles[raw]
    if ours == "category":
        several = [name for name in group.columns("category") if group.profiles[name].type != "list"]
        if len(several) > 1:
            return {"columns": several}
        if found.type == "list":
            as_json = any(value.startswith(('["', "['")) for value, _ in found.top)
            return (
                {"column": raw, "split": '", "', "strip": '["]'}
                if as_json
                else {"column": raw, "split": ",", "strip": "[]"}
            )
        return {"column": raw, "split": found.separator} if found.separator else raw
    archives = [one.name for one in pictures if one.name.endswith(".zip")]
    if ours == "image" and found.type == "picture" and archives:
        return {"archive": archives[0], "column": raw}
    return raw


def _set_picture(group: Group, block: Proposal, pictures: list[Look]) -> None:
    """Pictures that are called after the products."""
    product, raw = group.of("product_id"), group.column("product_id")
    paths = [PurePosixPath(one.name) for one in pictures if not one.records]
    paths += [PurePosixPath(record[0] or "") for one in pictures for record in one.records]
    if block.table != "products" or "image" in block.keys["columns"] or product is None or not paths:
        return
    called = [path for path in paths if path.stem in product.values]
    if len(called) > 0.8 * len(paths):
        block.keys["columns"]["image"] = {"column": raw, "suffix": called[0].suffix}
        block.notes["image"] = f"{len(called)} of {len(paths)} pictures are called after a `{raw}`"


def _set_attributes(group: Group, block: Proposal) -> None:
    """Segments of users, and what is left of products; columns that may name a person are left out."""
    if block.table == "users":
        found = group.columns("segment")
    elif block.table == "products":
        used = {raw for m in group.guesses for raw in group.columns(m)} - set(group.columns("segment"))
        found = [n for n, p in group.profiles.items() if n not in used and p.type != "empty" and p.personal == 0]
        found = [n for n in found if _is_short(group.profiles[n])]
    else:
        found = []
    if found:
        block.keys["attributes"] = {re.sub(r"\W+", "_", names.key(name)) or name: name for name in found}
    if withheld := [name for m in ("person", "contact") for name in group.columns(m)]:
        block.about.append(f"left out, may name a person: {', '.join(withheld)} (values withheld)")


def _is_short(found: Profile) -> bool:
    """Whether the values are short enough for an attribute."""
    return found.type != "list" and found.length <= 60


def set_kind(group: Group, block: Proposal) -> None:
    """The kind, by a column's values, by codes in common use, or by what else is there."""
    raw, found = group.column("kind"), group.of("kind")
    if raw and found:
        known = words.kinds(found) or words.codes(found)
        counted = ", ".join(f"{value} × {count}" for value, count in found.top)
        block.keys["kind"] = {"column": raw, "values": {v: known.get(v) for v, _ in sorted(found.top)}}
        block.notes["kind"] = counted
        block.refused += sum(count for value, count in found.top if known.get(value) is None) / found.count
        if not words.kinds(found):
            block.unsure.append(
                f"what the codes of `{raw}` mean ({counted}): as in logs with codes like these; ask the shop"
            )
        if strange := [value for value, _ in found.top if value not in known]:
            block.unsure.append(f"`{raw}` = {', '.join(strange)}: kinds unknown, such rows are left out by `null`")
        return
    known_words = {word: kind for kind, listed in words.KINDS.items() if kind for word in listed.split()}
    parts = re.split(r"[^a-z]+", group.pattern.casefold())
    by_name = next((known_words[part.rstrip("s")] for part in parts if part.rstrip("s") in known_words), None)
    sold = {"order_id", "quantity"} & group.guesses.keys() or "order_id" in block.keys["columns"]
    block.keys["kind"] = by_name or ("purchase" if sold else "view")
    if not by_name:
        why = "there are orders or pieces" if sold else "nothing says what was done"
        block.unsure.append(f"kind of events: {block.keys['kind']}, because {why}; no column tells it")


def _set_sessions(group: Group, block: Proposal) -> None:
    """A pause of half an hour ends a session, where users and clock times are told and sessions are not."""
    time = group.of("time")
    told = {"session_id", "order_id"} & group.guesses.keys()
    if time and time.time and "user_id" in group.guesses and not told:
        clock = ":" in time.top[0][0] or time.time.formats[0].startswith("unix")
        block.keys |= {"session_gap_minutes": 30} if clock else {}


def _note_oddities(group: Group, block: Proposal) -> None:
    """Rows that are likely no sales: pieces below zero, orders and products with codes unlike the others."""
    quantity, raw = group.of("quantity"), group.column("quantity")
    if quantity and quantity.low is not None and quantity.low < 0:
        block.unsure.append(f"`{raw}` is below 0 in some rows: are they returns? Then a rule may say `kind: return`")
    for meaning in ("order_id", "product_id"):
        found, column = group.of(meaning), group.column(meaning)
        plain = {v for v in found.values if v[0].isdigit()} if found and found.type == "text" else set()
        odd = sorted(found.values - plain) if found else []
        if odd and len(plain) > 0.8 * (len(plain) + len(odd)):
            starts = ", ".join(odd[:5])
            block.unsure.append(
                f"`{column}` begins with a digit but for {len(odd)} values such as {starts}: what are they?"
            )
