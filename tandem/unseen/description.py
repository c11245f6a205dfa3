"""A draft of a source's YAML for raw files that nobody has described yet, with the evidence for each choice.

What is not certain is said in lines that begin with `# UNSURE:`. No value of a column that may hold user ids, names,
addresses, telephone numbers or the like gets into the draft.
"""

import re
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import yaml
from pydantic import ValidationError

from tandem.data.sources import Source
from tandem.unseen import alike, look, names, proposals, roles
from tandem.unseen.columns import Proposal
from tandem.unseen.look import Look
from tandem.unseen.proposals import TABLES
from tandem.unseen.roles import Group


@dataclass(frozen=True)
class Draft:
    """The text of a draft, and what of it is doubtful."""

    text: str
    groups: tuple[Group, ...]
    unsure: tuple[str, ...]
    source: Source | None  # None where the draft does not fit `Source` yet; the text says why


def describe(path: Path, name: str | None = None) -> Draft:
    """A draft for the file, the files of a folder, or those that a pattern such as `shop/*.csv` matches.

    Args:
        path: what to look at.
        name: the source's name; by default made from the path.

    Raises:
        SourceError: nothing is there, or it cannot be read.
    """
    folder, found = alike.raw_files(path)
    called = name or _name(path)
    heads = [look.at(folder / file, file, alike.HEAD_BYTES) for file in found]
    groups = alike.groups(folder, heads)
    for group in groups:
        roles.assign(group)
    links = roles.keys(groups)
    pictures = [head for head in heads if head.format == "pictures"]
    blocks, left = proposals.of(groups, links, pictures)
    unread = [f"{head.name}: {'; '.join(head.notes)}" for head in heads if head.format == "unknown"]
    return _draft(called, path, groups, blocks, [*left, *unread], pictures)


def _name(path: Path) -> str:
    stem = re.sub(r"[^a-z0-9]+", "_", names.key(path.stem if path.is_file() else path.name)).strip("_")
    return stem if re.match("[a-z]", stem) else f"shop_{stem}".rstrip("_")


def _draft(
    name: str, path: Path, groups: list[Group], blocks: list[Proposal], left: list[str], pictures: list[Look]
) -> Draft:
    head, unsure = _head(name, path, groups, blocks)
    lines = [*head]
    for table in TABLES:
        if mine := [block for block in blocks if block.table == table]:
            lines += ["", f"{table}:", *(line for block in mine for line in _lines(block))]
    lines += _told_by_events(groups, blocks)
    lines += _pictures(pictures)
    lines += ["", "# Not read by any block:", *(f"#   {sentence}" for sentence in left)] if left else []
    source, why = _valid("\n".join(lines))
    if why:
        lines.insert(1, f"# UNSURE: this draft cannot be used as it is: {why}")
    text = "\n".join(lines) + "\n"
    doubts = [line.strip().removeprefix("# UNSURE: ") for line in text.splitlines() if "# UNSURE: " in line]
    return Draft(text, tuple(groups), tuple(doubts or unsure), source)


def _head(name: str, path: Path, groups: list[Group], blocks: list[Proposal]) -> tuple[list[str], list[str]]:
    times = [t.time for g in groups if (t := g.of("time")) and t.time]
    currencies = {p.currency for g in groups for p in g.profiles.values() if p.currency}
    priced = any({"price", "unit_price"} & block.keys["columns"].keys() for block in blocks)
    unsure = []
    if not times or not all(time.zoned for time in times):
        unsure.append("time zone of the shop: no time names one; UTC taken")
    if priced and len(currencies) != 1:
        unsure.append("currency: no price names one; add `currency: EUR` or whatever it is")
    lines = [
        f"# A draft made by looking at {path.name}; judge each UNSURE line, then remove it.",
        f"name: {name}",
        f"title: {_flow(f'{name}: say what it is, whose, and under which licence')}",
        "timezone: UTC",
        *([f"currency: {currencies.pop()}"] if len(currencies) == 1 else []),
        *(f"# UNSURE: {sentence}" for sentence in unsure),
    ]
    return lines, unsure


def _told_by_events(groups: list[Group], blocks: list[Proposal]) -> list[str]:
    """`products_from_events`, wherever events may know a product that no product file has."""
    events = [block for block in blocks if block.table == "events"]
    if not events:
        return []
    patterns = {block.keys["files"] for block in events}
    told: dict[str, str] = {}
    for group in (g for g in groups if g.pattern in patterns):
        for ours in ("title", "category", "brand"):
            raw = group.column(ours)
            if raw and ours not in told and group.profiles[raw].type != "list":
                told[ours] = raw
    if any("unit_price" in block.keys["columns"] for block in events):
        told["price"] = "unit_price"
    return ["", f"products_from_events: {_flow(told)}"]


def _pictures(pictures: list[Look]) -> list[str]:
    if not pictures:
        return []
    zips = [one.name for one in pictures if one.name.endswith(".zip")]
    loose = [one.name for one in pictures if not one.name.endswith(".zip")]
    patterns = zips + ([f"**/*{PurePosixPath(loose[0]).suffix}"] if loose else [])
    return ["", "pictures:", *(f"  - files: {_flow(pattern)}" for pattern in patterns)]


def _lines(block: Proposal) -> list[str]:
    """The block as YAML, evidence beside the columns, doubts above them."""
    first, *rest = block.keys.items()
    lines = [*(f"  # {sentence}" for sentence in block.about), *(f"  # UNSURE: {doubt}" for doubt in block.unsure)]
    lines.append(f"  - {first[0]}: {_flow(first[1])}")
    for key, value in rest:
        if key == "columns":
            lines.append("    columns:")
            lines += [f"      {ours}: {_flow(raw)}{_comment(block.notes.get(ours))}" for ours, raw in value.items()]
        elif key == "kind":
            lines.append(f"    kind: {_flow(value)}{_comment(block.notes.get('kind'))}")
        else:
            lines.append(f"    {key}: {_flow(value)}")
    return lines


def _comment(note: str | None) -> str:
    return f" # {' '.join(note.split())}" if note else ""


def _flow(value: Any) -> str:
    text = yaml.safe_dump(value, default_flow_style=True, allow_unicode=True, width=10_000, sort_keys=False).strip()
    return text.removesuffix("...").strip()


def _valid(text: str) -> tuple[Source | None, str]:
    """The draft as a source, or why it is none yet."""
    try:
        return Source.model_validate(yaml.safe_load(text)), ""
    except ValidationError as error:
        return None, "; ".join(f"{'.'.join(map(str, p['loc']))}: {p['msg']}" for p in error.errors()[:3])
