from pathlib import Path

import pytest
import yaml
from pydantic import ValidationError

from tandem.data.sources import Source
from tandem.errors import SourceError

SOURCES = sorted(path.stem for path in (Path(__file__).parents[3] / "sources").glob("*.yaml"))


def refusal(shop) -> str:
    with pytest.raises(ValidationError) as caught:
        Source.model_validate(shop)
    return str(caught.value)


@pytest.mark.parametrize("name", SOURCES)
def test_every_source_of_the_project_can_be_read(root, name) -> None:
    assert Source.read(root / "sources" / f"{name}.yaml").name == name


USERS = {"files": "u.csv", "format": "csv", "columns": {"user_id": "id"}}


def test_a_block_names_every_raw_column_it_speaks_of(shop) -> None:
    block = Source.model_validate(shop).events[0]
    assert block.named == sorted(["item", "customer", "when", "order", "pieces", "price", "what"])
    assert block.user_column == "customer"


def test_attributes_are_a_list_or_say_which_column_they_come_from(shop) -> None:
    shop["users"] = [USERS | {"attributes": ["age"]}, USERS | {"attributes": {"age": "years"}}]
    same, other = Source.model_validate(shop).users
    assert (same.attributes, other.attributes) == ({"age": "age"}, {"age": "years"})


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"colums": {}}, "Extra inputs"),
        ({"format": "word"}, "'csv', 'typed', 'excel'"),
        ({"encoding": "utf-9"}, "Python knows no such encoding"),
        ({"files": "../other/*.csv"}, "below the source's folder"),
        ({"kind": "steal"}, "`steal` not among the kinds of events: view, click, cart"),
        ({"columns": {"product_id": "item"}}, "`time` not among the `columns`"),
        ({"columns": {"product_id": "a", "time": "b", "colour": "c"}}, "`colour` not among the columns of events"),
        ({"columns": {"product_id": {"columns": ["a"]}, "time": "b"}}, "`product_id` takes the name of one raw column"),
        ({"upper": ["quantity"]}, "`quantity` not among the mapped text columns"),
        ({"time_formats": ["%d.%m.%Y %Q"]}, "not a strptime pattern"),
        ({"numbers": {"decimal": ",", "thousands": ","}}, "`thousands` are both `,`: must differ"),
        ({"numbers": {"thousands": "."}}, "`decimal` (a point by default) and `thousands` are both `.`"),
        ({"numbers": {"decimal": ";"}}, "Input should be '.' or ','"),
        ({"numbers": {"thousands": "_"}}, "Input should be '.', ',', "),
        ({"numbers": {"strip": [" "]}}, "must be a text beside a number, such as `€`"),
        ({"numbers": {"strip": ["-"]}}, "no sign of a number alone"),
        ({"numbers": {"strip": ["x10"]}}, "no digits"),
        ({"numbers": {"strip": ["万"]}}, "no digits"),
        ({"numbers": {"currency": "€"}}, "Extra inputs"),
        ({"rules": [{"name": "a", "where": {"item": "x"}}]}, "either `refuse: sentence` or `kind"),
        ({"rules": [{"name": "a", "refuse": "why"}]}, "`where`, `unless` or both"),
        ({"rules": [{"name": "a", "where": {"item": "("}, "refuse": "why"}]}, "not an RE2 pattern"),
        ({"rules": [{"name": "a", "where": {"item": "^(?!b)"}, "refuse": "why"}]}, "there is `unless`"),
        ({"rules": [{"name": "a", "where": {"item": "b"}, "refuse": "why"}] * 2}, "two rules have the same name"),
        ({"rules": [{"name": "a", "where": {"item": "b"}, "kind": "theft"}]}, "`theft` not among the kinds"),
    ],
)
def test_a_block_that_does_not_fit_is_refused_with_what_fits(shop, change, said) -> None:
    shop["events"][0] |= change
    assert said in refusal(shop)


@pytest.mark.parametrize(
    ("columns", "language", "said"),
    [
        ({"text": "x"}, "eng", "no code of ISO 639-1, such as en"),
        ({"text": "x"}, "EN", "no code of ISO 639-1"),
        ({"text": "x"}, "jp", "no code of ISO 639-1"),
        ({"title": "x"}, "en", "`language` tells that of a mapped `text`"),
        ({"text": "x", "language": "y"}, "en", "whose language no column tells"),
    ],
)
def test_the_language_of_reviews_is_a_code_for_texts_that_name_none(shop, columns, language, said) -> None:
    reviews = {"files": "r.csv", "format": "csv", "columns": {"product_id": "p", "time": "t"} | columns}
    shop["reviews"] = [reviews | {"language": language}]
    assert said in refusal(shop)


@pytest.mark.parametrize("column", ["session_id", "order_id", "product_id"])
def test_the_column_of_user_ids_is_mapped_to_nothing_else(shop, column) -> None:
    shop["events"][0]["columns"][column] = "customer"
    assert "`customer` holds user ids" in refusal(shop)


def test_user_ids_become_no_titles_and_no_kinds(shop) -> None:
    shop["products_from_events"]["title"] = "customer"
    assert "`customer` holds user ids and cannot be mapped to anything else (products_from_events)" in refusal(shop)
    del shop["products_from_events"]["title"]
    shop["events"][0]["kind"]["column"] = "customer"
    assert "`customer` holds user ids" in refusal(shop)


ELSEWHERE = [
    ("events", {"columns": {"product_id": "item", "time": "when", "order_id": "customer"}, "kind": "view"}),
    (
        "events",
        {"columns": {"product_id": "item", "time": "when"}, "kind": {"column": "customer", "values": {"a": "view"}}},
    ),
    ("reviews", {"columns": {"product_id": "item", "time": "when", "title": "customer"}}),
    ("products", {"columns": {"product_id": "item"}, "attributes": ["customer"]}),
    ("products", {"columns": {"product_id": "item", "category": {"columns": ["wide", "customer"]}}}),
]


@pytest.mark.parametrize(("table", "block"), ELSEWHERE)
def test_the_column_of_user_ids_is_no_value_in_another_block(shop, table, block) -> None:
    shop[table] = [*shop.get(table, []), {"files": "other.csv", "format": "csv", **block}]
    assert f"`customer` holds user ids and cannot be mapped to anything else ({table})" in refusal(shop)


def test_users_and_products_may_both_be_called_id(shop) -> None:
    shop["users"] = [{"files": "u.csv", "format": "csv", "columns": {"user_id": "id"}}]
    shop["products"] = [{"files": "p.csv", "format": "csv", "columns": {"product_id": "id"}}]
    assert Source.model_validate(shop).products[0].mapped == {"id"}


@pytest.mark.parametrize("change", [{"timezone": "Europe/Atlantis"}, {"currency": "euro"}])
def test_a_source_that_does_not_fit_is_refused(shop, change) -> None:
    assert next(iter(change)) in refusal(shop | change)


def test_a_source_has_a_block(shop) -> None:
    assert "no table has a block" in refusal(shop | {"events": [], "products_from_events": None})
    assert "none of them has a block" in refusal(shop | {"events": [], "users": [USERS]})
    reviews = {"files": "r.csv", "format": "csv", "columns": {"product_id": "p", "time": "t"}}
    assert "yet `events` has no block" in refusal(shop | {"events": [], "reviews": [reviews]})


def test_products_come_from_somewhere(shop) -> None:
    del shop["products_from_events"]
    assert "neither is there" in refusal(shop)


def test_a_refused_file_names_key_value_and_file(tmp_path, shop) -> None:
    path = tmp_path / "shop.yaml"
    shop["events"][0]["format"] = "xml"
    path.write_text(yaml.safe_dump(shop))
    with pytest.raises(SourceError, match=r"shop\.yaml: `events\.0\.format` = 'xml': .*'csv'"):
        Source.read(path)


def test_what_is_wrong_with_a_file_as_a_whole_names_no_key(tmp_path) -> None:
    path = tmp_path / "shop.yaml"
    for text, said in (
        ("{name: shop, title: a, timezone: UTC}", "no table has a block"),
        ("- a", "must be keys and values"),
    ):
        path.write_text(text)
        with pytest.raises(SourceError) as refused:
            Source.read(path)
        assert str(refused.value).startswith(f"{path}: {said}")


def test_a_missing_file_says_which_sources_there_are(tmp_path, shop) -> None:
    (tmp_path / "shop.yaml").write_text(yaml.safe_dump(shop))
    assert Source.read(tmp_path / "shop.yaml").name == "shop"
    with pytest.raises(SourceError, match=r"other\.yaml is missing; .* holds shop"):
        Source.read(tmp_path / "other.yaml")


def test_a_source_bears_the_name_of_its_file(tmp_path, shop) -> None:
    (tmp_path / "store.yaml").write_text(yaml.safe_dump(shop))
    with pytest.raises(SourceError, match="'shop' must be the file's own name, 'store'"):
        Source.read(tmp_path / "store.yaml")


@pytest.mark.parametrize("text", ["name: [", "- a list", ""])
def test_what_is_no_mapping_is_refused(tmp_path, text) -> None:
    (tmp_path / "shop.yaml").write_text(text)
    with pytest.raises(SourceError, match=r"shop\.yaml"):
        Source.read(tmp_path / "shop.yaml")
