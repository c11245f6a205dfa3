"""Presets of data sets that cannot be handed on, on small files in exactly the schemas that are published."""

import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Write = Callable[..., Path]


@pytest.fixture
def raw(tmp_path: Path) -> Write:
    """A folder of raw files: `raw({"events.csv": text})`; names that end in .gz are packed."""

    def write(texts: dict[str, str]) -> Path:
        for name, text in texts.items():
            path = tmp_path / "raw" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(gzip.compress(text.encode()) if name.endswith(".gz") else text.encode())
        return tmp_path / "raw"

    return write


def records(taken: Any, table: str, *columns: str) -> list[tuple[Any, ...]]:
    """Some columns of a table in its order; times as text, users and missing cells left to `None`."""
    frame = taken.table(table)[list(columns)]
    if "time" in frame:
        frame = frame.assign(time=frame["time"].dt.strftime("%Y-%m-%d %H:%M:%S"))
    rows = frame.astype(object).where(frame.notna(), None).itertuples(index=False, name=None)
    return [tuple(list(cell) if hasattr(cell, "tolist") else cell for cell in row) for row in rows]


RETAILROCKET = {
    "events.csv": """\
timestamp,visitorid,event,itemid,transactionid
1433221332117,257597,view,355908,
1433224214164,992329,view,248676,
1433221999827,111016,view,318965,
1433222276276,257597,addtocart,355908,
1433222276276,257597,addtocart,355908,
1433222531378,257597,transaction,355908,4000
1433222531378,257597,transaction,248676,4000
1442545187788,111016,view,10034,
1433223236124,158090,remove,198690,
""",
    "item_properties_part1.csv": """\
timestamp,itemid,property,value
1435460400000,355908,categoryid,1338
1441508400000,206783,888,1116713 960601 n277.200
1439089200000,395014,400,n552.000 639502 n720.000 424566
1431226800000,59481,790,n15360.000
1433041200000,355908,categoryid,1338
1431831600000,248676,available,1
""",
    "item_properties_part2.csv": """\
timestamp,itemid,property,value
1433646000000,318965,categoryid,1114
1442113200000,355908,available,0
1431831600000,248676,categoryid,209
1433646000000,248676,categoryid,1114
""",
    "category_tree.csv": "categoryid,parentid\n1338,1278\n1114,113\n209,293\n113,\n",
}


def test_retailrocket_takes_categories_from_the_long_table_of_properties(take: Any, raw: Write) -> None:
    taken = take("retailrocket", raw(RETAILROCKET))
    assert taken.counts == {
        "events": {"rows": 9, "kept": 7, "duplicates": 1, "unknown_kind": 1},
        "products": {"rows": 4, "kept": 3, "second_row_for_product": 1},
    }
    assert records(taken, "products", "product_id", "category") == [
        ("10034", []),
        ("248676", ["293", "209"]),
        ("318965", ["113", "1114"]),
        ("355908", ["1278", "1338"]),
    ]


def test_retailrocket_times_are_milliseconds_and_a_pause_ends_a_visit(take: Any, raw: Write) -> None:
    taken = take("retailrocket", raw(RETAILROCKET))
    assert records(taken, "events", "time", "kind", "product_id", "order_id", "session_id") == [
        ("2015-06-02 05:02:12", "view", "355908", None, "events.csv:1"),
        ("2015-06-02 05:13:19", "view", "318965", None, "events.csv:3"),
        ("2015-06-02 05:17:56", "cart", "355908", None, "events.csv:1"),
        ("2015-06-02 05:22:11", "purchase", "355908", "4000", "events.csv:1"),
        ("2015-06-02 05:22:11", "purchase", "248676", "4000", "events.csv:1"),
        ("2015-06-02 05:50:14", "view", "248676", None, "events.csv:2"),
        ("2015-09-18 02:59:47", "view", "10034", None, "events.csv:8"),
    ]


INSTACART = {
    "orders.csv": """\
order_id,user_id,eval_set,order_number,order_dow,order_hour_of_day,days_since_prior_order
2539329,1,prior,1,2,08,
2398795,1,prior,2,3,07,15.0
1187899,1,train,3,4,08,14.0
2168274,2,prior,1,2,11,
1501582,2,prior,2,5,10,10.0
3343014,2,test,3,6,11,30.0
""",
    "order_products__prior.csv": """\
order_id,product_id,add_to_cart_order,reordered
2539329,196,1,0
2539329,14084,2,0
2398795,196,1,1
2398795,10258,2,0
2168274,32792,1,0
1501582,32792,1,1
9999999,196,1,0
""",
    "order_products__train.csv": """\
order_id,product_id,add_to_cart_order,reordered
1187899,196,1,1
1187899,25133,2,0
""",
    "products.csv": """\
product_id,product_name,aisle_id,department_id
196,Soda,77,7
14084,Organic Unsweetened Vanilla Almond Milk,91,16
10258,Pistachios,117,19
25133,"Organic String Cheese, ""Snack"" Size",21,16
32792,Chipotle Beef & Pork Realstick,23,19
""",
    "aisles.csv": """\
aisle_id,aisle
21,packaged cheese
23,popcorn jerky
77,soft drinks
91,soy lactosefree
117,nuts seeds dried fruit
""",
    "departments.csv": "department_id,department\n7,beverages\n16,dairy eggs\n19,snacks\n",
}


def test_instacart_orders_are_weeks_in_the_order_of_their_numbers(take: Any, raw: Write) -> None:
    taken = take("instacart", raw(INSTACART))
    assert taken.counts["events"] == {"rows": 9, "kept": 8, "missing_time": 1}  # an order that orders.csv lacks
    assert [(f"{t:%Y-%m-%d %H:%M}", o, p) for t, o, p in taken.user("1", "time", "order_id", "product_id")] == [
        ("2000-01-08 00:00", "2539329", "196"),
        ("2000-01-08 00:00", "2539329", "14084"),
        ("2000-01-15 00:00", "2398795", "196"),
        ("2000-01-15 00:00", "2398795", "10258"),
        ("2002-06-01 00:03", "1187899", "196"),
        ("2002-06-01 00:03", "1187899", "25133"),
    ]


def test_instacart_products_have_their_department_and_aisle(take: Any, raw: Write) -> None:
    taken = take("instacart", raw(INSTACART))
    assert records(taken, "products", "product_id", "title", "category") == [
        ("10258", "Pistachios", ["snacks", "nuts seeds dried fruit"]),
        ("14084", "Organic Unsweetened Vanilla Almond Milk", ["dairy eggs", "soy lactosefree"]),
        ("196", "Soda", ["beverages", "soft drinks"]),
        ("25133", 'Organic String Cheese, "Snack" Size', ["dairy eggs", "packaged cheese"]),
        ("32792", "Chipotle Beef & Pork Realstick", ["snacks", "popcorn jerky"]),
    ]


CUSTOMERS = ["000058a12d5b43e67d225668fa1f8d618c13dc232df0cad8ffe7ad4a1091e318", "00" * 32]
ARTICLES = """\
article_id,product_code,prod_name,product_type_no,product_type_name,product_group_name,graphical_appearance_no,\
graphical_appearance_name,colour_group_code,colour_group_name,perceived_colour_value_id,perceived_colour_value_name,\
perceived_colour_master_id,perceived_colour_master_name,department_no,department_name,index_code,index_name,\
index_group_no,index_group_name,section_no,section_name,garment_group_no,garment_group_name,detail_desc
0108775015,0108775,Strap top,253,Vest top,Garment Upper body,1010016,Solid,09,Black,4,Dark,5,Black,1676,Jersey Basic,A,\
Ladieswear,1,Ladieswear,16,Womens Everyday Basics,1002,Jersey Basic,Jersey top with narrow shoulder straps.
0663713001,0663713,"Atlanta Push Body, Harlow",283,Underwear body,Underwear,1010016,Solid,09,Black,4,Dark,5,Black,1338,\
Expressive Lingerie,B,Lingeries/Tights,1,Ladieswear,61,Womens Lingerie,1017,"Under-, Nightwear",
"""
HM = {
    "transactions_train.csv": f"""\
t_dat,customer_id,article_id,price,sales_channel_id
2018-09-20,{CUSTOMERS[0]},0663713001,0.050830508474576264,2
2018-09-20,{CUSTOMERS[0]},0108775015,0.030491525423728813,2
2018-09-20,{CUSTOMERS[0]},0108775015,0.030491525423728813,2
2018-09-24,{CUSTOMERS[0]},0663713001,0.050830508474576264,1
2020-09-22,{CUSTOMERS[1]},0108775015,0.016932203389830508,2
2020-09-22,{CUSTOMERS[1]},0999999999,0.016932203389830508,2
""",
    "articles.csv": ARTICLES,
    "customers.csv": f"""\
customer_id,FN,Active,club_member_status,fashion_news_frequency,age,postal_code
{CUSTOMERS[0]},,,ACTIVE,NONE,49.0,52043ee2162cf5aa7ee79974281641c6f11a68d276429a91f8ca0d4b6efa8100
{CUSTOMERS[1]},1.0,1.0,,Regularly,,2973abc54daa8a5f8ccfe9362140c63247c5eee03f1d93f4c830291c32bc3057
""",
}


def test_a_day_of_an_hm_customer_is_a_visit(take: Any, raw: Write) -> None:
    taken = take("hm", raw(HM))
    assert taken.counts["events"] == {"rows": 6, "kept": 5, "duplicates": 1}  # a second piece is an equal row
    found = taken.user(CUSTOMERS[0], "time", "product_id", "unit_price", "session_id")
    file = "transactions_train.csv"
    assert [(f"{t:%Y-%m-%d %H}", *rest) for t, *rest in found] == [
        ("2018-09-19 22", "0663713001", 0.050830508474576264, f"{file}:1"),
        ("2018-09-19 22", "0108775015", 0.030491525423728813, f"{file}:1"),
        ("2018-09-23 22", "0663713001", 0.050830508474576264, f"{file}:4"),
    ]


def test_hm_articles_keep_their_zeros_and_customers_lose_their_postal_code(take: Any, raw: Write) -> None:
    taken = take("hm", raw(HM))
    assert records(taken, "products", "product_id", "title", "category", "currency") == [
        ("0108775015", "Strap top", ["Ladieswear", "Jersey Basic", "Vest top"], None),
        ("0663713001", "Atlanta Push Body, Harlow", ["Ladieswear", "Under-, Nightwear", "Underwear body"], None),
        ("0999999999", None, [], None),
    ]
    attributes = [json.loads(text) for text in taken.table("users")["attributes"]]
    assert {"age": "49.0", "club": "ACTIVE", "news": "NONE"} in attributes
    assert "52043ee2" not in json.dumps(attributes)


VISIT = "541312140,72d76fde-8bb3-4e00-8c23-a032dfed738c"
HEATER = "3900821,2053013552326770905,appliances.environment.water_heater,aqua,33.20"
HEATER_VISIT = "554748717,9333dfbd-b87a-4708-9857-6336556b0fcc"
PHONE = "1004856,2053013555631882655,electronics.smartphone,samsung,130.76"
REES46 = f"""\
event_time,event_type,product_id,category_id,category_code,brand,price,user_id,user_session
2019-10-01 00:00:00 UTC,view,44600062,2103807459595387724,,shiseido,35.79,{VISIT}
2019-10-01 00:00:00 UTC,view,{HEATER},{HEATER_VISIT}
2019-10-01 00:00:01 UTC,view,{HEATER},{HEATER_VISIT}
2019-10-01 00:00:01 UTC,view,{HEATER},{HEATER_VISIT}
2019-10-01 00:02:14 UTC,cart,{PHONE},{VISIT}
2019-10-01 00:03:02 UTC,remove_from_cart,{PHONE},{VISIT}
2019-10-01 00:04:37 UTC,purchase,{PHONE},541312140,
2019-10-31 23:59:59 UTC,purchase,44600062,2103807459595387724,,shiseido,0.00,{VISIT}
"""


def test_rees46_months_are_read_packed(take: Any, raw: Write) -> None:
    taken = take("rees46", raw({"2019-Oct.csv.gz": REES46}))
    assert taken.counts["events"] == {
        "rows": 8, "kept": 5, "duplicates": 1, "kind_not_used": 1, "price_not_positive": 1,
    }  # fmt: skip
    assert records(taken, "events", "time", "kind", "product_id", "unit_price")[-1] == (
        "2019-10-01 00:04:37", "purchase", "1004856", 130.76,
    )  # fmt: skip


def test_rees46_products_come_from_the_distinct_ones_of_the_events(take: Any, raw: Write) -> None:
    taken = take("rees46", raw({"2019-Oct.csv.gz": REES46}))
    assert taken.counts["products"] == {"rows": 3, "kept": 3}
    assert records(taken, "products", "product_id", "category", "brand", "price") == [
        ("1004856", ["electronics", "smartphone"], "samsung", 130.76),
        ("3900821", ["appliances", "environment", "water_heater"], "aqua", 33.2),
        ("44600062", [], "shiseido", 35.79),
    ]


HOLDINGS = [
    "ahor_fin", "aval_fin", "cco_fin", "cder_fin", "cno_fin", "ctju_fin", "ctma_fin", "ctop_fin", "ctpp_fin",
    "deco_fin", "deme_fin", "dela_fin", "ecue_fin", "fond_fin", "hip_fin", "plan_fin", "pres_fin", "reca_fin",
    "tjcr_fin", "valo_fin", "viv_fin", "nomina", "nom_pens", "recibo",
]  # fmt: skip
PERSON = (
    "fecha_dato,ncodpers,ind_empleado,pais_residencia,sexo,age,fecha_alta,ind_nuevo,antiguedad,indrel,ult_fec_cli_1t,"
    "indrel_1mes,tiprel_1mes,indresi,indext,conyuemp,canal_entrada,indfall,tipodom,cod_prov,nomprov,"
    "ind_actividad_cliente,renta,segmento"
)


def holder(month: str, customer: str, segment: str, held: dict[str, str]) -> str:
    """A line of train_ver2.csv with its padded numbers and its `NA`."""
    person = (
        f"{month},{customer},N,ES,V, 35,2015-01-12,0,      6,1,,1.0,A,S,N,,KHL,N,1,15,"
        f'"CORUÑA, A",1,         NA,{segment}'
    )
    return ",".join([person, *(held.get(name, "0") for name in HOLDINGS)])


SANTANDER = "\n".join(
    [
        ",".join([PERSON, *(f"ind_{name}_ult1" for name in HOLDINGS)]),
        holder("2015-01-28", "1375586", "02 - PARTICULARES", {"cco_fin": "1", "nomina": "NA", "nom_pens": ""}),
        holder("2015-01-28", "1050611", "03 - UNIVERSITARIO", {"cco_fin": "1", "recibo": "1"}),
        holder("2015-02-28", "1375586", "02 - PARTICULARES", {"cco_fin": "1", "tjcr_fin": "1"}),
        holder("2015-02-28", "1050611", "03 - UNIVERSITARIO", {"cco_fin": "1"}),
        holder("2015-03-28", "1375586", "01 - TOP", {"cco_fin": "1", "tjcr_fin": "1", "nomina": "1"}),
        holder("2015-03-28", "1050611", "03 - UNIVERSITARIO", {"recibo": "1"}),
    ]
)


def test_the_first_month_of_a_santander_holding_is_a_purchase(take: Any, raw: Write) -> None:
    taken = take("santander", raw({"train_ver2.csv": SANTANDER}))
    assert taken.counts["events"] == {"rows": 6, "kept": 6}
    assert [(f"{t:%Y-%m}", p) for t, p in taken.user("1375586", "time", "product_id")] == [
        ("2015-01", "ind_cco_fin_ult1"),
        ("2015-02", "ind_tjcr_fin_ult1"),
        ("2015-03", "ind_nomina_ult1"),
    ]
    assert [(f"{t:%Y-%m}", p) for t, p in taken.user("1050611", "time", "product_id")] == [
        ("2015-01", "ind_cco_fin_ult1"),
        ("2015-01", "ind_recibo_ult1"),
        ("2015-03", "ind_recibo_ult1"),  # not held in February
    ]


def test_of_a_santander_customer_the_first_segment_counts(take: Any, raw: Write) -> None:
    taken = take("santander", raw({"train_ver2.csv": SANTANDER}))
    assert taken.counts["users"] == {"rows": 3, "kept": 2, "second_row_for_user": 1}
    segments = sorted(json.loads(text)["segment"] for text in taken.table("users")["attributes"])
    assert segments == ["02 - PARTICULARES", "03 - UNIVERSITARIO"]


AMAZON_2014 = {
    "reviews_Clothing_5.json.gz": """\
{"reviewerID": "A1KLRMWW2FWPL4", "asin": "0000031887", "reviewerName": "Amazon Customer \\"cameramom\\"", \
"helpful": [0, 0], "reviewText": "This is a great tutu.", "overall": 5.0, "summary": "Great tutu", \
"unixReviewTime": 1297468800, "reviewTime": "02 12, 2011"}
{"reviewerID": "A2G5TCU2WDFZ65", "asin": "0123456789", "helpful": [1, 2], "reviewText": "Bought it for my girls", \
"overall": 4.0, "summary": "Nice", "unixReviewTime": 1358553600, "reviewTime": "01 19, 2013"}
""",
    "meta_Clothing.json.gz": """\
{'asin': '0000031887', 'related': {'also_bought': ['0123456789', 'B00JHONN1S'], 'also_viewed': ['0123456789'], \
'bought_together': ['B002BZX8Z6']}, 'title': "Girl's Ballet Tutu", 'price': 7.5, \
'salesRank': {'Toys & Games': 211836}, 'imUrl': 'http://ecx.images-amazon.com/images/I/314qZjYe%2BWL.jpg', \
'brand': 'Boutique Cutie', 'categories': [['Clothing, Shoes & Jewelry', 'Girls', 'Tutus'], ['Sports', 'Dance']]}
{'asin': '0123456789', 'categories': [['Clothing, Shoes & Jewelry']], 'title': 'Tights', \
'description': 'Wear &amp; tear'}
""",
}


def test_amazon_2014_is_told_in_python_literals(take: Any, raw: Write) -> None:
    taken = take("amazon_2014", raw(AMAZON_2014))
    assert records(taken, "products", "product_id", "title", "description", "category", "brand", "price") == [
        (
            "0000031887",
            "Girl's Ballet Tutu",
            None,
            ["Clothing, Shoes & Jewelry", "Girls", "Tutus"],
            "Boutique Cutie",
            7.5,
        ),
        ("0123456789", "Tights", "Wear & tear", ["Clothing, Shoes & Jewelry"], None, None),
    ]
    assert taken.counts["relations"] == {"rows": 3, "kept": 2, "unknown_product": 1}
    pair = ("0000031887", "0123456789")
    assert records(taken, "relations", "product_id", "other_id", "kind") == [
        (*pair, "complement"),
        (*pair, "substitute"),
    ]
    assert records(taken, "reviews", "time", "rating", "title", "language") == [
        ("2011-02-12 00:00:00", 5.0, "Great tutu", "en"),
        ("2013-01-19 00:00:00", 4.0, "Nice", "en"),
    ]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "files"),
    [
        ("retailrocket", RETAILROCKET),
        ("instacart", INSTACART),
        ("hm", HM),
        ("rees46", {"2019-Oct.csv.gz": REES46}),
        ("santander", {"train_ver2.csv": SANTANDER}),
        ("amazon_2014", AMAZON_2014),
    ],
)
def test_their_tables_have_the_right_form(name: str, files: dict[str, str], take: Any, raw: Write) -> None:
    """Files so small cannot be fresh, and of so few rows a large share is refused."""
    verdict = take(name, raw(files)).judge()
    failed = {e["name"] for e in verdict["expectations"] if not e["holds"]}
    assert failed <= {"freshness", "refused_share", "unseen_purchases"}
