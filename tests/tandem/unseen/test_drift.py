import pytest
import yaml

from tandem.data.blocks import Events
from tandem.unseen import drift

HEADER = ["item", "customer", "when", "what", "pieces", "note"]


@pytest.fixture
def block() -> Events:
    return Events.model_validate(
        {
            "files": "events-*.csv",
            "format": "csv",
            "columns": {"product_id": "item", "user_id": "customer", "time": "when", "quantity": "pieces"},
            "upper": ["product_id"],
            "kind": {"column": "what", "values": {"item": "view", "buy": "purchase"}},
            "rules": [{"name": "fee", "where": {"item": "^item$"}, "refuse": "a fee"}],
        }
    )


def proposed(difference) -> dict:
    """The block that a message proposes."""
    text = difference.message("day/events-9.csv")
    return yaml.safe_load(text[text.index("  - files") :])[0]


def test_the_same_columns_in_another_order_are_no_difference(block) -> None:
    assert drift.compare(HEADER, HEADER[::-1], block, None, None) is None


def test_columns_that_may_be_there_or_not_are_no_difference(block) -> None:
    lenient = block.model_copy(update={"may_have": frozenset({"note", "channel"})})
    assert drift.compare(HEADER, [*HEADER[:-1], "channel"], lenient, None, None) is None


def test_columns_nobody_uses_are_proposed_as_may_have(block) -> None:
    difference = drift.compare(HEADER, [*HEADER[:-1], "channel"], block, None, None)
    assert (difference.gone, difference.new, difference.renamed) == (("note",), ("channel",), ())
    assert "may_have: [channel, note]" in difference.message("events-9.csv")


def test_a_column_renamed_is_told_by_its_name(block) -> None:
    difference = drift.compare(HEADER, ["sku_id", *HEADER[1:]], block, None, None)
    assert [(pair.before, pair.now) for pair in difference.renamed] == [("item", "sku_id")]
    assert difference.gone == difference.new == ()


def test_a_column_renamed_beyond_recognition_is_told_by_its_values(block) -> None:
    goods = [f"TD-{number}" for number in range(100)]
    now = ["xq7", *HEADER[1:]]
    found = drift.compare(HEADER, now, block, {"item": goods}, {"xq7": goods[20:]})
    assert [(pair.before, pair.now) for pair in found.renamed] == [("item", "xq7")]
    other = drift.compare(HEADER, now, block, {"item": goods}, {"xq7": ["3.5", "2.25"] * 40})
    assert (other.gone, other.new, other.renamed) == (("item",), ("xq7",), ())


def test_of_two_that_look_alike_the_likest_is_paired_and_each_once(block) -> None:
    then = {"item": [f"A{n}" for n in range(50)], "note": [f"N{n}" for n in range(50)]}
    now = {"item_code": then["item"], "item_note": then["note"]}
    found = drift.compare(HEADER, ["item_code", *HEADER[1:-1], "item_note"], block, then, now)
    assert [(pair.before, pair.now) for pair in found.renamed] == [("item", "item_code"), ("note", "item_note")]


def test_the_proposed_block_reads_the_new_header_and_changes_nothing_else(block) -> None:
    proposal = proposed(drift.compare(HEADER, ["sku_id", *HEADER[1:]], block, None, None))
    assert proposal["files"] == "**/events-9.csv"
    expected = block.model_dump(mode="json", exclude_unset=True)
    expected["files"] = "**/events-9.csv"
    expected["columns"]["product_id"] = "sku_id"
    expected["rules"][0]["where"] = {"sku_id": "^item$"}  # the pattern, and the value `item` of the kind, stay
    assert proposal == expected
    assert Events.model_validate(proposal).columns["product_id"] == "sku_id"


def test_a_needed_column_without_successor_is_named_with_what_is_read_from_it(block) -> None:
    difference = drift.compare(HEADER, [name for name in HEADER if name != "pieces"], block, None, None)
    assert difference.needed == {"pieces": ["quantity"]}
    assert "`pieces` (quantity): ask who exports the file" in difference.message("events-9.csv")
    assert proposed(difference)["columns"]["quantity"] == "???"
    assert "pairs" not in difference.message("events-9.csv")


def test_a_kind_without_its_column_is_left_open(block) -> None:
    difference = drift.compare(HEADER, [name for name in HEADER if name != "what"], block, None, None)
    assert proposed(difference)["kind"]["column"] == "???"


def test_no_value_gets_into_the_message(block) -> None:
    people = [f"secret-{number}" for number in range(50)]
    now = [HEADER[0], "client", *HEADER[2:]]
    text = drift.compare(HEADER, now, block, {"customer": people}, {"client": people}).message("events-9.csv")
    assert "100% of its values came before" in text
    assert "secret" not in text
