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

from tandem.data import exports
from tandem.data.sources import Source, problems
from tandem.unseen import alike, doubts, look, names, proposals, roles, unused
from tandem.unseen.blocks import Proposal
from tandem.unseen.look import Look
from tandem.unseen.proposals import TABLES, Left
from tandem.unseen.roles import Group

UNSURE = "UNSURE: "
"""Begins a comment on what a person has to decide."""

EXPECTED = 0.05
"""Share of rows refused on purpose beyond which a snapshot's usual bound may be passed."""


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
    heads = [head for file in found for head in look.of_file(folder / file, file, alike.HEAD_BYTES)]
    groups = alike.groups(folder, heads)
    for group in groups:
        roles.assign(group)
    links = roles.keys(groups)
    pictures = [head for head in heads if head.format == "pictures"]
    blocks, left = proposals.of(groups, links, pictures)
    left += [Left(f"{head.name}: {'; '.join(head.notes)}", unsure=False) for head in heads if head.format == "unknown"]
    return _draft(called, path, groups, blocks, left, pictures)


def _name(path: Path) -> str:
    stem = re.sub(r"[^a-z0-9]+", "_", names.key(path.stem if path.is_file() else path.name)).strip("_")
    return stem if re.match("[a-z]", stem) else f"shop_{stem}".rstrip("_")


def _draft(
    name: str, path: Path, groups: list[Group], blocks: list[Proposal], left: list[Left], pictures: list[Look]
) -> Draft:
    told = _told_by_events(blocks)
    unused.note(blocks, set(told.values()) if told else set())
    lines = _head(name, path, groups, blocks, left)
    for table in TABLES:
        if mine := [block for block in blocks if block.table == table]:
            lines += ["", f"{table}:", *(line for block in mine for line in _lines(block))]
    lines += ["", f"products_from_events: {_flow(told)}"] if told is not None else []
    lines += [*_pictures(pictures), *_params(blocks)]
    plain = [one.sentence for one in left if not one.unsure]
    lines += ["", "# Not read by any block:", *(f"#  {_comment(one)[2:]}" for one in plain)] if plain else []
    source, why = _valid("\n".join(lines))
    if why:
        lines.insert(1, f"# {UNSURE}this draft cannot be used as it is: {why}")
    text = "\n".join(lines) + "\n"
    return Draft(text, tuple(groups), tuple(unsure(text).values()), source)


def unsure(text: str) -> dict[int, str]:
    """What a source still leaves for a person to decide, by line of its text, from 1."""
    lines = {number: line.strip() for number, line in enumerate(text.splitlines(), 1)}
    return {n: line.removeprefix(f"# {UNSURE}") for n, line in lines.items() if line.startswith(f"# {UNSURE}")}


def _head(name: str, path: Path, groups: list[Group], blocks: list[Proposal], left: list[Left]) -> list[str]:
    times = [t.time for g in groups if (t := g.of("time")) and t.time]
    priced = any({"price", "unit_price"} & block.keys["columns"].keys() for block in blocks)
    currencies = {p.currency for g in groups for p in g.profiles.values() if p.currency}
    unsure = [one.sentence for one in left if one.unsure]
    for block in blocks:
        known = {"user_id", "order_id"} & block.keys["columns"].keys()
        if block.table == "events" and "user_id" not in known and (not known or doubts.contacts(block.groups[0])):
            unsure.append(f"{block.groups[0].label}: {doubts.no_user(block.groups[0])}")
    if not times or not all(time.zoned for time in times):
        unsure.append("time zone of the shop: no time names one; UTC taken")
    if priced and len(currencies) != 1:
        unsure.append("currency: no price names one; add `currency: EUR` or whatever it is")
    return [
        f"# A draft made by looking at {path.name}; judge each UNSURE line, then remove it.",
        *_alone(blocks),
        f"name: {name}",
        f"title: {_flow(f'{name}: say what it is, whose, and under which licence')}",
        "timezone: UTC",
        *([f"currency: {currencies.pop()}"] if len(currencies) == 1 else []),
        *(_comment(f"{UNSURE}{sentence}").strip() for sentence in unsure),
    ]


def _params(blocks: list[Proposal]) -> list[str]:
    """Values of params.yaml that the draft needs: attributes of users that get in, rows that are refused on purpose."""
    found = [name for block in blocks if block.table == "users" for name in block.keys.get("attributes", {})]
    refused = max((block.refused for block in blocks), default=0.0)
    lines = []
    if found:
        lines.append(f"  # {UNSURE}may these attributes of users be kept? They serve slices and fairness alone")
        lines.append(f"  privacy: {_flow({'user_attributes': list(dict.fromkeys(found))})}")
    if refused > EXPECTED:
        lines.append(
            f"  # {UNSURE}{refused:.0%} of the rows of a block are refused as no sales or kinds unknown: is that so?"
        )
        lines.append(f"  validate: {_flow({'max_refused_share': round(min(1.0, refused + 0.1), 2)})}")
    return ["", "params:", *lines] if lines else []


def _told_by_events(blocks: list[Proposal]) -> dict[str, str] | None:
    """`products_from_events`, wherever events may know a product that no product file has."""
    events = [block for block in blocks if block.table == "events"]
    if not events:
        return None
    told: dict[str, str] = {}
    for group in (group for block in events for group in block.groups):
        for ours in ("title", "category", "brand"):
            raw = group.column(ours)
            if raw and ours not in told and group.profiles[raw].type != "list":
                told[ours] = raw
    if any("unit_price" in block.keys["columns"] for block in events):
        told["price"] = "unit_price"
    return told


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
    lines = [f" {_comment(sentence)}" for sentence in [*_reads(block), *block.about]]
    lines += [f" {_comment(f'{UNSURE}{doubt}')}" for doubt in block.unsure]
    lines.append(f"  - {first[0]}: {_flow(first[1])}")
    for key, value in rest:
        if key == "columns":
            lines.append("    columns:")
            lines += [f"      {ours}: {_flow(raw)}{_comment(block.notes.get(ours))}" for ours, raw in value.items()]
        elif key == "rules":
            lines.append("    rules:")
            lines += [f"      - {_flow(rule)}" for rule in value]
        elif key == "kind":
            lines.append(f"    kind: {_flow(value)}{_comment(block.notes.get('kind'))}")
        else:
            lines.append(f"    {key}: {_flow(value)}")
    return lines


def _reads(block: Proposal) -> list[str]:
    """What `files` reads, where that is more than the one file it names."""
    found, pattern = block.groups[0].files, block.keys["files"]
    if len(found) > 1:
        return [f"{len(found)} files like {found[0]}"]
    dated = f"reads {found[0]}, and later exports that are called so but for the date"
    return [dated] if pattern != found[0] else []


def _alone(blocks: list[Proposal]) -> list[str]:
    """That a later export under another name is not read, where a block names one file, and no other beside it."""
    single = [block for block in blocks if not {"join", "beside"} & block.keys.keys()]
    ordered = sorted(single, key=lambda block: TABLES.index(block.table))
    names = list(dict.fromkeys(b.keys["files"] for b in ordered if b.keys["files"] == b.groups[0].files[0]))
    if not names:
        return []
    path = PurePosixPath(names[0])
    stem, dot, ends = path.name.partition(".")
    wider = path.with_name(f"{stem}*{dot}{ends}").as_posix()
    return [
        f"# Read alone: {exports.some(names)}. A later export has to bear another name: for it to be read as well, "
        f"widen `files` to a pattern such as {wider}."
    ]


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
        return None, "; ".join(problems(error)[:3])
