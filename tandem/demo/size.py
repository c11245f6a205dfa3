"""How large the demo shop is."""

from dataclasses import dataclass
from datetime import date, timedelta

from tandem.demo.assortment import LEAVES
from tandem.errors import ParamsError


@dataclass(frozen=True)
class DemoSize:
    """Numbers of everything that scales; the defaults give about 85,000 rows of events.

    Raises:
        ParamsError: too few customers or days, or fewer than two products for each narrowest category.
    """

    customers: int = 1500
    products: int = 400
    days: int = 180  # the last one is `end`, in the shop's own time
    end: date = date(2026, 6, 30)
    visits_per_month: float = 1.35  # of one customer for pleasure; errands come on top
    habits: float = 0.4  # consumables that a customer buys again and again from the start
    future_events: int = 0  # rows dated after `end`, for tests of validation

    def __post_init__(self) -> None:
        least = {"customers": 50, "products": 2 * len(LEAVES), "days": 35, "future_events": 0}
        for name, smallest in least.items():
            if getattr(self, name) < smallest:
                raise ParamsError(f"demo size: {name} = {getattr(self, name)}, at least {smallest} needed")

    @classmethod
    def small(cls, future_events: int = 0) -> "DemoSize":
        """A shop whose whole pipeline takes seconds, for tests."""
        return cls(customers=150, products=80, days=60, visits_per_month=3.0, habits=0.4, future_events=future_events)

    @property
    def begin(self) -> date:
        """The first day."""
        return self.end - timedelta(days=self.days - 1)
