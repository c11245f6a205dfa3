import re

LOG = "sku,user_id,time"
ROW = "S{a},U{a},2026-01-{day} 10:00"


def test_every_column_that_is_not_used_is_listed(described, rows) -> None:
    text = described({"log.csv": rows(f"{LOG},channel,x9", f"{ROW},web{{b}},{{n}}")}).text
    assert "# not used: `channel`: no meaning found; text, 3 different in 60, such as 'web0', 'web1', 'web2'" in text
    assert re.search("# not used: `x9`: no meaning found; integer, 60 different in 60$", text, re.MULTILINE)


def test_values_that_may_be_somebodys_are_not_listed(described, rows) -> None:
    text = described({"log.csv": rows(f"{LOG},contact_person,buyer_id", f"{ROW},Anna{{n}},B{{b}}")}).text
    assert "not used: `contact_person`" in text
    assert "Anna" not in text
    assert "'B0'" not in text


def test_a_telling_name_over_values_that_do_not_fit_is_unsure(described, rows) -> None:
    draft = described({"log.csv": rows(f"{LOG},qty", f"{ROW},some{{b}}")})
    assert any("`qty` is called like quantity, but text" in doubt for doubt in draft.unsure)


def test_what_events_tell_of_their_products_is_used(described, rows) -> None:
    assert "not used" not in described({"log.csv": rows(f"{LOG},brand", f"{ROW},B{{b}}")}).text


def test_of_very_many_columns_only_the_names_are_told(described, rows) -> None:
    wide = ",".join(f"c{n}" for n in range(60))
    text = described({"log.csv": rows(f"{LOG},{wide}", f"{ROW},{','.join(['x'] * 60)}")}).text
    assert "# not used: 20 more: c40, c41," in text
