"""Objects in the cells of JSON: no key of a source reads into them, so what makes plain rows of them is said."""

import re
from collections.abc import Iterable

from tandem.unseen import names
from tandem.unseen.roles import Group

ROWS = ("product_id", "quantity", "unit_price")
"""Meanings that the objects of a list have where each is a row of its own."""

NEEDED = (*ROWS, "user_id", "order_id", "time")


def doubt(group: Group) -> str | None:
    """What of events is nested, and a command that writes it as plain rows; None where nothing that lacks is there."""
    found = {name: profile for name, profile in group.profiles.items() if profile.inside}
    lacking = {*NEEDED} - group.guesses.keys()
    if not any(lacking & names.meanings(key).keys() for profile in found.values() for key in profile.inside):
        return None
    kinds = {name: "a list of objects" if profile.type == "list" else "an object" for name, profile in found.items()}
    told = "; ".join(f"`{name}` is {kinds[name]} ({', '.join(found[name].inside[:8])})" for name in found)
    way = "bring its keys up to columns in the export"
    if group.look.format in ("json", "jsonl"):
        way = f"make plain rows, such as by `{_command(group)}`, and describe those"
    return f"nested: {told}. No key of a source reads into objects: {way}"


def rows(group: Group) -> str | None:
    """The column with lists of objects that are rows: the one that tells most of what a row of events has."""
    lists = {name: found.inside for name, found in group.profiles.items() if found.inside and found.type == "list"}
    told = {name: sum(bool(names.meanings(key).keys() & {*ROWS}) for key in keys) for name, keys in lists.items()}
    best = max(told, key=lambda name: told[name], default=None)
    return best if best and told[best] else None


def _command(group: Group) -> str:
    """A call of jq that writes one line for each object of the list that holds rows, else for each record."""
    plain = [name for name, found in group.profiles.items() if not found.inside]
    objects = [name for name, found in group.profiles.items() if found.type == "object" and found.inside]
    stem = re.sub(r"s$", "", re.split(r"[_\-.\d]", group.files[0].rpartition("/")[2])[0]) or "row"
    entries = [f"{stem}_id: .id" if name == "id" else f"{_key(name)}: .{_key(name)}" for name in plain]
    taken = {*plain}
    for name in objects:
        entries += _entries(name, group.profiles[name].inside, taken, f".{_key(name)}.")
    each, inner, list_ = ".[] | " if group.look.format == "json" else "", "", rows(group)
    if list_:
        inner = f" + (.{_key(list_)}[] | {{{', '.join(_entries(list_, group.profiles[list_].inside, taken, '.'))}}})"
    return f"jq -c '{each}{{{', '.join(entries)}}}{inner}' {group.files[0]} > rows.jsonl"


def _entries(column: str, keys: Iterable[str], taken: set[str], path: str) -> list[str]:
    """Entries for the keys of an object that name nobody; one that is there already gets the object's name in front."""
    entries = []
    for key in keys:
        if names.meanings(key).keys() & {"person", "contact"}:
            continue
        name = f"{column}_{key}" if key in taken or key == "id" else key
        taken.add(name)
        entries.append(f"{_key(name)}: {path}{_key(key)}")
    return entries


def _key(name: str) -> str:
    return name if re.fullmatch(r"[A-Za-z_]\w*", name, re.ASCII) else f'"{name}"'
