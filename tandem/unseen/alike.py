"""Raw files that look alike, put together in groups, each of which may become one block."""

import re
from collections import defaultdict
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import Any

from tandem.errors import SourceError
from tandem.unseen import look, profile
from tandem.unseen.look import Look
from tandem.unseen.roles import Group

SAMPLED = 8
"""Files of one group that are read; of the others the head alone."""

HEAD_BYTES = 1 << 16
HELD_OUT = re.compile(
    r"(?i)(?<![a-z])(test(set|_set)?|truth|groundtruth|future|labels?|valid|validation|hold_?out|held_?out)(?![a-z])"
)
MONTH = (
    r"(?:jan(?:uary?)?|feb(?:ruary?)?|mar(?:ch|z)?|märz?|apr(?:il)?|ma[iy]|jun[ei]?|jul[iy]?|aug(?:ust)?"
    r"|sept?(?:ember)?|o[ck]t(?:ober)?|nov(?:ember)?|de[cz](?:ember)?)"
)
DATE = re.compile(
    rf"(?i)(?:(?:(?<![^\W_])(?:\d{{1,2}}|{MONTH}|[qh][1-4])[-_. ]?)+"  # 31-12-, Dec_, Q4-
    r"|(?<![a-z])|(?=\d{4}(?:年|[-_. ]?[01]\d)))"
    r"(?<!\d)(?:19|20)\d\d(?:[01]\d(?:[0-3]\d)?)?(?!\d)年?"
    rf"(?:(?>(?:[-_. ]?(?:[tw]?\d+[月日z]?|{MONTH}|[qh][1-4]))+)(?![^\W_]))?"  # -12-31T2359, _Dec, -Q4, -W52
)
"""A date, a month, a quarter or a year in a file's name, or a span of them; right after a letter no year alone."""
NO_DATA = re.compile(
    r"(?i)^(readme|licen[cs]e|provenance|copying|changelog|notice)|\.(md|py|ipynb|html?|pdf|yaml|yml)$"
)


def raw_files(path: Path) -> tuple[Path, list[str]]:
    """The folder that names are told below, and the files' names."""
    if path.is_file():
        return path.parent, [path.name]
    if path.is_dir():
        folder, pattern = path, "**/*"
    else:
        folder = next((p for p in path.parents if not re.search(r"[*?\[]", str(p))), Path())
        pattern = path.relative_to(folder).as_posix()
    found = sorted(p.relative_to(folder).as_posix() for p in folder.glob(pattern) if p.is_file())
    hidden = [name for name in found if any(part.startswith(".") for part in PurePosixPath(name).parts)]
    listed = [name for name in found if name not in hidden and not NO_DATA.search(PurePosixPath(name).name)]
    if not listed:
        raise SourceError(f"{path}: no raw file is there; name a file, a folder or a pattern such as `shop/*.csv`")
    return folder, listed


def groups(folder: Path, heads: list[Look]) -> list[Group]:
    """Files that look alike together; of each group some are read in full.

    Those held out for evaluation, by their names, are left out of a group with others.
    """
    alike: dict[tuple[Any, ...], list[Look]] = defaultdict(list)
    sequences = {(PurePosixPath(h.name).parent, h.delimiter or "\t") for h in heads if h.format == "sequences"}
    for head in heads:
        if head.format not in ("unknown", "pictures"):
            alike[_likeness(_as_sequences(head, sequences))].append(head)
    others = [head.name for head in heads]
    return _aligned([_group(folder, members, others, sequences) for members in alike.values()])


def _is_held_out(head: Look) -> bool:
    return HELD_OUT.search(PurePosixPath(head.name).name.partition(".")[0]) is not None


def _aligned(groups: list[Group]) -> list[Group]:
    """Files of one column and as many records as another file in the folder stand beside that one."""
    done = list(groups)
    for group in groups:
        mains = [g for g in done if g is not group and len(g.profiles) > 1 and _is_as_long(g, group)]
        if len(group.profiles) == 1 and len(mains) == 1:
            mains[0].profiles |= group.profiles
            mains[0].beside += group.files
            mains[0].pattern = mains[0].files[0]  # no later file has these beside it
            mains[0].doubts.append(f"{group.pattern} has as many records: its lines are taken to stand beside these")
            done.remove(group)
    return done


def _is_as_long(one: Group, other: Group) -> bool:
    """Both are one whole csv file in the same folder, with equally many records."""
    looks = (one.look, other.look)
    single = all(look.format == "csv" and look.whole for look in looks) and len(one.files) == len(other.files) == 1
    here = {PurePosixPath(look.name).parent for look in looks}
    return single and len(here) == 1 and len(one.look.records) == len(other.look.records) > 1


def _as_sequences(head: Look, sequences: set[tuple[Any, str]]) -> Look:
    """Two columns of codes beside sequences are sequences of one item each."""
    beside = (PurePosixPath(head.name).parent, head.delimiter) in sequences
    if head.format == "csv" and not head.named and len(head.header) == 2 and beside:
        return replace(head, format="sequences", header=("user", "item"), named=True, delimiter=None)
    return head


def _likeness(head: Look) -> tuple[Any, ...]:
    """Files with the same likeness are one group. Where no header tells them apart, folder and name do."""
    path = PurePosixPath(head.name)
    if head.format in ("sequences", "baskets", "matrix") or not head.named:
        return head.format, len(head.header), path.parent, path.suffix if head.format == "sequences" else path.name
    if head.header == ("@key", "@value"):
        return head.format, _stem(path), profile.depth(head.records[0][1] or "")
    return head.format, head.delimiter, frozenset(head.header), head.sheet


def _stem(path: PurePosixPath) -> str:
    return re.split(r"[_\-.\d]", path.name)[0]


def _group(folder: Path, members: list[Look], others: list[str], sequences: set[tuple[Any, str]]) -> Group:
    held = [member.name for member in members if _is_held_out(member)]
    members = [member for member in members if member.name not in held] or members
    files = [member.name for member in members]
    chosen = members[:: max(1, -(-len(files) // SAMPLED))]
    most = max(look.WHOLE_BYTES // len(chosen), HEAD_BYTES)
    looks = [_as_sequences(look.at(folder / one.name, one.name, most, one.sheet), sequences) for one in chosen]
    header = list(dict.fromkeys(name for one in looks for name in one.header))
    profiles = {name: profile.of(_together(looks, name)) for name in header}
    group = Group(_pattern(files, others), files, looks[0], profiles)
    group.doubts += [f"{one.name}: {note}" for one in looks for note in one.notes if one.format != "matrix"]
    if held:
        kept_out = not set(held) & _matched(group.pattern, others)
        what = "they are left out of `files`" if kept_out else "leave them out of `files`"
        what = "all that this block reads; remove it if so" if held == files else what
        group.doubts.append(f"held out for evaluation, by the name: {', '.join(held[:3])}: {what}")
    encodings = {one.encoding for one in looks if one.encoding}
    if len(encodings) > 1:
        group.doubts.append(f"the files differ in encoding: {', '.join(sorted(encodings))}")
    return group


def _together(looks: list[Look], name: str) -> list[str | None]:
    return [value for one in looks if name in one.header for value in one.column(one.header.index(name))]


def _pattern(files: list[str], others: list[str]) -> str:
    """The narrowest plain pattern that matches the files and, if possible, no other; of one file any date.

    A name that is a date alone stays as it is: without it every file would match.
    """
    if len(files) == 1:
        path = PurePosixPath(files[0])
        undated = path.with_name(DATE.sub("*", path.name))
        called = re.search(r"[^\W_]", undated.name.partition(".")[0])
        return undated.as_posix() if called and _matched(undated.as_posix(), others) == set(files) else files[0]
    paths = [PurePosixPath(file) for file in files]
    parents = {path.parent.as_posix() for path in paths}
    place = "" if parents == {"."} else f"{parents.pop()}/" if len(parents) == 1 else "**/"
    digits = {re.sub(r"\d+([-_]?\d+)*", "*", path.name) for path in paths}
    ends = {path.name.partition(".")[2] for path in paths}
    tries = [
        *([digits.pop()] if len(digits) == 1 else []),
        _common(paths),
        f"*.{ends.pop()}" if len(ends) == 1 else "*",
        _begun(paths),
    ]
    for pattern in (place + name for name in tries):
        if _matched(pattern, others) == set(files):
            return pattern
    return place + tries[0]


def _common(paths: list[PurePosixPath]) -> str:
    reversed_names = [path.name[::-1] for path in paths]
    return _prefix([path.name for path in paths]) + "*" + _prefix(reversed_names)[::-1]


def _begun(paths: list[PurePosixPath]) -> str:
    """With the characters in which the names first differ: `log_[ab]*.csv`."""
    names = [path.name for path in paths]
    begin, end = _prefix(names), _prefix([name[::-1] for name in names])[::-1]
    following = {name[len(begin)] for name in names if len(name) > len(begin)}
    plain = all(letter.isalnum() for letter in following)
    return f"{begin}[{''.join(sorted(following))}]*{end}" if following and plain else f"{begin}*{end}"


def _prefix(texts: list[str]) -> str:
    low, high = min(texts), max(texts)
    return low[: next((i for i, (a, b) in enumerate(zip(low, high, strict=False)) if a != b), len(low))]


def _matched(pattern: str, files: list[str]) -> set[str]:
    translated = re.escape(pattern).replace(r"\*\*/", "(.*/)?").replace(r"\*", "[^/]*")
    translated = translated.replace(r"\[", "[").replace(r"\]", "]")
    return {file for file in files if re.fullmatch(translated, file)}
