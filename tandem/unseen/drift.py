"""A raw file whose header is not that of the files before it: what differs, and a mapping that would fit.

Columns gone and new are paired by name and by values; what is proposed is for a person to judge, never applied.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

import yaml

from tandem.data.blocks import Block
from tandem.data.entries import KindColumn
from tandem.unseen import names, profile
from tandem.unseen.profile import Profile

RENAMED = 0.6
"""Likeness from which a column gone and a new one are taken for one that was renamed."""

OPEN = "???"
"""Stands in a proposal for a column that is not known."""

Samples = Mapping[str, list[str]]


@dataclass(frozen=True)
class Renamed:
    """A column gone and a new one that look like one."""

    before: str
    now: str
    likeness: float  # of names and values, in [0, 1]
    why: str


@dataclass(frozen=True)
class Difference:
    """How a file's header differs from that of the files before it."""

    block: Block
    gone: tuple[str, ...]  # without those renamed
    new: tuple[str, ...]  # without those renamed
    renamed: tuple[Renamed, ...]

    @property
    def needed(self) -> dict[str, list[str]]:
        """What the block reads from each column that is gone, by that column."""
        return {name: read for name in self.gone if (read := _read_from(self.block, name))}

    def message(self, file: str) -> str:
        """The difference in `file` and the lines proposed for the source's YAML; no value of a row is in it."""
        told = [f"{file} has another header than the {self.block.table.name} files before it (`{self.block.files}`)."]
        told += [f"  gone: {_named(self.gone, self.needed)}"] if self.gone else []
        told += [f"  new: {_named(self.new, {})}"] if self.new else []
        told += [f"  renamed, it seems: `{r.before}` to `{r.now}` ({r.why})" for r in self.renamed]
        return "\n".join([*told, *self._proposed(file)])

    @property
    def stops_reading(self) -> bool:
        """A column is gone, or has another name now, from which the block reads something."""
        return bool(self.needed) or any(pair.before in self.block.named for pair in self.renamed)

    def _proposed(self, file: str) -> list[str]:
        mapped = [pair for pair in self.renamed if pair.before in self.block.named]
        unused = [r.before for r in self.renamed if r not in mapped] + [r.now for r in self.renamed if r not in mapped]
        if not mapped and not self.needed:
            listed = sorted({*self.block.may_have, *self.gone, *self.new, *unused})
            return [
                "None of them is used. If that is right, add to this block of the source's YAML:",
                f"    may_have: {_flow(listed)}",
            ]
        lost = [f"`{name}` ({', '.join(read)})" for name, read in self.needed.items()]
        condition = "If the pairs are right, give" if mapped else "Give"
        return [
            *([f"No new column looks like {' and '.join(lost)}: ask who exports the file."] if lost else []),
            f"{condition} files with the new header a block of their own, and narrow the pattern",
            f"`{self.block.files}` so that it does not match them"
            + (f"; `{OPEN}` stands for a column to be named, or its line goes:" if lost else ":"),
            *_indented(self._own_block(file)),
        ]

    def _own_block(self, file: str) -> str:
        """The present block with the new names, for this file alone; `???` for each that is not known."""
        pairs = {pair.before: pair.now for pair in self.renamed} | dict.fromkeys(self.needed, OPEN)
        given = self.block.model_dump(mode="json", exclude_unset=True)
        given["files"] = f"**/{PurePosixPath(file).name}"
        for key in ("integers", "upper", "corrections"):
            if key in given:
                given[key] = sorted(given[key])
        given.pop("may_have", None)
        text = yaml.safe_dump([_renamed(given, pairs)], sort_keys=False, allow_unicode=True, width=110)
        return text.replace(f": '{OPEN}'", f": {OPEN}")


def compare(
    before: list[str], now: list[str], block: Block, samples_before: Samples | None, samples_now: Samples | None
) -> Difference | None:
    """How the raw columns `now` differ from those `before`; None where they do not, or only by what `may_have` says.

    The order of columns does not matter.

    Args:
        before: column names of the block's earlier files.
        now: column names of the file at hand.
        block: how such files are read.
        samples_before: some values by column of the earlier files, if at hand; the more, the better the proposal.
        samples_now: the same of the file at hand.
    """
    gone = [name for name in before if name not in now and name not in block.may_have]
    new = [name for name in now if name not in before and name not in block.may_have]
    if not gone and not new:
        return None
    pairs = _pairs(gone, new, _profiles(samples_before, gone), _profiles(samples_now, new))
    paired = {name for pair in pairs for name in (pair.before, pair.now)}
    lost, added = (tuple(name for name in listed if name not in paired) for listed in (gone, new))
    return Difference(block, lost, added, tuple(pairs))


def _profiles(samples: Samples | None, wanted: list[str]) -> dict[str, Profile]:
    return {name: profile.of(samples[name]) for name in wanted if samples and name in samples}


def _pairs(gone: list[str], new: list[str], then: dict[str, Profile], now: dict[str, Profile]) -> list[Renamed]:
    """Columns that were renamed, it seems: the likest pair first, each column in one pair."""
    likely = [_likeness(a, b, then.get(a), now.get(b)) for a in gone for b in new]
    found: list[Renamed] = []
    for pair in sorted(likely, key=lambda pair: -pair.likeness):
        taken = {name for other in found for name in (other.before, other.now)}
        if pair.likeness >= RENAMED and not taken & {pair.before, pair.now}:
            found.append(pair)
    return sorted(found, key=lambda pair: gone.index(pair.before))


def _likeness(a: str, b: str, then: Profile | None, now: Profile | None) -> Renamed:
    """By name alone where there are no values; else half by each, or by many equal values whatever the names are."""
    by_name = names.likeness(a, b)
    if then is None or now is None:
        return Renamed(a, b, by_name, f"names alike to {by_name:.0%}; no values to compare")
    by_values, same = profile.likeness(then, now), profile.shared(now, then)
    telling = now.distinct >= 10  # a few codes such as 0 and 1 are equal by chance
    score = max(0.5 * by_name + 0.5 * by_values, 0.9 * same if telling else 0.0)
    types = f"both {then.type}" if then.type == now.type else f"{then.type} then, {now.type} now"
    return Renamed(a, b, score, f"names alike to {by_name:.0%}; {types}; {same:.0%} of its values came before")


def _read_from(block: Block, raw: str) -> list[str]:
    """What the block makes of a raw column, in words of the source's YAML."""
    columns = [name for name in block.columns if raw in block.raw_of(name)]
    kind = ["kind"] if isinstance(block.kind_of, KindColumn) and block.kind_of.column == raw else []
    attributes = [f"attribute {name}" for name, of in block.attribute_columns.items() if of == raw]
    rules = [f"rule {rule.name}" for rule in block.rules if raw in {*rule.where, *rule.unless}]
    found = [*columns, *kind, *attributes, *rules]
    return found or (["a shape"] if raw in block.named else [])


def _named(columns: tuple[str, ...], needed: dict[str, list[str]]) -> str:
    return ", ".join(f"`{c}`" + (f", read as {' and '.join(needed[c])}" if c in needed else "") for c in columns)


def _renamed(value: Any, pairs: dict[str, str], inside: str = "") -> Any:
    """A dumped block with raw columns renamed, wherever it names one: as a value, or as a key of rules' patterns."""
    if isinstance(value, dict):
        keyed = inside in ("where", "unless")
        return {pairs.get(k, k) if keyed else k: v if keyed else _renamed(v, pairs, k) for k, v in value.items()}
    if isinstance(value, list):
        return [_renamed(member, pairs, inside) for member in value]
    literal = {"files", "format", "encoding", "delimiter", "kind", "refuse", "values", "split", "archive", "name"}
    return value if inside in literal or not isinstance(value, str) else pairs.get(value, value)


def _flow(values: list[str]) -> str:
    return yaml.safe_dump(values, default_flow_style=True, allow_unicode=True, width=1000).strip()


def _indented(text: str) -> list[str]:
    return [f"  {line}" for line in text.splitlines()]
