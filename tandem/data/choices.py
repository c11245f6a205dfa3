"""One text for each product that several are told of, the same every time, and a record of what was not chosen."""

from collections.abc import Mapping
from typing import Any

import ibis
import ibis.expr.types as ir


def ranked(told: ir.Table) -> ir.Table:
    """Every different text of a product, best first: told most often, then latest, then alphabetically first.

    Args:
        told: `product_id`, `text` (null says nothing) and `time`, one row for each time that it was told.

    Returns:
        `product_id`, `text`, `times`, `latest` and `place`, 0 for the chosen one.
    """
    said = told.filter(told.text.notnull())
    counted = said.group_by("product_id", "text").agg(times=ibis._.count(), latest=ibis._.time.max())
    best = ibis.window(group_by="product_id", order_by=[ibis.desc("times"), ibis.desc("latest"), "text"])
    return counted.mutate(place=ibis.row_number().over(best))


def chosen(texts: ir.Table) -> ir.Table:
    """`product_id` and `text`, one row per product, of what `ranked` gives."""
    return texts.filter(texts.place == 0).select("product_id", "text")


def record(texts: Mapping[str, ir.Table], examples: int) -> dict[str, dict[str, Any]]:
    """For each column, how many products have several texts, how many were not chosen, and the first products.

    Args:
        texts: what `ranked` gives, by column of products.
        examples: how many products are written out, those with the most texts first.
    """
    return {name: _record(ranked, examples) for name, ranked in texts.items()}


def _record(texts: ir.Table, examples: int) -> dict[str, Any]:
    lost = texts.filter(texts.place > 0).group_by("product_id").agg(others=ibis._.count())
    total = lost.aggregate(products=lost.count(), others=lost.others.sum()).to_pyarrow().to_pylist()[0]
    first = lost.order_by([ibis.desc("others"), "product_id"]).limit(examples)
    rows = texts.join(first, "product_id").order_by([ibis.desc("others"), "product_id", "place"])
    of_product: dict[str, list[list[Any]]] = {}
    for row in rows.select("product_id", "text", "times").to_pyarrow().to_pylist():
        of_product.setdefault(row["product_id"], []).append([row["text"], row["times"]])
    told = [{"product_id": product, "chosen": found[0], "others": found[1:]} for product, found in of_product.items()]
    return {"products": total["products"], "others": total["others"] or 0, "first": told}
