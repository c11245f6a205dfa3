"""The flaws that real exports have, planted at known rates and counted.

Every row carries at most one flaw, by name in the column `flaw` (empty: none), so that the counts in
the truth are exact. What a reader should do with a flaw is its outcome:

    duplicate  the row stands there already, cell by cell
    refused    the row cannot be an event, review, …; it must be left out, with a reason
    repaired   the row is kept and its value put right
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd

Cells = pd.Series
Mark = Callable[[pd.DataFrame], pd.Series]  # which rows, of a table of cells


@dataclass(frozen=True)
class Flaw:
    """One kind of flaw in one column.

    `share` is of all rows, or of those where the column `where[0]` holds `where[1]`.
    """

    name: str
    outcome: Literal["duplicate", "refused", "repaired"]
    share: float
    column: str
    spoil: Callable[[Cells], Any]
    where: tuple[str, str] | None = None


VIEWS, ORDERS = ("Action", "view"), ("Action", "order")

EVENT_FLAWS = (
    Flaw("kind_not_used", "refused", 0.004, "Action", lambda cells: "compare", VIEWS),
    Flaw("unknown_kind", "refused", 0.002, "Action", lambda cells: "undefined", VIEWS),
    Flaw("missing_product_id", "refused", 0.001, "Article", lambda cells: "", VIEWS),
    Flaw("unreadable_time", "refused", 0.002, "Date", lambda cells: _cycle(cells, "n/a", "2026-13-45 10:00:00")),
    Flaw("price_not_positive", "refused", 0.004, "Price", lambda cells: _cycle(cells, "0.00", "-1.00"), ORDERS),
    Flaw("quantity_not_positive", "refused", 0.002, "Qty", lambda cells: "0", ORDERS),
    Flaw("spaces_around_id", "repaired", 0.01, "Article", lambda cells: " " + cells + " "),
    Flaw("lower_case_id", "repaired", 0.01, "Article", lambda cells: cells.str.lower()),
)
REVIEW_FLAWS = (
    Flaw("unknown_product", "refused", 0.01, "article", lambda cells: cells.str.replace("TD-", "TX-")),
    Flaw("unreadable_time", "refused", 0.004, "created", lambda cells: "yesterday"),
    Flaw("rating_out_of_range", "refused", 0.005, "stars", lambda cells: 0),
    Flaw("lower_case_id", "repaired", 0.01, "article", lambda cells: cells.str.lower()),
)
SHEET_FLAWS = (
    Flaw("double_spaces", "repaired", 0.05, "Title", lambda cells: cells.str.replace(" ", "  ")),
    Flaw("spaces_around_id", "repaired", 0.03, "Article", lambda cells: cells + " "),
)
CUSTOMER_FLAWS = (Flaw("missing_user_id", "refused", 0.005, "CustomerNo", lambda cells: ""),)
SECOND_PRODUCT = Flaw("second_row_for_product", "refused", 0.01, "Price", lambda cells: cells + 1)
SECOND_CUSTOMER = Flaw("second_row_for_user", "refused", 0.01, "Region", lambda cells: "abroad")
DUPLICATE = Flaw("duplicate", "duplicate", 0.01, "flaw", lambda cells: "duplicate")

_NAMED = (*EVENT_FLAWS, *REVIEW_FLAWS, *SHEET_FLAWS, *CUSTOMER_FLAWS, SECOND_PRODUCT, SECOND_CUSTOMER, DUPLICATE)
OUTCOMES = {flaw.name: flaw.outcome for flaw in _NAMED}
OUTCOMES |= {"not_a_product": "refused", "stock_correction": "refused"}


def spoil(table: pd.DataFrame, flaws: Sequence[Flaw], rng: np.random.Generator) -> pd.DataFrame:
    """The table with each flaw in its share of the rows that have none yet, at least one row each."""
    table = table.copy()
    for flaw in flaws:
        fitting = np.ones(len(table), bool) if flaw.where is None else table[flaw.where[0]] == flaw.where[1]
        chosen = _some(table, fitting, flaw.share, rng)
        table.loc[chosen, flaw.column] = flaw.spoil(table.loc[chosen, flaw.column])
        table.loc[chosen, "flaw"] = flaw.name
    return table


def repeat(table: pd.DataFrame, flaw: Flaw, rng: np.random.Generator) -> pd.DataFrame:
    """The table with a second copy, spoiled by `flaw`, right after a share of the rows without flaw."""
    chosen = _some(table, np.ones(len(table), bool), flaw.share, rng)
    copies = table.loc[chosen].assign(flaw=flaw.name)
    copies[flaw.column] = flaw.spoil(copies[flaw.column])
    return pd.concat([table, copies]).sort_index(kind="stable").reset_index(drop=True)


def account(table: pd.DataFrame, marks: Mapping[str, Mark]) -> dict[str, Any]:
    """Exact counts of one file: rows = kept + duplicates + refused, and how many of those kept bear each mark."""
    counts = {str(name): int(n) for name, n in table["flaw"].value_counts().sort_index().items()}
    refused, repaired = ({k: n for k, n in counts.items() if OUTCOMES.get(k) == o} for o in ("refused", "repaired"))
    good = kept(table)
    return {
        "rows": len(table),
        "kept": len(good),
        "duplicates": counts.get(DUPLICATE.name, 0),
        "refused": refused,
        "repaired": repaired,
        "marked": {name: int(mark(good).sum()) for name, mark in marks.items()},
    }


def kept(table: pd.DataFrame) -> pd.DataFrame:
    """The rows that a reader should keep."""
    lost = [name for name, outcome in OUTCOMES.items() if outcome != "repaired"]
    return table[~table["flaw"].isin(lost)]


def _some(table: pd.DataFrame, fitting: Any, share: float, rng: np.random.Generator) -> pd.Index:
    candidates = table.index[np.asarray(fitting) & (table["flaw"] == "").to_numpy()]
    return candidates[np.sort(rng.permutation(len(candidates))[: max(1, round(share * len(candidates)))])]


def _cycle(cells: Cells, *values: str) -> list[str]:
    return [values[i % len(values)] for i in range(len(cells))]
