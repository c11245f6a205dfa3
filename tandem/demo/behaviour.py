"""What the demo shop's customers do: visits of views, carts and purchases, all vectorised.

A *line* is one product in one visit with what was done to it; `(user, start_s)` is the visit. Seconds
count from midnight of the first day in the shop's own time. Motives make lines:

    explore    look at a few substitutes of one category, perhaps take the best of them, now or days later
    need       a durable calls for its complements, in the same order or within a week
    habit      a consumable is bought again after a personal period
    impulse    an accessory to one's taste goes into the order as well

Whatever is seen and not bought may be put on the wish list, or into a cart and left there.
"""

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from tandem.demo.assortment import LEAVES
from tandem.demo.catalogue import Catalogue, season
from tandem.demo.customers import Customers
from tandem.demo.size import DemoSize

DAY_S = 86_400
LOOKS = 4  # at most this many substitutes in one visit, at least two
CONVERSION = 0.5  # an exploring visit ends with an order
RECONSIDER = 0.5  # of the others: back within `THINK_DAYS` to buy the favourite
THINK_DAYS = 12
ABANDONED = 0.1  # of lines seen and not bought: left in the cart
WISHED = 0.06  # of lines seen and not bought: put on the wish list
SHOWN = 0.5  # of complements and repeat purchases: viewed before
IMPULSE = 0.15  # of orders: one accessory more
ADOPTED = 0.3  # of consumables bought as a complement: become a habit
SWITCHED = 0.5  # of habits of customers who drift: end then, for a substitute
STRAYED = 0.15  # of repeat purchases: a substitute for once
PERIOD_SPREAD = 0.3  # of the log of a personal period
PERIOD_JITTER = 0.08  # of a period, standard deviation from one purchase to the next
ERRAND_DAYS = 4  # habits due within so many days are one visit
WEEK = np.array([1.0, 0.9, 0.9, 0.95, 1.1, 1.3, 1.2])  # relative traffic, Monday first


def simulate(
    shop: Catalogue, crowd: Customers, size: DemoSize, rng: np.random.Generator
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Everything that happened, and the habits behind it.

    Returns:
        Events in order of time: user, product (indices), kind, time_s, quantity, session, order (numbers,
        order −1 where nothing was bought); and habits: user, product, period_days, start, end (days).
    """
    seen = _own_durables_once(explore(shop, crowd, size, rng), shop)
    called = needs(seen[seen["bought"]], shop, size, rng)
    habits = pd.concat(
        [initial_habits(shop, crowd, size, rng), adopted_habits(called, shop, size, rng)], ignore_index=True
    )
    lines = pd.concat([seen, called, errands(habits, shop, crowd, size, rng)], ignore_index=True)
    lines = pd.concat([lines, impulses(lines, shop, crowd, size, rng)], ignore_index=True)
    return _rows(_merge(lines), shop, rng), habits


def explore(shop: Catalogue, crowd: Customers, size: DemoSize, rng: np.random.Generator) -> pd.DataFrame:
    """Lines of visits for pleasure, and of the return visits to buy the favourite."""
    user, day = _visit_days(crowd, size, rng)
    ranked, known = _rank_in_leaf(_choose_leaf(user, day, crowd, size, rng), user, day, shop, crowd, rng)
    start = day * DAY_S + _time_of_day(len(day), rng)
    ordered = rng.random(len(user)) < CONVERSION
    shown = known & (np.arange(LOOKS) < rng.integers(2, LOOKS + 1, len(user))[:, None])
    visit, place = np.nonzero(shown)
    bought = (place == 0) & ordered[visit]
    looked = _lines(user[visit], start[visit], ranked[visit, place], rng, viewed=True, bought=bought)
    back = ~ordered & (rng.random(len(user)) < RECONSIDER)
    again = (day + rng.integers(1, THINK_DAYS + 1, len(user))) * DAY_S + _time_of_day(len(user), rng)
    back &= again < size.days * DAY_S
    decided = _lines(user[back], again[back], ranked[back, 0], rng, viewed=True, bought=True)
    return pd.concat([looked, decided], ignore_index=True)


def needs(bought: pd.DataFrame, shop: Catalogue, size: DemoSize, rng: np.random.Generator) -> pd.DataFrame:
    """Lines of the complements that purchases call for."""
    calls = bought.merge(shop.complements, left_on="product", right_on="antecedent")
    draw = rng.random(len(calls))
    now = draw < calls["together"]
    soon = ~now & (draw < calls["together"] + calls["later"])
    day = calls["start_s"] // DAY_S + rng.integers(1, 8, len(calls))
    start = calls["start_s"].where(now, day * DAY_S + _time_of_day(len(calls), rng))
    launched = shop.products["launched"].to_numpy()[calls["consequent"]] * DAY_S <= start
    kept = (now | soon) & launched & (start < size.days * DAY_S)
    lines = _lines(calls["user"][kept], start[kept], calls["consequent"][kept], rng, bought=True)
    return lines.assign(viewed=rng.random(len(lines)) < SHOWN, place=lines["place"] + 1)


def initial_habits(shop: Catalogue, crowd: Customers, size: DemoSize, rng: np.random.Generator) -> pd.DataFrame:
    """Habits that customers come with; some change to a substitute when the taste drifts."""
    people = crowd.people
    user = np.repeat(np.arange(len(crowd)), rng.poisson(size.habits, len(crowd)))
    first = people["joined"].to_numpy()[user]
    leaf = _choose_leaf(user, first, crowd, size, rng, role="consumable")
    habits = _habits(user, leaf, first, shop, crowd, rng).drop_duplicates(["user", "leaf"])
    turn = people["turn"].to_numpy()[habits["user"]]
    turns = people["drifts"].to_numpy()[habits["user"]] & (rng.random(len(habits)) < SWITCHED)
    turns &= turn > habits["start"]
    moved = habits[turns]
    other = _habits(moved["user"].to_numpy(), moved["leaf"].to_numpy(), turn[turns], shop, crowd, rng)
    other["period_days"] = moved["period_days"].to_numpy()
    kept = habits.assign(end=np.where(turns, turn, size.days).astype(float))
    return pd.concat([kept, other.assign(end=float(size.days))], ignore_index=True).drop(columns="leaf")


def adopted_habits(called: pd.DataFrame, shop: Catalogue, size: DemoSize, rng: np.random.Generator) -> pd.DataFrame:
    """Habits that begin with a complement: coffee beans after the coffee machine."""
    leaf = shop.products["leaf"].to_numpy()[called["product"]]
    begins = (shop.role[called["product"]] == "consumable") & (rng.random(len(called)) < ADOPTED)
    period = _periods(leaf[begins], rng)
    start = called["start_s"].to_numpy()[begins] / DAY_S + period
    return called.loc[begins, ["user", "product"]].assign(period_days=period, start=start, end=float(size.days))


def errands(
    habits: pd.DataFrame, shop: Catalogue, crowd: Customers, size: DemoSize, rng: np.random.Generator
) -> pd.DataFrame:
    """Lines of repeat purchases; what falls due within the same few days is one visit."""
    table = _due(habits, size, rng)
    strays = rng.random(len(table)) < STRAYED
    leaf = shop.products["leaf"].to_numpy()[table["product"]]
    user, day = table["user"].to_numpy(), table["day"].to_numpy()
    other = _rank_in_leaf(leaf[strays], user[strays], day[strays], shop, crowd, rng)[0][:, 0]
    table.loc[strays, "product"] = other
    trip = table.assign(trip=day // ERRAND_DAYS).groupby(["user", "trip"])
    start = trip["day"].transform("min").to_numpy() * DAY_S + _time_of_day(trip.ngroups, rng)[trip.ngroup()]
    lines = _lines(user, start, table["product"], rng, bought=True)
    return lines.assign(viewed=rng.random(len(lines)) < SHOWN)


def impulses(
    lines: pd.DataFrame, shop: Catalogue, crowd: Customers, size: DemoSize, rng: np.random.Generator
) -> pd.DataFrame:
    """Lines of accessories that join an order."""
    orders = lines.loc[lines["bought"], ["user", "start_s"]].drop_duplicates()
    orders = orders[rng.random(len(orders)) < IMPULSE]
    user, start = orders["user"].to_numpy(), orders["start_s"].to_numpy()
    day = start // DAY_S
    leaf = _choose_leaf(user, day, crowd, size, rng, role="accessory")
    product = _rank_in_leaf(leaf, user, day, shop, crowd, rng)[0][:, 0]
    return _lines(user, start, product, rng, viewed=True, bought=True)


def _due(habits: pd.DataFrame, size: DemoSize, rng: np.random.Generator) -> pd.DataFrame:
    """user, product and day of each turn of the habits, the first at its start."""
    period = habits["period_days"].to_numpy()[:, None]
    turns = 2 * int(np.ceil(size.days / habits["period_days"].min())) + 1
    gaps = period * rng.normal(1, PERIOD_JITTER, (len(habits), turns)).clip(0.5, 1.5)
    due = habits["start"].to_numpy()[:, None] + np.cumsum(gaps, axis=1) - gaps[:, :1]
    habit, turn = np.nonzero(due < habits["end"].to_numpy()[:, None])
    who = habits[["user", "product"]].iloc[habit].reset_index(drop=True)
    return who.assign(day=due[habit, turn].astype(int))


def _visit_days(crowd: Customers, size: DemoSize, rng: np.random.Generator) -> tuple[NDArray, NDArray]:
    """(visits,) user and day of every exploring visit; traffic follows the week."""
    people = crowd.people
    present = (size.days - people["joined"]) / 30
    user = np.repeat(np.arange(len(crowd)), rng.poisson(people["activity"] * present * size.visits_per_month))
    upto = np.concatenate([[0], np.cumsum(WEEK[(size.begin.weekday() + np.arange(size.days)) % 7])])
    low = upto[people["joined"].to_numpy()[user]]
    day = np.searchsorted(upto, low + rng.random(len(user)) * (upto[-1] - low), side="right") - 1
    return user, np.minimum(day, size.days - 1)


def _time_of_day(n: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """(n,) seconds after midnight, between 7 and 23 o'clock, most in the evening."""
    return (DAY_S * (7 + 15.5 * rng.beta(2.2, 1.6, n)) / 24).astype(np.int64)


def _choose_leaf(
    user: NDArray, day: NDArray, crowd: Customers, size: DemoSize, rng: np.random.Generator, role: str | None = None
) -> NDArray[np.int64]:
    """(n,) category drawn by taste × season, of one role if given."""
    weight = crowd.tastes(user, crowd.mixture(user, day)) * season(day + size.begin.timetuple().tm_yday)
    if role is not None:
        weight = weight * np.array([leaf.role == role for leaf in LEAVES])
    upto = np.cumsum(weight, axis=1)
    return (upto < rng.random(len(user))[:, None] * upto[:, -1:]).sum(axis=1)


def _rank_in_leaf(
    leaf: NDArray, user: NDArray, day: NDArray, shop: Catalogue, crowd: Customers, rng: np.random.Generator
) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """(n, LOOKS) products of the category drawn without replacement by utility, and which of them exist.

    Source: the Gumbel-top-k trick; the first is a draw from the softmax of the utilities.
    """
    odds = shop.appeal(day) + crowd.utility(user, day, shop.products)
    odds[shop.products["leaf"].to_numpy()[None, :] != leaf[:, None]] = -np.inf
    keys = odds + rng.gumbel(size=odds.shape)
    ranked = np.argsort(-keys, axis=1, kind="stable")[:, :LOOKS]
    return ranked, np.isfinite(np.take_along_axis(keys, ranked, axis=1))


def _habits(
    user: NDArray, leaf: NDArray, day: NDArray, shop: Catalogue, crowd: Customers, rng: np.random.Generator
) -> pd.DataFrame:
    product = _rank_in_leaf(leaf, user, day, shop, crowd, rng)[0][:, 0]
    period = _periods(leaf, rng)
    start = day + rng.random(len(user)) * period
    return pd.DataFrame({"user": user, "leaf": leaf, "product": product, "period_days": period, "start": start})


def _periods(leaf: NDArray, rng: np.random.Generator) -> NDArray[np.float64]:
    """(n,) personal period of a consumable of each category, days."""
    usual = np.array([leaf.period_days for leaf in LEAVES])[leaf]
    return usual * np.exp(rng.normal(0, PERIOD_SPREAD, len(leaf))).clip(0.5, 2)


def _own_durables_once(lines: pd.DataFrame, shop: Catalogue) -> pd.DataFrame:
    """The same lines, in order of time, where nobody buys a second durable of one category."""
    lines = lines.sort_values(["start_s", "user", "place"], kind="stable", ignore_index=True)
    leaf = pd.Series(shop.products["leaf"].to_numpy()[lines["product"]])
    taken = lines["bought"] & (shop.role[lines["product"]] == "durable")
    again = taken & pd.DataFrame({"user": lines["user"], "leaf": leaf})[taken].duplicated().reindex(
        lines.index, fill_value=False
    )
    return lines.assign(bought=lines["bought"] & ~again)


def _lines(
    user: ArrayLike, start_s: ArrayLike, product: ArrayLike, rng: np.random.Generator, **done: bool | NDArray
) -> pd.DataFrame:
    """Lines with what was done, placed at random within their visits."""
    lines = pd.DataFrame({"user": np.asarray(user), "start_s": np.asarray(start_s), "product": np.asarray(product)})
    return lines.assign(**{"place": rng.random(len(lines)), "viewed": False, "bought": False, **done})


def _merge(lines: pd.DataFrame) -> pd.DataFrame:
    """One line for each product of a visit, in order of visits and places."""
    how = {"place": "min", "viewed": "max", "bought": "max"}
    merged = lines.groupby(["start_s", "user", "product"], as_index=False).agg(how)
    return merged.sort_values(["start_s", "user", "place"], kind="stable", ignore_index=True)


def _rows(lines: pd.DataFrame, shop: Catalogue, rng: np.random.Generator) -> pd.DataFrame:
    """Events of the lines: view, then wish or cart, then one order at the end of the visit."""
    visit = lines.groupby(["start_s", "user"])
    n, chance = len(lines), rng.random(len(lines))
    look = lines["start_s"] + 20 + 45 * visit.cumcount() + rng.integers(0, 20, n)
    pay = lines["start_s"] + 60 + 45 * visit["product"].transform("size")
    left = lines["viewed"] & ~lines["bought"]
    done = {
        "view": (lines["viewed"], look),
        "favourite": (left & (chance < WISHED), look + rng.integers(2, 9, n)),
        "cart": (lines["bought"] | (left & (chance > 1 - ABANDONED)), look + rng.integers(9, 20, n)),
        "purchase": (lines["bought"], pay),
    }
    pieces = 1 + rng.poisson(0.4, n) * (shop.role[lines["product"]] != "durable")
    base = lines[["user", "product", "start_s"]].assign(quantity=pieces)
    parts = [base[was].assign(kind=kind, time_s=when[was]) for kind, (was, when) in done.items()]
    return _number(pd.concat(parts, ignore_index=True))


def _number(events: pd.DataFrame) -> pd.DataFrame:
    """Events in order of time with numbers of session and order; only a purchase has several pieces."""
    events = events.sort_values(["time_s", "user", "product"], kind="stable", ignore_index=True)
    taken = events["kind"] == "purchase"
    session = events.groupby(["start_s", "user"]).ngroup()
    order = pd.Series(-1, index=events.index)
    order[taken] = pd.factorize(session[taken])[0]
    events = events.assign(session=session, order=order, quantity=events["quantity"].where(taken, 1))
    return events.drop(columns="start_s")
