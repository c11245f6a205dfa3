"""What is planted in the demo shop can be found in its raw files, and only as planted."""

import itertools

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose

from tandem.demo import behaviour, catalogue, customers
from tandem.demo.assortment import LEAF_INDEX, LEAVES, LINKS
from tandem.demo.size import DemoSize


@pytest.fixture(scope="module")
def pairs(shop) -> pd.DataFrame:
    """Planted complements with days between a customer's first antecedent and every consequent."""
    sold = shop.purchases[shop.purchases["CustomerNo"] != ""][["CustomerNo", "Article", "OrderNo", "day"]]
    first = sold.drop_duplicates(["CustomerNo", "Article"])
    both = shop.planted("complements").merge(first, left_on="antecedent", right_on="Article")
    both = both.merge(
        sold, left_on=["CustomerNo", "consequent"], right_on=["CustomerNo", "Article"], suffixes=("", "_2")
    )
    return both.assign(gap=both["day_2"] - both["day"], together=both["OrderNo"] == both["OrderNo_2"])


def test_a_season_peaks_on_its_day_and_is_lowest_half_a_year_away() -> None:
    grills = LEAF_INDEX["Grills"]
    peak, swing = LEAVES[grills].peak_day, LEAVES[grills].swing
    factor = catalogue.season(np.array([peak, peak + 182.5]))[:, grills]
    assert_allclose(factor, [np.exp(swing), np.exp(-swing)])


def test_half_of_a_drift_is_done_on_the_day_of_its_middle() -> None:
    crowd = customers.make(DemoSize.small(), np.random.default_rng(1))
    user = np.arange(len(crowd))
    turn = crowd.people["turn"].to_numpy()
    assert_allclose(crowd.mixture(user, turn), (crowd.before + crowd.after) / 2)
    assert_allclose(crowd.mixture(user, turn + 1000), crowd.after, atol=1e-9)
    stays = ~crowd.people["drifts"].to_numpy()
    assert_allclose(crowd.before[stays], crowd.after[stays])


def test_a_product_appeals_from_its_launch_on_and_most_on_that_day() -> None:
    shop = catalogue.make(DemoSize(), np.random.default_rng(1))
    late = shop.products.index[shop.products["launched"] > 0][0]
    launched = int(shop.products["launched"][late])
    before, first, month_later = shop.appeal(np.array([launched - 1, launched, launched + 30]))[:, late]
    assert before == -np.inf
    assert first - month_later == pytest.approx(1.2 * (1 - np.exp(-30 / 20)))


def test_the_category_tree_has_three_levels_and_every_leaf_its_products(shop) -> None:
    products = shop.planted("products")
    assert products.groupby("category")["article"].count().min() >= 2
    assert len(products) == shop.size.products
    assert set(zip(products["department"], products["group"], products["category"], strict=True)) == {
        leaf.path for leaf in LEAVES
    }
    assert 0.25 < (products["language"] == "zh").mean() < 0.35


def test_every_antecedent_calls_for_one_product_of_each_linked_category(shop) -> None:
    kind = shop.planted("products").set_index("article")["category"]
    found = shop.planted("complements")
    links = list(zip(found["antecedent"].map(kind), found["consequent"].map(kind), strict=True))
    assert set(links) == set(LINKS)
    assert not found.assign(link=links).duplicated(["antecedent", "link"]).any()


def test_complements_are_bought_in_the_same_order_as_often_as_planted(shop) -> None:
    """Of orders with an antecedent, 60 % hold its complement, by pairs whose products are always there."""
    orders = set(zip(shop.purchases["OrderNo"], shop.purchases["Article"], strict=True))
    late = set(shop.planted("launches")["article"])
    planted = shop.planted("complements").merge(shop.purchases, left_on="antecedent", right_on="Article")
    planted = planted[~planted["consequent"].isin(late)]
    held = [pair in orders for pair in zip(planted["OrderNo"], planted["consequent"], strict=True)]
    assert np.mean(held) == pytest.approx(0.6, abs=0.03)


def test_every_old_complement_has_support(shop, pairs) -> None:
    support = pairs[pairs["gap"].between(0, 8)].groupby(["antecedent", "consequent"]).size()
    planted = shop.planted("complements")
    late = set(shop.planted("launches")["article"])
    old = planted[~planted["antecedent"].isin(late) & ~planted["consequent"].isin(late)]
    counts = support.reindex(pd.MultiIndex.from_frame(old[["antecedent", "consequent"]]), fill_value=0)
    assert (counts >= 5).mean() > 0.9
    assert counts.median() >= 15


def test_complements_come_after_and_not_before(pairs) -> None:
    after = (pairs["gap"].between(0, 8) & ~pairs["together"]).sum()
    before = (pairs["gap"].between(-8, 0) & ~pairs["together"]).sum()
    assert after > 500
    assert before < after / 10


def test_complements_point_one_way(shop) -> None:
    """A phone's order holds its case far more often than a case's order holds its phone."""
    orders = shop.purchases[["OrderNo", "Article"]].drop_duplicates()
    sold = orders["Article"].value_counts()
    both = orders.merge(orders, on="OrderNo").groupby(["Article_x", "Article_y"]).size().rename("both").reset_index()
    pairs = shop.planted("complements").merge(
        both, left_on=["antecedent", "consequent"], right_on=["Article_x", "Article_y"]
    )
    pairs = pairs[pairs["both"] >= 10]
    ratios = pairs["consequent"].map(sold) / pairs["antecedent"].map(sold)  # P(b | a) / P(a | b)
    assert len(ratios) > 50
    assert ratios.median() > 1.5
    assert (pairs["both"] / pairs["antecedent"].map(sold)).median() > 0.5


def test_counting_baskets_recovers_the_complements(shop) -> None:
    """For most antecedents the product most often in their orders is planted."""
    together = shop.purchases[["OrderNo", "Article"]].merge(shop.purchases[["OrderNo", "Article"]], on="OrderNo")
    together = together[together["Article_x"] != together["Article_y"]]
    counts = together.groupby(["Article_x", "Article_y"]).size().sort_values(ascending=False, kind="stable")
    best = counts.reset_index().drop_duplicates("Article_x").set_index("Article_x")["Article_y"]
    planted = shop.planted("complements").groupby("antecedent")["consequent"].agg(set)
    hits = [best[antecedent] in consequents for antecedent, consequents in planted.items() if antecedent in best]
    assert np.mean(hits) > 0.85


def test_substitutes_are_viewed_together_and_one_is_bought(shop) -> None:
    viewed = shop.events[(shop.events["Action"] == "view") & (shop.events["Session"] != "")]
    categories = viewed.groupby(["Session", "category"])["Article"].nunique()
    assert (categories >= 2).sum() > 5000
    bought = shop.purchases.groupby(["OrderNo", "category"])["Article"].nunique()
    assert (bought == 1).mean() > 0.98


def test_nobody_buys_a_second_durable_of_one_category(shop) -> None:
    durable = [leaf.name for leaf in LEAVES if leaf.role == "durable"]
    sold = shop.purchases[shop.purchases["category"].isin(durable) & (shop.purchases["CustomerNo"] != "")]
    assert not sold.duplicated(["CustomerNo", "category"]).any()
    assert len(sold) > 2000


def test_what_drifting_customers_look_at_moves_to_their_new_taste(shop) -> None:
    """Mean log ratio of the interests after and before the drift in what is viewed: its sign turns with the taste."""
    people = shop.planted("customers").astype({"customer": str}).set_index("customer")
    tastes = pd.read_parquet(shop.truth / "tastes.parquet").astype({"customer": str}).set_index(["phase", "customer"])
    names = [f"category: {leaf.name}" for leaf in LEAVES]
    views = shop.events[(shop.events["Action"] == "view") & (shop.events["CustomerNo"] != "")]
    views = views[views["CustomerNo"].map(people["drifts"])]
    place = views["category"].map(LEAF_INDEX).to_numpy()
    weight = {
        phase: tastes.loc[phase, names].loc[views["CustomerNo"]].to_numpy()[np.arange(len(views)), place]
        for phase in ("before", "after")
    }
    lean = pd.Series(np.log(weight["after"] / weight["before"]), index=views.index)
    apart = views["day"] - views["CustomerNo"].map(people["turn"])
    assert lean[apart < -20].mean() < -0.25
    assert lean[apart > 20].mean() > 0.25


def test_demand_follows_the_seasons(shop) -> None:
    month = shop.events["Date"].str[:7]
    looks = shop.events[shop.events["Action"] == "view"].groupby([month, "category"]).size().unstack(fill_value=0)
    share = looks.div(looks.sum(axis=1), axis=0)
    assert share["Grills"]["2026-06"] > 3 * share["Grills"]["2026-01"]
    assert share["Lamps"]["2026-01"] > 1.5 * share["Lamps"]["2026-06"]
    assert share["Seeds"].idxmax() in ("2026-03", "2026-04", "2026-05")


def test_consumables_are_bought_again_after_their_personal_period(shop) -> None:
    habits = shop.planted("habits").astype({"customer": str}).drop_duplicates(["customer", "article"], keep=False)
    sold = shop.purchases.merge(habits, left_on=["CustomerNo", "Article"], right_on=["customer", "article"])
    sold = sold[sold["day"].between(sold["start"], sold["end"])].sort_values(["CustomerNo", "Article", "day"])
    gaps = sold.groupby(["CustomerNo", "Article"])["day"].agg(
        lambda days: np.median(np.diff(days)) if len(days) > 4 else np.nan
    )
    both = (
        gaps.dropna()
        .rename("gap")
        .reset_index()
        .merge(habits, left_on=["CustomerNo", "Article"], right_on=["customer", "article"])
    )
    assert len(both) > 200
    assert np.corrcoef(both["gap"], both["period_days"])[0, 1] > 0.8


def test_late_products_have_no_event_before_their_launch(shop) -> None:
    launches = shop.planted("launches").set_index("article")["date"]
    late = shop.events[shop.events["Article"].isin(launches.index)]
    assert (late["Date"].str[:10] >= late["Article"].map(launches)).all()
    assert late["Article"].nunique() > 20
    assert (launches > "2026-06-09").any()  # some are cold in the test window of 21 days


def test_stars_and_words_agree(shop) -> None:
    reviews = pd.read_json(shop.raw / "reviews.jsonl", lines=True)
    reviews = reviews[reviews["stars"].between(1, 5)].drop_duplicates("id")
    glad = "works perfectly|very happy|非常好用|十分满意"
    sad = "broke|terrible|坏了|糟糕"
    assert (reviews["text"].str.contains(glad) == (reviews["stars"] >= 4)).all()
    assert (reviews["text"].str.contains(sad) == (reviews["stars"] <= 2)).all()
    truth = shop.planted("sentiment").set_index("review")["sentiment"]
    assert (reviews.set_index("id")["text"].str.contains(glad) == (truth.reindex(reviews["id"]) == "positive")).all()


def test_a_visit_goes_from_view_to_cart_to_purchase(small) -> None:
    seen = small.events[(small.events["Session"] != "") & ~small.events["OrderNo"].str.startswith("C")]
    steps = seen.pivot_table(index=["Session", "Article"], columns="Action", values="day", aggfunc="min")
    bought = steps[steps["order"].notna() & steps["basket"].notna()]
    assert len(bought) > 900
    assert (bought["basket"] < bought["order"]).all()
    assert (bought["view"].dropna() < bought["basket"][bought["view"].notna()]).all()


def test_own_history_tells_more_than_popularity(shop) -> None:
    """Of the last three weeks' purchases by customers with a history, own products beat the ten most popular."""
    known = shop.purchases[shop.purchases["CustomerNo"] != ""]
    past, future = known[known["day"] < 159], known[known["day"] >= 159]
    future = future[future["CustomerNo"].isin(past["CustomerNo"])]
    own = set(zip(past["CustomerNo"], past["Article"], strict=True))
    popular = set(past["Article"].value_counts().index[:10])
    repeated = np.mean([pair in own for pair in zip(future["CustomerNo"], future["Article"], strict=True)])
    assert 0.2 < repeated < 0.7  # neither noise nor a copy of the past
    assert repeated > 2 * future["Article"].isin(popular).mean()


def test_an_errand_of_two_habits_is_one_visit() -> None:
    """Two habits of one customer fall due on days 4 and 5: with a window of four days they are one visit."""
    rng = np.random.default_rng(0)
    size = DemoSize.small()
    shop, crowd = catalogue.make(size, rng), customers.make(size, rng)
    habits = pd.DataFrame({"user": 3, "product": [40, 45], "period_days": 100.0, "start": [4.2, 5.9], "end": 60.0})
    lines = behaviour.errands(habits, shop, crowd, size, rng)
    assert len(lines) == 2
    assert lines["start_s"].nunique() == 1
    assert lines["start_s"][0] // behaviour.DAY_S == 4


def test_ids_of_products_and_models_are_distinct(shop) -> None:
    products = shop.planted("products")
    for name in ("article", "model", "title"):
        assert products[name].is_unique
    assert not any(a in b.split() for a, b in itertools.pairwise(products["article"]))
