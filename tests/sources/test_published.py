"""Presets on the files as their publishers give them: the known counts come out, and a snapshot is accepted."""

import csv
import gzip
import json
import re
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from tandem import files
from tandem.data.sources import Source

FOLDERS = {
    "taobao": "taobao",
    "amazon": "amazon_gift_cards",
    "amazon_grocery": "amazon_grocery",
    "s3rec": "amazon_beauty",
    "movielens": "movielens_100k",
    "groceries": "groceries",
    "tafeng": "tafeng",
    "gowalla": "gowalla",
    "bundles": "bundles_electronic",
    "chinese_reviews": "chinese_reviews",
    "myntra": "myntra",
    "online_retail": "online_retail/by-day",
    "jdata": "jdata",
}

COUNTS: dict[str, dict[str, dict[str, int]]] = {
    "taobao": {"events": {"rows": 873_954 + 195_476 + 107_629, "kept": 1_177_059}},
    "amazon": {
        "products": {"rows": 1_547, "kept": 1_547},
        "events": {"rows": 2_972, "kept": 2_972},
        "reviews": {"rows": 2_972, "kept": 2_972},
        "relations": {"rows": 21_681 + 34_098, "kept": 5_993 + 6_675, "unknown_product": 43_111},
    },
    "amazon_grocery": {
        "products": {"rows": 8_713, "kept": 8_713},
        "events": {"rows": 121_892, "kept": 121_892},
        "relations": {"rows": 248_444 + 124_933, "kept": 248_444 + 124_933},
    },
    "s3rec": {"products": {"rows": 12_101, "kept": 12_101}, "events": {"rows": 198_502, "kept": 198_502}},
    "movielens": {
        "products": {"rows": 1_682, "kept": 1_682},
        "events": {"rows": 100_000, "kept": 100_000},
        "reviews": {"rows": 100_000, "kept": 100_000},
        "users": {"rows": 943, "kept": 943},
    },
    "groceries": {"products": {"rows": 169, "kept": 169}, "events": {"rows": 43_367, "kept": 43_367}},
    "tafeng": {"events": {"rows": 571_933 + 4 * 13_858, "kept": 571_933, "mark": 4 * 13_858}},
    "gowalla": {"events": {"rows": 810_128 + 217_242, "kept": 1_027_370}},
    "bundles": {
        "products": {"rows": 3_499, "kept": 3_499},
        "events": {"rows": 6_539, "kept": 6_539},
        "relations": {"rows": 22_670, "kept": 18_774, "duplicates": 3_896},
    },
    "chinese_reviews": {"products": {"rows": 10, "kept": 10}, "reviews": {"rows": 62_774, "kept": 62_774}},
    "myntra": {"products": {"rows": 44_446, "kept": 44_446}},
    "online_retail": {
        "events": {
            "rows": 541_909,
            "kept": 531_172,
            "duplicates": 5_268,
            "adjustment": 3,
            "not_a_product": 2_986,
            "price_not_positive": 1_156,
            "quantity_not_positive": 1_324,
        }
    },
    "jdata": {
        "events": {"rows": 89_997, "kept": 65_544, "duplicates": 23_870, "kind_not_used": 583},
        "products": {"rows": 24_187, "kept": 24_187},
        "users": {"rows": 29_999, "kept": 29_999},
    },
}
"""By table: raw rows, rows kept, and rows taken out by reason."""

SIZES = {  # users of the events, products of the catalogue
    "taobao": (15_449, 11_953),
    "amazon": (458, 1_547),
    "amazon_grocery": (14_681, 8_713),
    "s3rec": (22_363, 12_101),
    "movielens": (943, 1_682),
    "groceries": (0, 169),
    "tafeng": (13_858, 11_997),
    "gowalla": (29_858, 40_981),
    "bundles": (1_133, 3_499 + 1_444),
    "chinese_reviews": (0, 10),
    "myntra": (0, 44_446),
    "online_retail": (4_362, 3_805),
    "jdata": (2_962, 26_720),
}

PRESETS = [pytest.param(name, marks=pytest.mark.real_data(folder)) for name, folder in FOLDERS.items()]
pytestmark = pytest.mark.slow


@pytest.mark.parametrize("name", PRESETS)
def test_the_known_counts_come_out(name: str, take: Any, real_data: Path) -> None:
    taken = take(name, real_data)
    assert taken.counts == COUNTS[name]
    assert (taken.table("events")["user_id"].nunique(), len(taken.table("products"))) == SIZES[name]


@pytest.mark.parametrize("name", PRESETS)
def test_what_can_be_fetched_has_the_sums_of_the_published_files(name: str, root: Path, real_data: Path) -> None:
    for one in Source.read(root / "sources" / f"{name}.yaml").fetch:
        assert files.hash_file(real_data / one.to) == one.sha256


@pytest.mark.parametrize("name", PRESETS)
def test_the_tables_are_accepted(name: str, take: Any, real_data: Path) -> None:
    verdict = take(name, real_data).validate()
    assert verdict["accepted"]
    assert [e for e in verdict["expectations"] if not e["holds"]] == []


@pytest.mark.real_data("taobao")
def test_taobao_keeps_its_parts_apart_in_time(take: Any, real_data: Path) -> None:
    events = take("taobao", real_data).table("events")
    assert events["kind"].value_counts().to_dict() == {"view": 873_954, "cart": 195_476, "purchase": 107_629}
    late = events["time"] >= "2000-04-02"
    assert events[late]["kind"].value_counts().to_dict() == {"view": 15_449, "cart": 15_449, "purchase": 15_449}
    pairs = ["user_id", "product_id"]
    held_out = events[late & (events["kind"] == "purchase")][pairs]
    viewed = events[~late & (events["kind"] == "view")][pairs].drop_duplicates()
    assert round(len(held_out.merge(viewed)) / len(held_out), 3) == 0.797


@pytest.mark.real_data("taobao")
def test_a_taobao_user_bought_what_the_line_says(take: Any, real_data: Path) -> None:
    bought = [
        (p, f"{t:%m-%d}")
        for p, k, t in take("taobao", real_data).user("3", "product_id", "kind", "time")
        if k == "purchase"
    ]
    assert bought == [
        ("31", "01-13"),
        ("26", "01-14"),
        ("29", "01-15"),
        ("28", "01-16"),
        ("27", "01-17"),
        ("30", "04-02"),
    ]


@pytest.mark.real_data("amazon_gift_cards")
def test_amazon_products_are_told_as_they_were_published(take: Any, real_data: Path) -> None:
    products = take("amazon", real_data).table("products").set_index("product_id")
    with gzip.open(real_data / "meta_Gift_Cards.json.gz", "rt", encoding="utf-8") as lines:
        published = [json.loads(line) for line in lines]
    priced = {p["asin"]: float(p["price"][1:]) for p in published if re.fullmatch(r"\$[0-9.]+", p["price"])}
    assert products["price"].dropna().to_dict() == priced
    first = products.loc["B001BKEWF2"]
    assert (first["title"], first["brand"], first["currency"]) == (
        "Serendipity 3 $100.00 Gift Card",
        "Serendipity 3",
        "USD",
    )
    assert first["description"].startswith("Gift card for the purchase of goods")
    assert first["description"].endswith("disease or health condition.")
    assert first["category"].tolist() == ["Gift Cards"]  # published twice, which cleaning makes one


@pytest.mark.real_data("amazon_gift_cards")
def test_amazon_reviews_are_english_where_they_have_a_text(take: Any, real_data: Path) -> None:
    reviews = take("amazon", real_data).table("reviews")
    assert reviews["language"].value_counts().to_dict() == {"en": 2_966}
    assert reviews["language"].notna().equals(reviews["text"].notna())


@pytest.mark.real_data("amazon_gift_cards")
def test_amazon_relations_are_the_published_lists(take: Any, real_data: Path) -> None:
    relations = take("amazon", real_data).table("relations")
    assert relations["kind"].value_counts().to_dict() == {"complement": 5_993, "substitute": 6_675}


@pytest.mark.real_data("amazon_grocery")
def test_grocery_pairs_stand_in_one_list_or_in_both(take: Any, real_data: Path) -> None:
    relations = take("amazon_grocery", real_data).table("relations")
    kinds = relations.groupby(["product_id", "other_id"])["kind"].agg(lambda kinds: "+".join(sorted(kinds)))
    counted = {"complement": 168_554, "complement+substitute": 79_890, "substitute": 45_043}
    assert kinds.value_counts().to_dict() == counted


@pytest.mark.real_data("amazon_beauty")
def test_a_sequence_is_one_item_a_day(take: Any, real_data: Path) -> None:
    items = [(p, f"{t:%Y-%m-%d}") for p, t in take("s3rec", real_data).user("4", "product_id", "time")]
    days = [f"2000-01-{day:02d}" for day in range(1, 7)]
    assert items == list(zip(["20", "21", "22", "23", "4", "24"], days, strict=True))


@pytest.mark.real_data("amazon_beauty")
def test_items_keep_their_attributes(take: Any, real_data: Path) -> None:
    products = take("s3rec", real_data).table("products").set_index("product_id")["attributes"]
    published = json.loads((real_data / "Beauty_item2attributes.json").read_text())
    read = {item: [int(a) for a in json.loads(json.loads(text)["attributes"])] for item, text in products.items()}
    assert read == published


@pytest.mark.real_data("movielens_100k")
def test_stars_are_reviews_and_four_of_them_mean_liking(take: Any, real_data: Path) -> None:
    taken = take("movielens", real_data)
    stars = taken.table("reviews")["rating"].value_counts().to_dict()
    assert stars == {1.0: 6_110, 2.0: 11_370, 3.0: 27_145, 4.0: 34_174, 5.0: 21_201}
    assert taken.table("events")["kind"].value_counts().to_dict() == {"view": 44_625, "favourite": 55_375}


@pytest.mark.real_data("movielens_100k")
def test_of_users_only_age_gender_and_occupation_are_taken(take: Any, real_data: Path) -> None:
    users = take("movielens", real_data).table("users")["attributes"].map(json.loads)
    assert {tuple(sorted(user)) for user in users} == {("age", "gender", "occupation")}
    assert users.map(lambda user: user["occupation"]).value_counts().head(2).to_dict() == {"student": 196, "other": 105}


@pytest.mark.real_data("groceries")
def test_whole_milk_is_in_2513_baskets(take: Any, real_data: Path) -> None:
    taken = take("groceries", real_data)
    products = taken.table("products").set_index("title")
    events = taken.table("events")
    milk = events[events["product_id"] == products.loc["whole milk", "product_id"]]
    assert (milk["order_id"].nunique(), events["order_id"].nunique()) == (2_513, 9_835)
    assert products.loc["whole milk", "category"].tolist() == ["fresh products", "dairy produce"]
    assert events["quantity"].sum() == 48_332
    labels = [
        line.split("\t") for name in ("cat1.labels", "cat2.labels") for line in _lines(real_data / f"Groceries.{name}")
    ]
    groups = {code: title for code, title, _ in labels}
    codes = [line.split("\t") for line in _lines(real_data / "Groceries.labels")]
    wanted = {title.strip(): list(dict.fromkeys([groups[code[0]], groups[code[:2]]])) for code, title, _ in codes}
    assert {title: path.tolist() for title, path in products["category"].items()} == wanted


@pytest.mark.real_data("tafeng")
def test_a_day_of_a_user_is_a_basket(take: Any, real_data: Path) -> None:
    taken = take("tafeng", real_data)
    events = taken.table("events")
    baskets = events.groupby(["user_id", events["time"].dt.date]).size().reset_index()
    future = baskets["time"] == pd.Timestamp("2000-03-02").date()
    assert ((~future).sum(), future.sum()) == (77_369, 13_858)
    first = [(p, f"{t:%m-%d}") for p, t in taken.user("1", "product_id", "time")]
    assert first[:4] == [("0", "01-02"), ("1", "01-02"), ("2", "01-02"), ("3", "01-03")]
    assert first[-4:] == [("1144", "03-02"), ("3374", "03-02"), ("40", "03-02"), ("44", "03-02")]


@pytest.mark.real_data("gowalla")
def test_the_test_pairs_come_after_the_training_pairs(take: Any, real_data: Path) -> None:
    events = take("gowalla", real_data).table("events")
    late = events["time"] >= "2000-01-11"
    assert ((~late).sum(), late.sum()) == (810_128, 217_242)
    validation = (events["time"] >= "2000-01-10") & ~late
    assert abs(validation.sum() - 81_012.8) < 1


@pytest.mark.real_data("bundles_electronic")
def test_items_of_a_bundle_go_together(take: Any, real_data: Path) -> None:
    taken = take("bundles", real_data)
    bundles = pd.read_csv(real_data / "bundle_item.csv", dtype=str)
    both = bundles.merge(bundles, on="bundle ID").query("`item ID_x` != `item ID_y`")
    pairs = set(zip(both["item ID_x"], both["item ID_y"], strict=True))
    relations = taken.table("relations")
    assert set(zip(relations["product_id"], relations["other_id"], strict=True)) == pairs
    assert bundles["bundle ID"].nunique() == 1_750


@pytest.mark.real_data("bundles_electronic")
def test_titles_and_categories_of_items_are_read_as_people_wrote_them(take: Any, real_data: Path) -> None:
    products = take("bundles", real_data).table("products").set_index("product_id")
    titles = products["title"].dropna()
    assert len(titles) == 3_499
    assert not titles.str.contains("&amp;|&quot;|&#").any()
    with (real_data / "item_categories.csv").open(encoding="utf-8", newline="") as lines:
        published = {row["item ID"]: row["categories"] for row in csv.DictReader(lines)}
    first = {item: re.findall(r"\[([^\[\]]*)\]", text)[0] for item, text in published.items()}
    paths = {item: re.split(r",(?! )", text)[:4] for item, text in first.items()}
    assert {item: products.loc[item, "category"].tolist() for item in published} == paths


@pytest.mark.real_data("chinese_reviews")
def test_good_reviews_have_five_stars_and_bad_ones_one(take: Any, real_data: Path) -> None:
    reviews = take("chinese_reviews", real_data).table("reviews")
    assert reviews["rating"].value_counts().to_dict() == {5.0: 31_728, 1.0: 31_046}
    assert reviews["text"].isna().sum() == 1
    assert not reviews["text"].str.contains("\ufeff").any()
    assert reviews["product_id"].value_counts().to_dict()["热水器"] == 575


@pytest.mark.real_data("myntra")
def test_titles_stand_beside_the_attributes_of_their_line(take: Any, real_data: Path) -> None:
    products = take("myntra", real_data).table("products").set_index("product_id")
    texts = []
    for name in ("styles.csv", "styles_text.csv"):
        with (real_data / name).open(encoding="utf-8", newline="") as lines:
            texts.append([row[0] for row in csv.reader(lines)][1:])
    titles = {item: " ".join(title.split()) for item, title in zip(*texts, strict=True)}
    assert products["title"].fillna("").to_dict() == titles
    watch = products.loc["59263"]
    assert watch["category"].tolist() == ["Accessories", "Watches"]  # "Watches" twice
    assert json.loads(watch["attributes"]) == {
        "colour": "Silver", "gender": "Women", "season": "Winter", "usage": "Casual", "year": "2016",
    }  # fmt: skip


def _lines(path: Path) -> list[str]:
    return path.read_text("utf-8").splitlines()
