"""The demo shop's customers: who they are, what they like, and how that changes."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from tandem.demo.assortment import BRAND_NAMES, LEAVES
from tandem.demo.size import DemoSize

ARCHETYPES = 8
PURITY = 0.25  # Dirichlet concentration of a mixture: the smaller, the nearer to one archetype
CONTRAST = 1.5  # spread of an archetype's log interest in a category
ERRAND_INTEREST = 0.35  # in accessories and consumables on visits for pleasure, a durable being 1
LOYALTY = 2.0  # spread of an archetype's liking of a brand, in log odds
DRIFTERS = 0.6  # share of customers whose taste moves to another mixture
DRIFT_DAYS = 7.0  # half the time that the middle of the move takes
PRICE_SENSE = 1.5  # how much a price off the customer's level repels, in log odds
CHINESE_SHARE = 0.3  # of customers who write Chinese
AGE_BANDS = ("18-24", "25-34", "35-49", "50-64", "65+")
REGIONS = ("north", "east", "south", "west")


@dataclass(frozen=True)
class Customers:
    """Tastes as mixtures of archetypes that drift.

    `people`: customer (number), joined (day), turn (day of the drift's middle), drifts, price_level (log),
    language, age_band, region, activity (relative).
    """

    people: pd.DataFrame
    before: NDArray[np.float64]  # (customers, archetypes) rows sum to 1
    after: NDArray[np.float64]  # (customers, archetypes) rows sum to 1
    interest: NDArray[np.float64]  # (archetypes, leaves) rows sum to 1
    liking: NDArray[np.float64]  # (archetypes, brands) log odds
    personal: NDArray[np.float64]  # (customers, leaves) factor that stays

    def __len__(self) -> int:
        return len(self.people)

    def mixture(self, user: NDArray[np.integer], day: NDArray[np.integer]) -> NDArray[np.float64]:
        """(n, archetypes) the users' mixtures on these days: a logistic step from `before` to `after`."""
        turn = self.people["turn"].to_numpy()[user]
        moved = 1 / (1 + np.exp(-(day - turn) / DRIFT_DAYS))[:, None]
        return (1 - moved) * self.before[user] + moved * self.after[user]

    def tastes(self, user: NDArray[np.integer], mixture: NDArray[np.float64]) -> NDArray[np.float64]:
        """(n, leaves) the users' interest in each category under these mixtures; rows sum to 1."""
        weight = (mixture @ self.interest) * self.personal[user]
        return weight / weight.sum(axis=1, keepdims=True)

    def utility(
        self, user: NDArray[np.integer], day: NDArray[np.integer], products: pd.DataFrame
    ) -> NDArray[np.float64]:
        """(n, products) log odds of each product within its category: brand and price."""
        brand = (self.mixture(user, day) @ self.liking)[:, products["brand_index"].to_numpy()]
        gap = self.people["price_level"].to_numpy()[user, None] - products["price_level"].to_numpy()[None, :]
        return brand - PRICE_SENSE * gap**2


def make(size: DemoSize, rng: np.random.Generator) -> Customers:
    """The customers; each archetype holds its own few categories and brands dear."""
    people = _people(size, rng)
    before = rng.dirichlet(np.full(ARCHETYPES, PURITY), size.customers)
    other = rng.dirichlet(np.full(ARCHETYPES, PURITY), size.customers)
    after = np.where(people["drifts"].to_numpy()[:, None], other, before)
    interest = np.exp(rng.normal(0, CONTRAST, (ARCHETYPES, len(LEAVES))))
    interest *= np.array([1.0 if leaf.role == "durable" else ERRAND_INTEREST for leaf in LEAVES])
    interest /= interest.sum(axis=1, keepdims=True)
    liking = rng.normal(0, LOYALTY, (ARCHETYPES, len(BRAND_NAMES)))
    personal = np.exp(rng.normal(0, 0.6, (size.customers, len(LEAVES))))
    return Customers(people, before, after, interest, liking, personal)


def _people(size: DemoSize, rng: np.random.Generator) -> pd.DataFrame:
    n = size.customers
    joined = np.where(rng.random(n) < 0.7, 0, rng.integers(0, int(size.days * 0.8), n))
    return pd.DataFrame(
        {
            "customer": np.arange(10001, 10001 + n),
            "joined": joined,
            "turn": rng.integers(size.days // 5, size.days * 9 // 10, n),
            "drifts": rng.random(n) < DRIFTERS,
            "price_level": rng.normal(0, 0.5, n),
            "language": np.where(rng.random(n) < CHINESE_SHARE, "zh", "en"),
            "age_band": rng.choice(AGE_BANDS, n, p=[0.15, 0.25, 0.3, 0.2, 0.1]),
            "region": rng.choice(REGIONS, n),
            "activity": rng.gamma(2.0, 0.5, n),
        }
    )
