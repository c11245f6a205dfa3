import csv
import io
import json
import re
import time
import zipfile
from typing import get_args

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tandem import params
from tandem.privacy import masking
from tandem.privacy.masking import IDENTIFIERS, mask


def masked(text: str, *kinds: str) -> str:
    return mask(pa.array([text]), kinds or tuple(IDENTIFIERS))[0][0].as_py()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("mail me at a.b+c@ex-ample.co.uk!", "mail me at [email]!"),
        ("联系我abc@qq.com谢谢", "联系我[email]谢谢"),
        ("see https://joe:secret@shop.example/x?y ok", "see [url] ok"),
        ("call +44 20 7946 0958 now", "call [phone] now"),
        ("(555) 123-4567 or 1-800-555-0199", "[phone] or [phone]"),
        ("ring 0171/1234567, 01 42 68 53 00", "ring [phone], [phone]"),
        ("Tel.: 0301234567", "Tel.: [phone]"),
        ("电话13812345678，谢谢", "电话[phone]，谢谢"),
        ("139 1234 5678和139-1234-5678", "[phone]和[phone]"),
        ("+86 138 1234 5678", "[phone]"),
        ("座机010-62345678", "座机[phone]"),
        ("我的手机号是18900000126 我姓沈", "我的手机号是[phone] 我姓沈"),
        ("微信１３８１２３４５６７８", "微信[phone]"),
        ('{"text": "hi\\n13812345678"}', '{"text": "hi\\n[phone]"}'),
        ("card 4111 1111 1111 1111.", "card [card]."),  # test numbers of the card brands
        ("378282246310005, 30569309025904", "[card], [card]"),
        ("5555-5555-5555-4444 卡号6011111111111117", "[card] 卡号[card]"),
        ("身份证11010519491231002X", "身份证[id]"),  # the example in GB 11643
        ("110105 19491231 002x", "[id]"),
        ("old form 110105491231002", "old form [id]"),
        ("SSN 078-05-1120", "SSN [id]"),
        ("DE89 3704 0044 0532 0130 00 thanks", "[iban] thanks"),  # the registry's examples
        ("pay GB33BUKB20201555555555", "pay [iban]"),
    ],
)
def test_an_identifier_becomes_its_token_and_all_else_stays(text, expected) -> None:
    assert masked(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "paid 1,299.00 EUR on 2019-08-23 10:22:33, was 12.99",
        "from 01.02.2019 10:30 to 05/06/2019 12.30, 10-12-2019",
        "EAN 4006381333931, 9780306406157, UPC 036000291452",
        "ISBN 0306406152 or 978-3-16-148410-0",
        "order 1234567890 and ticket 12345678",
        "订单号：13812345678，共2件，2019年8月23日，价格1299元",
        "order no. 13812345678",
        "传不到手机里,5555557.机子和PC互动方便",
        "unix 1566555555, 1566555555555; 3.14159265358979",
        "192.168.100.200, 10,000,000 buyers, 12 000 000, 1000 2000 3000 4000",
        "4111 1111 1111 1112",  # Luhn's digit is wrong
        "110105194912310021 and 11010519491331002X",  # check digit; month 13
        "666-05-1120, 178-00-1120, 987-65-4321",  # numbers that are never given out
        "DE88370400440532013000",
        '{"user_id": "b0344c61d8db38535ca8afceaf0bf12b", "time": "2010-12-01 08:26:00", "order_id": "536365"}',
        "@home we say a@b, 5@2.50",
    ],
)
def test_prices_dates_codes_and_counts_stay(text) -> None:
    assert masked(text) == text


def test_what_is_masked_is_counted_by_kind_and_a_missing_text_stays_missing() -> None:
    texts, counts = mask(pa.array(["a@b.com, c@d.org", None, "13812345678", "fine"], pa.large_string()))
    assert texts.to_pylist() == ["[email], [email]", None, "[phone]", "fine"]
    assert texts.type == pa.large_string()
    assert counts == {**dict.fromkeys(IDENTIFIERS, 0), "email": 2, "phone": 1}


def test_chunks_stay_chunks() -> None:
    given_chunks = pa.chunked_array([["a@b.com"], [], ["x", None]], pa.string())
    texts, counts = mask(given_chunks, ["email"])
    assert texts.equals(pa.chunked_array([["[email]"], [], ["x", None]], pa.string()))
    assert texts.num_chunks == 3
    assert counts == {"email": 1}


@pytest.mark.parametrize("kind", IDENTIFIERS)
def test_a_kind_that_is_switched_off_is_left_alone(kind) -> None:
    text = "https://j:p@localhost/ a@b.com DE89370400440532013000 11010519491231002X 4111111111111111"
    text += " 219-09-9999 13812345678"
    expected = text.split(" ")
    token = masked(text).split(" ")
    place = list(IDENTIFIERS).index(kind)
    order = ["url", "email", "iban", "resident_id", "card", "ssn", "phone"]
    assert list(IDENTIFIERS) == order
    assert masked(text, *(other for other in order if other != kind)).split(" ") == [
        expected[i] if i == place else token[i] for i in range(len(order))
    ]


def test_params_name_every_kind() -> None:
    assert set(get_args(params.Identifier)) == set(IDENTIFIERS)


@given(st.integers(0, 10**15 - 1), st.integers(0, 9))
def test_luhn_accepts_one_last_digit_of_ten(body, last) -> None:
    digits = str(body)
    assert sum(masking.luhn(f"{digits}{check}") for check in range(10)) == 1
    assert masking.luhn(f"{digits}{last}") == (last == _luhn_digit(digits))


def _luhn_digit(body: str) -> int:
    total = 0
    for place, digit in enumerate(reversed(body)):
        value = int(digit) * 2 if place % 2 == 0 else int(digit)
        total += value // 10 + value % 10
    return -total % 10


@given(st.text(st.characters(codec="utf-8", exclude_categories=["Nd"], exclude_characters="@＠"), max_size=80))
def test_a_text_without_digits_and_at_signs_never_changes(text) -> None:
    assert masked(text) == text


@given(st.text("0123456789 +-./()a电@", max_size=60))
def test_masking_twice_changes_nothing_more(text) -> None:
    once = masked(text)
    assert re.sub(r"\[\w+\]", "", masked(once)).count("@") <= once.count("@")
    assert len(masked(once)) <= len(once) + len("[phone]") * once.count("[")


def test_a_gigantic_field_takes_no_gigantic_time() -> None:
    began = time.perf_counter()
    for text in ("a." * 500_000 + "@", "1 " * 500_000, "http://" * 100_000 + " a@b.com", "+1(" * 300_000):
        masked(text + " 13812345678")
    assert time.perf_counter() - began < 20


def test_a_hundred_thousand_short_texts_take_less_than_a_second() -> None:
    texts = pa.array([f"nice product, paid 12.99 on 2019-03-02, number {i} of many" for i in range(100_000)])
    began = time.perf_counter()
    mask(texts)
    assert time.perf_counter() - began < 1


@pytest.mark.real_data("chinese_reviews")
def test_in_chinese_reviews_what_is_masked_is_a_person_to_be_reached(real_data) -> None:
    with zipfile.ZipFile(real_data / "online_shopping_10_cats.zip") as archive:
        (member,) = [name for name in archive.namelist() if name.endswith(".csv")]
        rows = csv.DictReader(io.StringIO(archive.read(member).decode("utf-8-sig")))
        texts = pa.array([row["review"] for row in rows])
    _, counts = mask(texts)
    found = {kind: count for kind, count in counts.items() if count}
    assert found == {"email": 7, "phone": 34}  # all 41 read: each is an address or a number to ring


@pytest.mark.real_data("amazon_gift_cards")
def test_in_gift_card_reviews_nothing_is_masked_and_in_descriptions_hotlines_are(real_data) -> None:
    import gzip

    with gzip.open(real_data / "Gift_Cards_5.json.gz", "rt", encoding="utf-8") as lines:
        reviews = [json.loads(line).get("reviewText") for line in lines]
    with gzip.open(real_data / "meta_Gift_Cards.json.gz", "rt", encoding="utf-8") as lines:
        products = [json.loads(line) for line in lines]
    described = [" ".join([product.get("title") or "", *product.get("description", [])]) for product in products]
    assert not any(mask(pa.array(reviews))[1].values())
    assert {kind: count for kind, count in mask(pa.array(described))[1].items() if count} == {"email": 1, "phone": 15}
