"""A draft of a source's YAML for raw files that nobody has described yet, with the evidence for each choice.

What is not certain is said in lines that begin with `# UNSURE:`. No value of a column that may hold user ids, names,
addresses, telephone numbers or the like gets into the draft.
"""

import re
from collections import defaultdict
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Any

import yaml
from pydantic import ValidationError

from tandem.data.sources import Source
from tandem.errors import SourceError
from tandem.unseen import look, names, profile, roles
from tandem.unseen.look import Look
from tandem.unseen.profile import Profile
from tandem.unseen.roles import Group, Key

SAMPLED = 8
"""Files of one group that are read; of the others the head alone."""

HEAD_BYTES = 1 << 16
START = "2000-01-01"
NO_DATA = re.compile(
    r"(?i)^(readme|licen[cs]e|provenance|copying|changelog|notice)|\.(md|py|ipynb|html?|pdf|yaml|yml)$"
)
HELD_OUT = re.compile(r"(?i)test|truth|future|label|valid|holdout")
TABLES = ("events", "products", "reviews", "users", "relations")


@dataclass(frozen=True)
class Draft:
    """The text of a draft, and what of it is doubtful."""

    text: str
    groups: tuple[Group, ...]
    unsure: tuple[str, ...]
    source: Source | None  # None where the draft does not fit `Source` yet; the text says why


@dataclass
class _Block:
    """One block of the draft: its keys, and a comment for each."""

    table: str
    keys: dict[str, Any]
    about: list[str]
    unsure: list[str]
    notes: dict[str, str]  # by canonical column


def describe(path: Path, name: str | None = None) -> Draft:
    """A draft for the file, the files of a folder, or those that a pattern such as `shop/*.csv` matches.

    Args:
        path: what to look at.
        name: the source's name; by default made from the path.

    Raises:
        SourceError: nothing is there, or it cannot be read.
    """
    folder, found = _files(path)
    called = name or _name(path)
    heads = [look.at(folder / file, file, HEAD_BYTES) for file in found]
    groups = _groups(folder, heads)
    for group in groups:
        roles.assign(group)
    links = roles.keys(groups)
    pictures = [head for head in heads if head.format == "pictures"]
    blocks, left = _blocks(groups, links, pictures)
    unread = [f"{head.name}: {'; '.join(head.notes)}" for head in heads if head.format == "unknown"]
    return _draft(called, path, groups, blocks, [*left, *unread], pictures)


def _files(path: Path) -> tuple[Path, list[str]]:
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


def _name(path: Path) -> str:
    stem = re.sub(r"[^a-z0-9]+", "_", names.key(path.stem if path.is_file() else path.name)).strip("_")
    return stem if re.match("[a-z]", stem) else f"shop_{stem}".rstrip("_")


def _groups(folder: Path, heads: list[Look]) -> list[Group]:
    """Files that look alike together; of each group some are read in full."""
    alike: dict[tuple[Any, ...], list[Look]] = defaultdict(list)
    sequences = {(PurePosixPath(h.name).parent, h.delimiter or "\t") for h in heads if h.format == "sequences"}
    for head in heads:
        if head.format not in ("unknown", "pictures"):
            alike[_likeness(_as_sequences(head, sequences))].append(head)
    others = [head.name for head in heads]
    return _aligned([_group(folder, members, others, sequences) for members in alike.values()])


def _aligned(groups: list[Group]) -> list[Group]:
    """Files of one column and as many records as another file in the folder stand beside that one."""
    done = list(groups)
    for group in groups:
        mains = [g for g in done if g is not group and len(g.profiles) > 1 and _is_as_long(g, group)]
        if len(group.profiles) == 1 and len(mains) == 1:
            mains[0].profiles |= group.profiles
            mains[0].beside += group.files
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
    return head.format, head.delimiter, frozenset(head.header)


def _stem(path: PurePosixPath) -> str:
    return re.split(r"[_\-.\d]", path.name)[0]


def _group(folder: Path, members: list[Look], others: list[str], sequences: set[tuple[Any, str]]) -> Group:
    files = [member.name for member in members]
    chosen = files[:: max(1, -(-len(files) // SAMPLED))]
    most = look.WHOLE_BYTES // len(chosen)
    looks = [_as_sequences(look.at(folder / file, file, max(most, HEAD_BYTES)), sequences) for file in chosen]
    header = list(dict.fromkeys(name for one in looks for name in one.header))
    profiles = {name: profile.of(_together(looks, name)) for name in header}
    group = Group(_pattern(files, others), files, looks[0], profiles)
    group.doubts += [f"{one.name}: {note}" for one in looks for note in one.notes if one.format != "matrix"]
    encodings = {one.encoding for one in looks if one.encoding}
    if len(encodings) > 1:
        group.doubts.append(f"the files differ in encoding: {', '.join(sorted(encodings))}")
    return group


def _together(looks: list[Look], name: str) -> list[str | None]:
    return [value for one in looks if name in one.header for value in one.column(one.header.index(name))]


def _pattern(files: list[str], others: list[str]) -> str:
    """The narrowest plain pattern that matches the files and, if possible, no other."""
    if len(files) == 1:
        return files[0]
    paths = [PurePosixPath(file) for file in files]
    parents = {path.parent.as_posix() for path in paths}
    place = "" if parents == {"."} else f"{parents.pop()}/" if len(parents) == 1 else "**/"
    digits = {re.sub(r"\d+([-_]?\d+)*", "*", path.name) for path in paths}
    ends = {path.name.partition(".")[2] for path in paths}
    tries = [
        *([digits.pop()] if len(digits) == 1 else []),
        _common(paths),
        f"*.{ends.pop()}" if len(ends) == 1 else "*",
    ]
    for pattern in (place + name for name in tries):
        if _matched(pattern, others) == set(files):
            return pattern
    return place + tries[0]


def _common(paths: list[PurePosixPath]) -> str:
    reversed_names = [path.name[::-1] for path in paths]
    return _prefix([path.name for path in paths]) + "*" + _prefix(reversed_names)[::-1]


def _prefix(texts: list[str]) -> str:
    low, high = min(texts), max(texts)
    return low[: next((i for i, (a, b) in enumerate(zip(low, high, strict=False)) if a != b), len(low))]


def _matched(pattern: str, files: list[str]) -> set[str]:
    translated = re.escape(pattern).replace(r"\*\*/", "(.*/)?").replace(r"\*", "[^/]*")
    return {file for file in files if re.fullmatch(translated, file)}


def _blocks(groups: list[Group], links: list[Key], pictures: list[Look]) -> tuple[list[_Block], list[str]]:
    """The blocks of the draft, and a sentence for each group that becomes none."""
    blocks, left = [], []
    for group in groups:
        tables = _tables(group)
        made = [_block(group, table, links, pictures) for table in tables]
        blocks += made
        if not made:
            left.append(f"{group.pattern}: {_why_left(group, links)}")
    return _joined(blocks), left


def _tables(group: Group) -> list[str]:
    """What the rows of a group may be rows of; a rating is an event and a review."""
    if group.look.format in ("sequences", "baskets", "matrix"):
        return ["events"]
    if group.look.header == ("@key", "@value"):
        return ["events"] if group.profiles["@value"].depth >= 2 else []
    has = set(group.guesses)
    product = group.of("product_id")
    if product is None:
        user = group.of("user_id")
        return ["users"] if user and user.uniqueness > 0.99 and "segment" in has and "order_id" not in has else []
    lists = ["relations"] if {"complement", "substitute"} & has and _relating(group) else []
    told = bool({"title", "category", "brand", "description", "image", "unit_price", "stock"} & has)
    somebody = bool({"user_id", "order_id", "session_id", "kind"} & has)
    if "time" in has and somebody:
        return ["events", "reviews"] if "rating" in has else ["events"]
    if "text" in has and not lists and product.uniqueness < 0.95:
        return ["reviews"]
    if product.uniqueness > 0.95 and (told or lists) and not ({"user_id", "order_id"} & has):
        return ["products", *lists]
    if "order_id" in has and "bundle" in names.key(group.column("order_id") or ""):
        return ["relations"]
    return ["events"] if "order_id" in has and "time" not in has and "user_id" not in has else []


def _relating(group: Group) -> list[tuple[str, str]]:
    """Columns of lists of products, and how these relate."""
    found = [(column, kind) for kind in ("complement", "substitute") for column in group.columns(kind)]
    return [(column, kind) for column, kind in found if group.profiles[column].type == "list"]


def _why_left(group: Group, links: list[Key]) -> str:
    refers = [f"`{k.column}` is found in `{k.key}` of {k.to}" for k in links if k.group == group.pattern]
    has = [f"`{group.column(m)}` may be {m}" for m in group.guesses]
    known = "; ".join([*has, *refers]) or "no column is recognised"
    return f"becomes no block, there are not enough columns for one of {', '.join(TABLES)} ({known})"


def _block(group: Group, table: str, links: list[Key], pictures: list[Look]) -> _Block:
    block = _Block(table, {"files": group.pattern, "format": group.look.format}, [], [], {})
    block.about += [f"{len(group.files)} files like {group.files[0]}"] if len(group.files) > 1 else []
    _set_reading(group, block)
    if group.look.format in ("sequences", "baskets", "matrix") or group.look.header == ("@key", "@value"):
        _map_unnamed(group, block)
    elif table == "relations":
        _map_relations(group, block)
    else:
        _map_columns(group, block, links, pictures)
    ours = {meaning for _, meaning in _wanted(table)} if table != "relations" else set()
    block.unsure += [*group.doubts, *(doubt for meaning, doubt in group.rivals.items() if meaning in ours)]
    if held := [file for file in group.files if HELD_OUT.search(PurePosixPath(file).name)]:
        block.unsure.append(
            f"held out for evaluation, by the name: {', '.join(held[:3])}; leave such files out of `files`"
        )
    return block


def _set_reading(group: Group, block: _Block) -> None:
    one = group.look
    if one.encoding not in (None, "utf-8"):
        block.keys["encoding"] = one.encoding
    if one.format == "csv" and one.delimiter not in (None, ","):
        block.keys["delimiter"] = one.delimiter
    if one.format == "csv" and not one.named:
        block.keys["header"] = list(one.header)
        block.unsure.append("no line of names: rename the columns of `header` after what they hold")
    if group.beside:
        block.keys["beside"] = group.beside
    if len(one.sheets) > 1:
        block.keys["sheet"] = one.sheets[0]
        block.unsure.append(f"only the first of the sheets {', '.join(one.sheets)} was looked at")


def _map_unnamed(group: Group, block: _Block) -> None:
    """Events of formats that have no names for their columns."""
    one = group.look
    ordinal = {"ordinal": "@place_1", "start": START, "step_minutes": 1440}
    match one.format:
        case "sequences":
            columns: dict[str, Any] = {"product_id": "item", "user_id": "user", "time": ordinal}
        case "baskets":
            columns = {
                "product_id": "item",
                "order_id": "@row",
                "time": ordinal | {"ordinal": "@row", "step_minutes": 1},
            }
            block.unsure.append("lines may begin with a user's id, which would make them `sequences`")
        case "matrix":
            place = "@row" if one.window else "row"  # what holds users is mapped to nothing else
            columns = {"product_id": "column", "time": ordinal | {"ordinal": place, "step_minutes": 1}}
            columns |= {"user_id": "row"} if one.window else {"order_id": "row", "quantity": "value"}
            block.about += list(one.notes)
            block.unsure.append("rows are taken for users" if one.window else "rows are taken for baskets")
            if one.window:
                border, first, end = one.window
                block.keys["matrix"] = {"rows": [0, border], "columns": [first, end]}
        case _:
            columns = {"product_id": "@value", "user_id": "@key", "time": ordinal}
            block.keys["explode"] = ["@value"] * group.profiles["@value"].depth
            block.unsure.append("negative numbers among the items may be marks, not products: refuse them by a rule")
    block.keys["columns"] = columns
    block.unsure.append(f"no times: places in order count as times from {START} on")
    _set_kind(group, block)


def _map_relations(group: Group, block: _Block) -> None:
    product = group.column("product_id")
    lists = _relating(group)
    if lists:
        names_of = "|".join(re.escape(column) for column, _ in lists)
        block.keys |= {"unpivot": {"columns": f"^({names_of})$"}, "explode": ["@value"]}
        block.keys |= {"columns": {"product_id": product, "other_id": "@value"}}
        block.keys["kind"] = {"column": "@name", "values": dict(lists)}
        return
    by = group.column("order_id")
    block.keys["pairs"] = {"by": by, "of": product}
    block.keys |= {"columns": {"product_id": "@first", "other_id": "@second"}, "kind": "complement"}
    block.unsure.append(f"products that share `{by}` are taken for complements")


def _map_columns(group: Group, block: _Block, links: list[Key], pictures: list[Look]) -> None:
    columns: dict[str, Any] = {}
    for ours, meaning in _wanted(block.table):
        raw = group.column(meaning)
        if raw is None:
            continue
        found = group.profiles[raw]
        columns[ours] = _cell(ours, raw, group, pictures)
        block.notes[ours] = _evidence(group, meaning, links)
        if found.type == "whole" and ours.endswith("_id"):
            block.keys.setdefault("integers", []).append(ours)
        if found.type in ("money", "decimal_comma"):
            block.unsure.append(f"`{raw}` is written with {_written(found)}, which is not read as a number yet")
    if block.table in ("events", "reviews") and "time" not in columns:
        columns["time"] = {"ordinal": "@row", "start": START, "step_minutes": 1}
        block.unsure.append(f"no times: the order of rows counts as times from {START} on")
    block.keys["columns"] = columns
    _set_picture(group, block, pictures)
    _set_time(group, block)
    _set_attributes(group, block)
    if block.table == "events":
        _set_kind(group, block)
        _set_sessions(group, block)
        _note_oddities(group, block)


def _written(found: Profile) -> str:
    return f"a sign of {found.currency}" if found.type == "money" and found.currency else "a comma"


def _wanted(table: str) -> list[tuple[str, str]]:
    """Columns of the table that may be mapped, each with the meaning that fits."""
    events = ("product_id", "user_id", "time", "session_id", "order_id", "quantity", "unit_price")
    products = ("product_id", "title", "description", "category", "brand", "unit_price", "stock", "image")
    reviews = ("product_id", "user_id", "time", "rating", "headline", "text", "language")
    listed = {"events": events, "products": products, "reviews": reviews, "users": ("user_id",)}[table]
    ours = {"headline": "title", "unit_price": "price" if table == "products" else "unit_price"}
    return [(ours.get(meaning, meaning), meaning) for meaning in listed]


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


def _set_picture(group: Group, block: _Block, pictures: list[Look]) -> None:
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


def _set_time(group: Group, block: _Block) -> None:
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


def _set_attributes(group: Group, block: _Block) -> None:
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


def _set_kind(group: Group, block: _Block) -> None:
    """The kind, by a column's values, by codes in common use, or by what else is there."""
    raw, found = group.column("kind"), group.of("kind")
    if raw and found:
        known = roles.kinds(found) or roles.codes(found)
        counted = ", ".join(f"{value} × {count}" for value, count in found.top)
        block.keys["kind"] = {"column": raw, "values": {v: known.get(v) for v, _ in sorted(found.top)}}
        block.notes["kind"] = counted
        if not roles.kinds(found):
            block.unsure.append(
                f"what the codes of `{raw}` mean ({counted}): as in logs with codes like these; ask the shop"
            )
        if strange := [value for value, _ in found.top if value not in known]:
            block.unsure.append(f"`{raw}` = {', '.join(strange)}: kinds unknown, such rows are left out by `null`")
        return
    words = {word: kind for kind, listed in roles.KINDS.items() if kind for word in listed.split()}
    parts = re.split(r"[^a-z]+", group.pattern.casefold())
    by_name = next((words[part.rstrip("s")] for part in parts if part.rstrip("s") in words), None)
    sold = {"order_id", "quantity"} & group.guesses.keys() or "order_id" in block.keys["columns"]
    block.keys["kind"] = by_name or ("purchase" if sold else "view")
    if not by_name:
        why = "there are orders or pieces" if sold else "nothing says what was done"
        block.unsure.append(f"kind of events: {block.keys['kind']}, because {why}; no column tells it")


def _set_sessions(group: Group, block: _Block) -> None:
    """A pause of half an hour ends a session, where users and clock times are told and sessions are not."""
    time = group.of("time")
    told = {"session_id", "order_id"} & group.guesses.keys()
    if time and time.time and "user_id" in group.guesses and not told:
        clock = ":" in time.top[0][0] or time.time.formats[0].startswith("unix")
        block.keys |= {"session_gap_minutes": 30} if clock else {}


def _note_oddities(group: Group, block: _Block) -> None:
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


def _evidence(group: Group, meaning: str, links: list[Key]) -> str:
    raw = group.column(meaning) or ""
    found, guess = group.profiles[raw], group.guesses[meaning][0]
    kind = {"whole": "integer written like 17850.0"}.get(found.type, found.type)
    kind = "time" if meaning == "time" else kind
    told = [f"{guess.why} ({guess.score:.2f}): {kind}", f"{found.distinct} different in {found.count}"]
    told += [f"{found.share_missing:.1%} missing"] if found.missing else []
    if found.time and meaning == "time":
        told.append(f"{found.time.earliest} … {found.time.latest}{', rising' if found.time.rising else ''}")
    elif found.low is not None and meaning not in roles.WITHHELD:
        told.append(f"{found.low:g} … {found.high:g}")
    refers = [k for k in links if (k.group, k.column) == (group.pattern, raw)]
    told += [f"{k.share:.0%} are in `{k.key}` of {k.to}" for k in refers[:2]]
    shown = [] if meaning in roles.WITHHELD else found.shown(3)
    told.append(f"such as {', '.join(map(repr, shown))}" if shown else "samples withheld")
    return "; ".join(told)


def _joined(blocks: list[_Block]) -> list[_Block]:
    """Blocks of products with one key made one by `join`, so that each product has one row."""
    products = [block for block in blocks if block.table == "products"]
    done: list[_Block] = []
    for block in products:
        raw = block.keys["columns"]["product_id"]
        same = [b for b in done if b.keys["columns"]["product_id"] == raw and "join" not in b.keys]
        if same and block.keys["format"] == same[0].keys["format"] == "csv":
            _join(same[0], block, raw)
        else:
            done.append(block)
    return [block for block in blocks if block.table != "products" or block in done]


def _join(into: _Block, other: _Block, raw: str) -> None:
    into.keys["join"] = {"files": other.keys["files"], "by": raw}
    new = {ours: cell for ours, cell in other.keys["columns"].items() if ours not in into.keys["columns"]}
    into.keys["columns"] |= new
    into.notes |= {ours: other.notes[ours] for ours in new}
    into.about.append(f"{other.keys['files']} has the same key and tells {', '.join(new) or 'nothing new'}")
    into.unsure += other.unsure


def _draft(
    name: str, path: Path, groups: list[Group], blocks: list[_Block], left: list[str], pictures: list[Look]
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


def _head(name: str, path: Path, groups: list[Group], blocks: list[_Block]) -> tuple[list[str], list[str]]:
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


def _told_by_events(groups: list[Group], blocks: list[_Block]) -> list[str]:
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


def _lines(block: _Block) -> list[str]:
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
