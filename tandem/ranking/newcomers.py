"""What new products were bought with in their first days: cases from a dataset alone, as they looked at the time.

At each of several moments within the dataset all that came later is forgotten. Asked are the products that no basket
held until then; true is what the next days' baskets held beside them. They are few, but they are the cases that a
weight for new products is meant for: a product with many baskets whose evidence is hidden is not like one that is new.
"""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from tandem.evaluation import cases
from tandem.evaluation.cases import Cases
from tandem.features.baskets import Baskets
from tandem.features.dataset import Dataset
from tandem.features.demand import WINDOW_DAYS, Demand
from tandem.features.histories import DAY_US
from tandem.features.products import OF_THE_MOMENT
from tandem.params import NewcomerParams


def backtests(dataset: Dataset, params: NewcomerParams) -> Iterator[tuple[Dataset, Cases]]:
    """Each moment's dataset and the cases of the days after it, the latest first; moments without a case left out.

    The last window ends with the dataset, windows do not overlap, and before the first moment lies at least as long a
    time as a window is.
    """
    begins_us = dataset.baskets.time_us.min(initial=dataset.as_of_us)
    for n in range(1, params.cuts + 1):
        at_us = dataset.as_of_us - n * params.days * DAY_US
        if at_us - begins_us < params.days * DAY_US:
            return
        earlier = known_before(dataset, at_us)
        found = _first_days(dataset, earlier, params)
        if len(found):
            yield earlier, found


def known_before(dataset: Dataset, at_us: int) -> Dataset:
    """The same products at an earlier moment, with the baskets, views and histories of before.

    Demand is that of baskets, times what the dataset's demand is to its own. What products are only at one moment
    (sales, season, age, sentiment) is not known of the earlier one: their age alone says whether they were met.
    """
    bought, seen = (_until(of, at_us) for of in (dataset.baskets, dataset.views))
    past = dataset.histories.keep(dataset.histories.time_us < at_us)
    unknown = {name: np.full_like(getattr(dataset.products, name), np.nan) for name in OF_THE_MOMENT}
    unknown["age"][_held(bought) | _held(seen)] = 0.0
    return replace(
        dataset,
        histories=replace(past, as_of_us=at_us),
        baskets=bought,
        views=seen,
        demand=_demand(dataset, bought, at_us),
        products=replace(dataset.products, **unknown),
    )


def known_products(of: Cases, known: NDArray[np.bool_]) -> Cases:
    """The cases with only `known` (products,) products to answer; those without a true one are left out."""
    truth = sp.csr_array(of.truth.multiply(known.astype(np.float64)[None]))
    truth.eliminate_zeros()
    unknown = sp.csr_array(np.ones((len(of), 1))) @ sp.csr_array((~known).astype(np.float64)[None])
    masked = sp.csr_array(of.masked + unknown)
    return replace(of, truth=truth, masked=masked).take(np.flatnonzero(np.diff(truth.indptr)))


def _first_days(dataset: Dataset, earlier: Dataset, params: NewcomerParams) -> Cases:
    """What the days after `earlier` say of products that no basket held before, among those that one did."""
    time_us, held = dataset.baskets.time_us, _held(earlier.baskets)
    inside = (time_us >= earlier.as_of_us) & (time_us < earlier.as_of_us + params.days * DAY_US)
    found = cases.of_baskets(
        dataset.baskets.content[inside], earlier.demand, min_count=params.min_count, min_lift=params.min_lift
    )
    return known_products(found.take(np.flatnonzero(~held[found.histories.product])).spread(params.max_cases), held)


def _until(of: Baskets, at_us: int) -> Baskets:
    return of.take(np.flatnonzero(of.time_us < at_us))


def _held(of: Baskets) -> NDArray[np.bool_]:
    """(products,) whether any of them holds it."""
    return np.asarray(of.content.sum(axis=0)).ravel() > 0


def _demand(dataset: Dataset, bought: Baskets, at_us: int) -> Demand:
    own = _daily(dataset.baskets, dataset.as_of_us).sum()
    worth = float(dataset.demand.daily.sum()) / own if own else 1.0
    return Demand((worth * _daily(bought, at_us)).astype(np.float32), at_us)


def _daily(bought: Baskets, as_of_us: int) -> NDArray[np.float64]:
    """(days, products) baskets that held each product on each of the last days."""
    age = (as_of_us - 1 - bought.time_us) // DAY_US
    late = np.flatnonzero(age < WINDOW_DAYS)
    of_day = sp.csr_array((np.ones(len(late)), (age[late], late)), shape=(WINDOW_DAYS, len(bought)))
    return np.asarray((of_day @ bought.content).todense(), np.float64)
