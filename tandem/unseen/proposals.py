"""Which blocks groups of files are proposed to become, and why the others become none."""

import re
from dataclasses import dataclass
from typing import Any

from tandem.unseen import doubts, names, nested
from tandem.unseen.blocks import START, Proposal, wanted
from tandem.unseen.columns import map_columns, set_kind
from tandem.unseen.look import Look
from tandem.unseen.roles import Group, Key

TABLES = ("events", "products", "reviews", "users", "relations")


@dataclass(frozen=True)
class Left:
    """Files that become no block, and why."""

    sentence: str
    unsure: bool  # they may well be what a block is for


def of(groups: list[Group], links: list[Key], pictures: list[Look]) -> tuple[list[Proposal], list[Left]]:
    """The blocks of the draft, and the groups that become none."""
    blocks, left = [], []
    for group in groups:
        made = [_block(group, table, links, pictures) for table in _tables(group)]
        blocks += made
        if not made:
            left.append(_left(group, links))
    return _each_file_once(_joined(blocks), left), left


def _each_file_once(blocks: list[Proposal], left: list[Left]) -> list[Proposal]:
    """Without second sheets of a workbook for one table: a file is in one block of a table only."""
    kept: dict[tuple[str, Any], Proposal] = {}
    for block in blocks:
        first = kept.setdefault((block.table, block.keys["files"]), block)
        if first is not block and "sheet" in block.keys:
            sentence = f"holds {block.table} as sheet {first.keys.get('sheet')} does; a file is in one block of a table"
            left.append(Left(f"{block.groups[0].label}: {sentence}: save it as a file of its own", unsure=True))
    return [block for block in blocks if block in kept.values() or "sheet" not in block.keys]


def _tables(group: Group) -> list[str]:
    """What the rows of a group may be rows of; a rating is an event and a review, a text a review alone."""
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
    if "time" in has and (found := _dated(has)):
        return found
    if "text" in has and not lists and product.uniqueness < 0.95:
        return ["reviews"]
    told = bool({"title", "category", "brand", "description", "image", "unit_price", "stock"} & has)
    if product.uniqueness > 0.95 and (told or lists) and not ({"user_id", "order_id"} & has):
        return ["products", *lists]
    if "order_id" in has and "bundle" in names.key(group.column("order_id") or ""):
        return ["relations"]
    return ["events"] if "order_id" in has and "time" not in has and "user_id" not in has else []


def _dated(has: set[str]) -> list[str]:
    """Tables of rows with a product and a time."""
    if "text" in has and not {"rating", "kind", "quantity", "unit_price"} & has:
        return ["reviews"]
    if {"kind", "order_id", "session_id", "quantity", "user_id"} & has:
        return ["events", "reviews"] if "rating" in has else ["events"]
    return ["reviews"] if "rating" in has else []


def _relating(group: Group) -> list[tuple[str, str]]:
    """Columns of lists of products, and how these relate."""
    found = [(column, kind) for kind in ("complement", "substitute") for column in group.columns(kind)]
    return [(column, kind) for column, kind in found if group.profiles[column].type == "list"]


def _left(group: Group, links: list[Key]) -> Left:
    """Why the group becomes no block, by the column that is missing."""
    refers = [f"`{k.column}` is found in `{k.key}` of {k.to}" for k in links if k.group == group.label]
    dated = {"product_id", "time"} <= group.guesses.keys()
    nests = nested.doubt(group)
    known = "; ".join([*([nests] if nests else []), *refers])
    sentence = f"{group.label}: becomes no block: {_missing(group)}{f'; {known}' if known else ''}"
    return Left(sentence, unsure=dated or nests is not None)


def _missing(group: Group) -> str:
    """Which column is missing for rows of this kind to be rows of a table."""
    has = {meaning: group.column(meaning) for meaning in ("product_id", "time", "user_id")}
    if has["product_id"] and has["time"]:
        return f"{doubts.no_user(group)}; nor does an order, a session, a kind or a number of pieces say what was done"
    product = group.of("product_id")
    if product and product.uniqueness > 0.95:
        return f"events need a time, products a title, category, brand or price beside `{has['product_id']}`"
    if product:
        return f"events need a time, and none is found; as products, `{has['product_id']}` has to differ in each row"
    if has["time"]:
        return "events need a product, and no column looks like its id"
    if has["user_id"]:
        return f"events need a product and a time; users need `{has['user_id']}` once each, beside a region or the like"
    return f"no column looks like the id of a product or a user; tables are {', '.join(TABLES)}"


def _block(group: Group, table: str, links: list[Key], pictures: list[Look]) -> Proposal:
    block = Proposal(table, {"files": group.pattern, "format": group.look.format}, [], [], {}, [group])
    _set_reading(group, block)
    if group.look.format in ("sequences", "baskets", "matrix") or group.look.header == ("@key", "@value"):
        _map_unnamed(group, block)
    elif table == "relations":
        _map_relations(group, block)
    else:
        map_columns(group, block, links, pictures)
        doubts.note(group, block)
        nests = nested.doubt(group) if table == "events" else None
        block.unsure += [nests] if nests else []
    ours = {meaning for _, meaning in wanted(table)} if table != "relations" else set()
    block.unsure += [*group.doubts, *(doubt for meaning, doubt in group.rivals.items() if meaning in ours)]
    return block


def _set_reading(group: Group, block: Proposal) -> None:
    one = group.look
    if one.encoding not in (None, "utf-8"):
        block.keys["encoding"] = one.encoding
    if one.format == "csv" and one.delimiter not in (None, ","):
        block.keys["delimiter"] = one.delimiter
    if one.format == "csv" and not one.named:
        block.keys["header"] = list(one.header)
        block.unsure.append("no line of names: rename the columns of `header` after what they hold")
    if one.format == "csv" and one.title_lines:
        block.keys["header"] = list(one.header)
        block.unsure.append(
            f"line {one.title_lines + 1} looks like the header: no key skips lines, so `header` says the names and the "
            "lines down to it are refused as rows; better have them left out of the export"
        )
    if group.beside:
        block.keys["beside"] = group.beside
    if one.sheet:
        block.keys["sheet"] = one.sheet


def _map_unnamed(group: Group, block: Proposal) -> None:
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
    set_kind(group, block)


def _map_relations(group: Group, block: Proposal) -> None:
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


def _joined(blocks: list[Proposal]) -> list[Proposal]:
    """Blocks of products with one key made one by `join`, so that each product has one row."""
    products = [block for block in blocks if block.table == "products"]
    done: list[Proposal] = []
    for block in products:
        raw = block.keys["columns"]["product_id"]
        same = [b for b in done if b.keys["columns"]["product_id"] == raw and "join" not in b.keys]
        if same and block.keys["format"] == same[0].keys["format"] == "csv":
            _join(same[0], block, raw)
        else:
            done.append(block)
    return [block for block in blocks if block.table != "products" or block in done]


def _join(into: Proposal, other: Proposal, raw: str) -> None:
    into.keys["files"] = _named(into)
    into.keys["join"] = {"files": _named(other), "by": raw}
    new = {ours: cell for ours, cell in other.keys["columns"].items() if ours not in into.keys["columns"]}
    into.keys["columns"] |= new
    into.notes |= {ours: other.notes[ours] for ours in new}
    into.about.append(f"{_named(other)} has the same key and tells {', '.join(new) or 'nothing new'}")
    into.unsure += other.unsure
    into.groups += other.groups


def _named(block: Proposal) -> str:
    """Its one file by name, for a later export has another file beside it; of several, the pattern."""
    files = block.groups[0].files
    return files[0] if len(files) == 1 else str(block.keys["files"])
