"""Which relation two products have, as far as behaviour tells: complement, substitute, or neither.

A complement is bought with the other or after it beyond chance, and no less so than it is looked at together; a
substitute is looked at together, or bought instead, beyond chance, and less so bought together. That two products were
ever seen together says nothing: in a busy shop nearly all were.

Source: McAuley et al. 2015 (what "also viewed" and "also bought" tell), Hao et al. 2020 (P-Companion: complement =
bought together minus viewed together); here against chance, and lifts against each other.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Literal, TypeVar

import numpy as np
import scipy.sparse as sp
import scipy.stats
from numpy.typing import NDArray

from tandem.features import strength
from tandem.features.dataset import Dataset
from tandem.features.graph import DIRECTED, KINDS, Kind, edges
from tandem.features.pairs import Pairs
from tandem.features.products import ProductFeatures

Values = NDArray[np.float64]
Flags = NDArray[np.bool_]
Value = TypeVar("Value", bound=np.generic)

BLOCK = 65_536
"""Pairs whose vectors, or neighbours, are in memory at once."""

RELATIONS = ("neither", "complement", "substitute")
NEITHER, COMPLEMENT, SUBSTITUTE = range(len(RELATIONS))
"""Places in RELATIONS: what labels are, and columns of probabilities."""


@dataclass(frozen=True, eq=False)
class Relations:
    """Directed pairs of products that anything speaks for, each in both directions, in order of a, then b."""

    a: NDArray[np.int32]  # (pairs,)
    b: NDArray[np.int32]  # (pairs,)
    complement: Values  # (pairs,) score of b as complement of a
    complement_q: Values  # (pairs,) false discovery rate; 1 where other evidence speaks against it
    substitute: Values  # (pairs,) score, the same in both directions
    substitute_q: Values  # (pairs,) as above
    forward: Values  # (pairs,) above 0 where a comes first: `precedence`
    kind: NDArray[np.int8]  # (pairs,) place in RELATIONS: the one whose q is small enough to be believed

    def __len__(self) -> int:
        return len(self.a)


Evidence = Mapping[Kind, Pairs]
"""The same pairs counted by each kind of edge, 0 where a kind has none."""


@lru_cache(maxsize=2)
def label(dataset: Dataset) -> Relations:
    """Relations by views and purchases; in a shop that knows no views substitutes by what serves the same need.

    Remembered for the two datasets that take turns.
    """
    found = evidence(dataset)
    if len(dataset.views):
        return _by_views(found, dataset.params.graph.false_discovery)
    return _by_needs(found, dataset)


def evidence(dataset: Dataset) -> Evidence:
    """Every pair that an edge of any kind joins, both ways round, with its counts of every kind.

    Rows are those of `strength.given_sizes`, by which chance is judged.
    """
    counted = {kind: edges(dataset, kind) for kind in KINDS}
    joined = sp.csr_array((dataset.vocabulary.size,) * 2)
    for kind, pairs in counted.items():
        there = pairs.matrix(np.ones(len(pairs)))
        joined = joined + there + there.T if kind in DIRECTED else joined + there
    joined.sort_indices()
    a, b = (of.astype(np.int32) for of in joined.tocoo().coords)
    return {kind: strength.given_sizes(at(pairs, a, b)) for kind, pairs in counted.items()}


def at(pairs: Pairs, a: NDArray[np.int32], b: NDArray[np.int32]) -> Pairs:
    """What was counted of these pairs, 0 where nothing was."""
    place = _place(pairs, a, b)
    n, weight = (np.append(of, 0.0)[place] for of in (pairs.n, pairs.weight))
    return replace(pairs, a=a, b=b, n=n, weight=weight)


def _place(pairs: Pairs, a: NDArray[np.integer], b: NDArray[np.integer]) -> NDArray[np.int64]:
    """(asked,) where these pairs stand, -1 where they do not."""
    size = len(pairs.source)
    known, asked = (x.astype(np.int64) * size + y for x, y in ((pairs.a, pairs.b), (a, b)))
    place = np.searchsorted(known, asked)
    return np.where(np.append(known, -1)[place] == asked, place, -1)


def mirrored(pairs: Pairs, values: NDArray[Value]) -> NDArray[Value]:
    """(pairs,) the value of b → a where that of a → b stands; every pair must be there both ways round."""
    places = pairs.matrix(np.arange(len(pairs), dtype=np.float64))
    return values[places.tocsc().data.astype(np.int64)]  # column by column: in order of b, then a


def numbers(found: Evidence, back: Evidence) -> tuple[tuple[str, ...], NDArray[np.float32]]:
    """What a network may read of each pair: names, and (pairs, names) NaN where the shop knows nothing of a kind.

    For each kind log(1 + n), `surprise` and the log lift, the last of n + ½; of `after` and `instead` also those of
    b → a, under the same name with `back`; and `precedence`.

    Args:
        found: any pairs a → b.
        back: the same pairs the other way round, b → a, in the same order; directed kinds suffice.
    """
    columns: dict[str, Values] = {}
    for kind, pairs in found.items():
        ways = {"": pairs, "_back": back[kind]} if kind in DIRECTED else {"": pairs}
        for name, of in (("count", _log_count), ("surprise", surprise), ("log_lift", log_lift)):
            for way, counted in ways.items():
                columns[f"{kind}_{name}{way}"] = of(counted) if counted.rows else np.full(len(counted), np.nan)
    columns["precedence"] = precedence(found, back["after"].n)
    return tuple(columns), np.column_stack(list(columns.values())).astype(np.float32)


def _log_count(pairs: Pairs) -> Values:
    return np.log1p(pairs.n)


def precedence(found: Evidence, back: Values) -> Values:
    """(pairs,) how much speaks for a coming first: the order in time, and what sells without the other.

    (m_ab - m_ba) / √(m_ab + m_ba) + ½ ln(n_b / n_a), m the counts of `after`, those of b → a in `back`, n baskets; the
    first is about a standard normal where order says nothing, the second half the log ratio of the two confidences. Of
    two products that call for each other it is the accessory that also sells alone.
    """
    there, baskets = found["after"].n, found["together"]
    apart = (there - back) / np.sqrt(np.maximum(there + back, 1))
    return apart + 0.5 * np.log((baskets.of_b + 1) / (baskets.of_a + 1))


def surprise(pairs: Pairs) -> Values:
    """(pairs,) ± √G²: about a standard normal where only chance is at work; 0 in kinds without rows."""
    if not pairs.rows:
        return np.zeros(len(pairs))
    ratio = strength.log_likelihood_ratio(pairs)
    return np.sign(ratio) * np.sqrt(np.abs(ratio))


def _by_views(found: Evidence, level: float) -> Relations:
    bought, seen, over = _bought(found), found["viewed"], _over(found)
    shown = np.maximum(surprise(seen), surprise(found["instead"]))
    shown = np.maximum(shown, mirrored(seen, shown))
    together = surprise(found["together"])
    goes = np.where(over <= 0, _q(found, ("together", "after")), 1.0)
    like = np.where(over > 0, _q(found, ("viewed", "instead"), either_way=True), 1.0)
    return _relations(
        found,
        level,
        complement=bought - np.maximum(over, 0),
        complement_q=goes,
        substitute=shown - np.maximum(together, 0),
        substitute_q=np.where(_beside(seen, like <= level, goes <= level, shown), 1.0, like),
    )


def _beside(pairs: Pairs, like: Flags, goes: Flags, shown: Values) -> Flags:
    """(pairs,) whether b goes with a product z that is more like a than b is: seen beside it, b is no substitute of a.

    Who compares two phones and takes a case for one of them has looked at the other phone and the case together.
    """
    goes = goes | mirrored(pairs, goes)
    begin, with_z = np.searchsorted(pairs.a[goes], np.arange(len(pairs.source) + 1)), pairs.b[goes]
    found = np.zeros(len(pairs), bool)
    for likes in np.array_split(np.flatnonzero(like), 1 + np.count_nonzero(like) // BLOCK):
        z = pairs.b[likes]
        paths = begin[z + 1] - begin[z]
        first = np.repeat(begin[z] - (np.cumsum(paths) - paths), paths)
        place = _place(pairs, np.repeat(pairs.a[likes], paths), with_z[first + np.arange(paths.sum())])
        found[place[(place >= 0) & (shown[place] < np.repeat(shown[likes], paths))]] = True
    return found | mirrored(pairs, found)


def _by_needs(found: Evidence, dataset: Dataset) -> Relations:
    """Substitutes serve the same need at a like price, are seldom in one basket, and buyers go from one to the other.

    Both must be beyond chance, so that the larger of the two p counts.
    """
    bought, later = found["together"], found["after"]
    needed = same_need(dataset, bought.a, bought.b)
    chance = np.maximum(_chance_of_need(dataset, found, "together"), _chance_of_need(dataset, found, "after"))
    moved, together = surprise(later), surprise(bought)
    moved = (moved + mirrored(later, moved)) / np.sqrt(2)
    like = strength.false_discovery_rate(np.where(needed, chance, 1.0))
    return _relations(
        found,
        dataset.params.graph.false_discovery,
        complement=_bought(found),
        complement_q=np.where(together >= 0, _q(found, ("together", "after")), 1.0),
        substitute=np.where(needed, moved - together, -np.inf),
        substitute_q=np.where(together < 0, like, 1.0),
    )


def same_need(dataset: Dataset, a: NDArray[np.int32], b: NDArray[np.int32]) -> Flags:
    """(pairs,) one narrowest category or texts as near as `need_cosine`, and prices at most `price_band` apart.

    A price that is not known is near to all.
    """
    products, params = dataset.products, dataset.params.graph
    category = narrowest(products)
    alike = (category[a] == category[b]) & (category[a] > 0)
    if products.text.shape[1]:
        alike |= cosines(products.text, a, b) >= params.need_cosine
    gap = np.abs(products.price[a, 0] - products.price[b, 0])
    return alike & ~(gap > params.price_band)


def cosines(vectors: NDArray[np.float32], a: NDArray[np.integer], b: NDArray[np.integer]) -> NDArray[np.float32]:
    """(pairs,) of vectors of length 1; NaN where one is not known. Block by block: pairs are many, and vectors long."""
    found = np.empty(len(a), np.float32)
    for begin in range(0, len(a), BLOCK):
        some = slice(begin, begin + BLOCK)
        np.einsum("pd,pd->p", vectors[a[some]], vectors[b[some]], out=found[some])
    return found


def narrowest(products: ProductFeatures) -> NDArray[np.int64]:
    """(products,) number of the narrowest category that is known, 0 where none is."""
    code = np.zeros(len(products), np.int64)
    beyond = 0
    for level in products.category.T:
        code = np.where(level > 0, level + beyond, code)
        beyond += int(level.max(initial=0))
    return code


def _bought(found: Evidence) -> Values:
    """(pairs,) surprise of being bought together, or b after a, whichever is larger."""
    return np.maximum(surprise(found["together"]), surprise(found["after"]))


def _over(found: Evidence) -> Values:
    """(pairs,) how surely views join the two more than purchases do: the difference of log lifts in standard errors.

    (ln L_viewed - ln L_bought) / √(1 / (n_viewed + ½) + 1 / (n_bought + ½)), L = (n + ½) / (e + ½)
    """
    seen, both, later = found["viewed"], found["together"], log_lift(found["after"])
    later = np.maximum(later, mirrored(both, later))
    error = np.sqrt(1 / (seen.n + 0.5) + 1 / (both.n + 0.5))
    return (log_lift(seen) - np.maximum(log_lift(both), later)) / error


def log_lift(pairs: Pairs) -> Values:
    """(pairs,) ln((n + ½) / (e + ½)), 0 in kinds without rows."""
    if not pairs.rows:
        return np.zeros(len(pairs))
    return np.log((pairs.n + 0.5) / (strength.expected(pairs) + 0.5))


def _chance(pairs: Pairs) -> Values:
    return strength.chance_of_more(pairs) if pairs.rows else np.ones(len(pairs))


def _q(found: Evidence, kinds: tuple[Kind, ...], either_way: bool = False) -> Values:
    """(pairs,) false discovery rate of the smallest p of the kinds, each p times their number (Bonferroni).

    `either_way`: the same for a → b and b → a; of directed kinds the p of both are asked for.
    """
    chances = [_chance(found[kind]) for kind in kinds]
    if either_way:
        back = [mirrored(found[kind], of) for kind, of in zip(kinds, chances, strict=True) if kind in DIRECTED]
        chances = [*chances, *back]
    chance = np.min(chances, axis=0) * len(chances)
    asked = max(strength.hypotheses(found[kind]) for kind in kinds)
    return strength.false_discovery_rate(chance, max(asked, len(chance)))


def _chance_of_need(dataset: Dataset, found: Evidence, kind: Literal["together", "after"]) -> Values:
    """(pairs,) p of so few baskets with both, or of so many users who go from one to the other.

    It is asked of all pairs of a narrowest category as a whole, by a Poisson count, for most are too rare to show by
    themselves that they are kept apart or take turns; pairs without a common category speak for themselves.
    """
    pairs, counted, category = found[kind], edges(dataset, kind), narrowest(dataset.products)
    groups = int(category.max(initial=0)) + 1
    inside = category[counted.a] == category[counted.b]
    held = np.bincount(category[counted.a[inside]], counted.n[inside], groups)
    source, target, own = (
        np.bincount(category, of, groups) for of in (counted.source, counted.target, counted.source * counted.target)
    )
    by_chance = (source * target - own) / max(pairs.rows, 1)
    if kind == "together":  # every pair is there both ways round
        pooled, alone = scipy.stats.poisson.cdf(held / 2, by_chance / 2), strength.chance_of_fewer(pairs)
    else:
        pooled, alone = scipy.stats.poisson.sf(held - 1, by_chance), _either(pairs)
    common = np.where(category[pairs.a] == category[pairs.b], category[pairs.a], 0)
    return np.where(common > 0, pooled[common], alone)


def _either(pairs: Pairs) -> Values:
    """(pairs,) p of one direction or the other: twice the smaller."""
    chance = _chance(pairs)
    return np.minimum(2 * np.minimum(chance, mirrored(pairs, chance)), 1.0)


def _relations(found: Evidence, level: float, **values: Values) -> Relations:
    pairs = found["together"]
    believed = [values["complement_q"] <= level, values["substitute_q"] <= level]
    kind = np.select(believed, [COMPLEMENT, SUBSTITUTE], NEITHER).astype(np.int8)
    forward = precedence(found, mirrored(pairs, found["after"].n))
    return Relations(pairs.a, pairs.b, forward=forward, kind=kind, **values)
