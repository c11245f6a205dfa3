"""All that a ranker may learn from, up to one moment."""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
import scipy.sparse as sp
from numpy.typing import NDArray

from tandem import files
from tandem.data import schema
from tandem.features import baskets, demand, histories, opinions, products, text
from tandem.features.baskets import Baskets
from tandem.features.demand import Demand
from tandem.features.histories import Histories
from tandem.features.products import ProductFeatures
from tandem.features.vocabulary import Vocabulary
from tandem.params import FeaturesParams

VIEWED = ("view", "click")
"""Kinds of events that tell what was looked at."""


@dataclass(frozen=True, eq=False)
class Dataset:
    """Events before `as_of_us`, encoded by one vocabulary: the products that have such events, and new ones if wanted.

    Two datasets are equal when they are the same object, so that what was made from one can be remembered by it.
    """

    vocabulary: Vocabulary
    histories: Histories
    baskets: Baskets  # of what was taken
    views: Baskets  # of what was looked at
    demand: Demand
    products: ProductFeatures
    titles: sp.csr_array  # (products, text.HASHES) `text.ngrams`
    params: FeaturesParams

    @property
    def as_of_us(self) -> int:
        """The moment up to which events are known, microseconds since 1970."""
        return self.histories.as_of_us

    @property
    def kind_weight(self) -> NDArray[np.float32]:
        """(kinds + 1,) weight of an event by its code; 0 for padding and kinds that are not listed."""
        weights = [self.params.kind_weight.get(kind, 0.0) for kind in schema.KIND_CODE]
        return np.array([0.0, *weights], np.float32)

    def with_vectors(self, text: NDArray[np.float32], picture: NDArray[np.float32]) -> "Dataset":
        """The same with vectors (products, dim), NaN where a product has none."""
        return replace(self, products=replace(self.products, text=text, picture=picture))

    def write(self, folder: Path) -> None:
        """Write every part below `folder`."""
        self.vocabulary.write(folder / "vocabulary.json")
        self.histories.write(folder / "histories.npz")
        self.demand.write(folder / "demand.npz")
        self.products.write(folder / "products.npz")
        files.write_arrays(folder / "titles.npz", **files.packed(self.titles))
        files.write_json(self.params.model_dump(), folder / "params.json")
        self.baskets.write(folder / "baskets.npz")
        self.views.write(folder / "views.npz")

    @classmethod
    def read(cls, folder: Path) -> "Dataset":
        """The dataset written by `write`."""
        vocabulary = Vocabulary.read(folder / "vocabulary.json")
        return cls(
            vocabulary,
            Histories.read(folder / "histories.npz"),
            Baskets.read(folder / "baskets.npz", vocabulary.size),
            Baskets.read(folder / "views.npz", vocabulary.size),
            Demand.read(folder / "demand.npz"),
            ProductFeatures.read(folder / "products.npz"),
            files.unpacked(files.read_arrays(folder / "titles.npz"), text.HASHES),
            FeaturesParams.parse(files.read_json(folder / "params.json")),
        )


def build(
    events: pd.DataFrame,
    product_table: pd.DataFrame,
    as_of: pd.Timestamp,
    params: FeaturesParams,
    reviews: pd.DataFrame | None = None,
) -> Dataset:
    """The dataset of the events before `as_of`, still without vectors of texts and pictures.

    Args:
        events: a table of schema.EVENTS; later rows are left out.
        product_table: a table of schema.PRODUCTS: the product sheet as of the export. Only its price, which events may
            have told, gives way to what was paid before `as_of`.
        as_of: end of the fit period.
        reviews: a table of schema.OPINIONS, if there are any; later rows are left out.
    """
    known = events[events["time"] < as_of]
    vocabulary = _vocabulary(known, product_table, params)
    recent = demand.measure(known, vocabulary, as_of, params.kind_weight)
    past = histories.encode(known, vocabulary, as_of, reviews)
    together = baskets.gather(known, vocabulary, params.target_kinds, past.user_ids)
    priced = product_table.assign(price=_price_paid(known, product_table, params.target_kinds))
    return Dataset(
        vocabulary,
        past,
        together,
        baskets.gather(known, vocabulary, VIEWED, past.user_ids),
        recent,
        products.describe(
            priced,
            vocabulary,
            together,
            recent,
            _first_us(known, vocabulary),
            _said(reviews, vocabulary, as_of, params),
        ),
        text.ngrams(product_table, vocabulary),
        params,
    )


def _vocabulary(known: pd.DataFrame, product_table: pd.DataFrame, params: FeaturesParams) -> Vocabulary:
    worth = known["kind"].map(params.kind_weight).fillna(0.0) > 0
    met = known.loc[worth, "product_id"].unique()
    return Vocabulary.of([*met, *product_table["product_id"]] if params.new_products else met)


def _said(
    reviews: pd.DataFrame | None, vocabulary: Vocabulary, as_of: pd.Timestamp, params: FeaturesParams
) -> NDArray[np.float32]:
    """(products, numbers) shrunk tone, log(1 + reviews) and topics; NaN without a review before `as_of`."""
    found = np.full((vocabulary.size, 1 + opinions.WIDTH), np.nan, np.float32)
    if reviews is not None:
        of = opinions.of_products(reviews, vocabulary.ids, as_of, params.review_prior)
        numbers = np.column_stack([of.tone, np.log1p(of.count), of.topics])
        found[1:][of.known] = numbers[of.known]
    return found


def _first_us(known: pd.DataFrame, vocabulary: Vocabulary) -> NDArray[np.int64]:
    """(products,) time of the first event, 0 where there is none."""
    first = np.full(vocabulary.size, np.iinfo(np.int64).max)
    np.minimum.at(first, vocabulary.encode(known["product_id"]), histories.to_us(known["time"]))
    first[0] = np.iinfo(np.int64).max
    return np.where(first == np.iinfo(np.int64).max, 0, first)


def _price_paid(known: pd.DataFrame, product_table: pd.DataFrame, target_kinds: tuple[str, ...]) -> pd.Series:
    """Price of each product: the median of the known target events, where there are none that of the table."""
    sold = known[known["kind"].isin(target_kinds)]
    median = sold["unit_price"].astype(float).groupby(sold["product_id"]).median()
    return product_table["product_id"].map(median).fillna(product_table["price"].astype(float))
