"""Reviews as the demo shop's customers write them: stars and words that agree, in two languages."""

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

from models.sentiment.params import SentimentParams
from tandem.data import schema
from tandem.demo import DemoSize, catalogue, customers, opinions

PARAMS = {
    "min_texts": 2,
    "hidden": 8,
    "term_dropout": 0.3,
    "dropout": 0.3,
    "batch": 64,
    "epochs": 30,
    "patience": 2,
    "learning_rate": 0.01,
    "weight_decay": 0.0,
    "validation_share": 0.2,
    "min_reviews": 10,
    "seed": 7,
}


@pytest.fixture(scope="session")
def params() -> Callable[..., SentimentParams]:
    """Small ones: `params(hidden=4)`."""
    return lambda **changes: SentimentParams.parse(PARAMS | changes)


@pytest.fixture(scope="session")
def demo() -> pd.DataFrame:
    """About 900 reviews of purchases by chance, half of them Chinese, with `sentiment` as it was planted."""
    rng, size = np.random.default_rng(5), DemoSize()
    shop, crowd = catalogue.make(size, rng), customers.make(size, rng)
    bought = {"user": rng.integers(size.customers, size=12_000), "product": rng.integers(size.products, size=12_000)}
    bought |= {"kind": "purchase", "time_s": rng.integers(100 * 86_400, size=12_000)}
    written = opinions.write_reviews(pd.DataFrame(bought), shop, crowd, size, rng)
    table = pd.DataFrame(
        {
            "review_id": written.index.astype(str),
            "user_id": written["user"].astype(str),
            "product_id": written["product"].astype(str),
            "time": pd.Timestamp("2026-01-01T00:00Z") + pd.to_timedelta(written["time_s"], unit="s"),
            "rating": written["stars"].astype(float),
            "title": written["headline"],
            "text": written["text"],
            "language": written["language"],
            "sentiment": written["sentiment"],
        }
    )
    english = np.flatnonzero(table["language"] == "en")
    return table.drop(index=english[450:])[[*schema.REVIEWS.names, "sentiment"]]


@pytest.fixture(scope="session")
def halves(demo: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Reviews to learn from and others, of other products."""
    even = demo["product_id"].astype(int) % 2 == 0
    return demo[even], demo[~even]
