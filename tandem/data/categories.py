"""Category paths in one spelling: levels that differ in case, width or white space alone are one category."""

import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable

import ibis
import ibis.expr.types as ir
import pyarrow as pa

BETWEEN = "\x1f"
"""Stands between the levels of a path written as one text."""


def unify(products: ir.Table, store: Callable[[ir.Table | pa.Table], ir.Table]) -> tuple[ir.Table, dict[str, int]]:
    """The products with their `category` in one spelling, and how many products `changed` and spellings were `unified`.

    Of the spellings of a level the one that most products have is taken, of equals the alphabetically first. Only
    the different paths, which are few, leave the engine.

    Args:
        products: any columns, `category` among them, which may be missing.
        store: keeps the table of paths.
    """
    keyed = products.mutate(path=products.category.join(BETWEEN))
    counted = keyed.filter(keyed.path.notnull()).group_by("path").agg(products=ibis._.count()).to_pyarrow()
    paths = dict(zip(counted["path"].to_pylist(), counted["products"].to_pylist(), strict=True))
    unified = one_spelling(paths)
    changed = {path: new for path, new in unified.items() if new != path}
    counts = {"changed": sum(paths[path] for path in changed), "unified": len(paths) - len(set(unified.values()))}
    if not changed:
        return products, counts
    columns = {"path": pa.array(changed, pa.string()), "new": pa.array(map(_levels, changed.values()), _PATH)}
    joined = keyed.left_join(store(pa.table(columns)), "path")
    return joined.mutate(category=joined.new.coalesce(joined.category)).select(products.columns), counts


def one_spelling(paths: dict[str, int]) -> dict[str, str]:
    """Every path, its levels joined by `BETWEEN`, and how it is spelled; a level that repeats the one above goes.

    Args:
        paths: how many products have each.
    """
    levels = {path: [_plain(level) for level in _levels(path)] for path in paths}
    seen: dict[str, Counter[str]] = {}
    for path, named in levels.items():
        for level in named:
            seen.setdefault(level.casefold(), Counter())[level] += paths[path]
    spelled = {key: min(spellings, key=lambda text: (-spellings[text], text)) for key, spellings in seen.items()}
    return {path: BETWEEN.join(_collapsed(spelled[level.casefold()] for level in levels[path])) for path in paths}


def _plain(level: str) -> str:
    return " ".join(unicodedata.normalize("NFKC", level).split())


def _collapsed(levels: Iterable[str]) -> list[str]:
    kept: list[str] = []
    for level in levels:
        if level and (not kept or kept[-1] != level):
            kept.append(level)
    return kept


def _levels(path: str) -> list[str]:
    return path.split(BETWEEN) if path else []


_PATH = pa.list_(pa.string())
