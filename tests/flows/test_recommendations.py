"""What a source recommends gets into params.yaml when it should, and what was set by hand stays."""

from pathlib import Path

import pytest
import yaml

from flows.recommendations import switch
from tandem.data.sources import Source
from tandem.errors import SourceError
from tandem.params import read_all


def test_switching_keeps_comments_and_switching_back_restores_every_byte(project: Path) -> None:
    before = Path("params.yaml").read_text()
    sources = [Source.read(path) for path in sorted(Path("sources").glob("*.yaml"))]
    (start,) = [source for source in sources if source.name == read_all()["source"]]
    for source in sources:
        switch(source)
        values, recommended = read_all(), yaml.safe_load(Path(f"sources/{source.name}.yaml").read_text())
        assert values["source"] == source.name
        assert isinstance(values["validate"]["as_of"], str)  # DVC refuses dates
        assert holds(values, recommended.get("params", {}))
        assert [line for line in before.splitlines() if line.startswith("#")] == [
            line for line in Path("params.yaml").read_text().splitlines() if line.startswith("#")
        ]
    switch(start)
    assert Path("params.yaml").read_text() == before


def holds(values: dict, recommended: dict) -> bool:
    """Whether `values` have all that is recommended, level by level."""
    return all(
        holds(values[key], value) if isinstance(value, dict) and key != "window_s" else values[key] == value
        for key, value in recommended.items()
    )


def test_what_one_source_recommends_does_not_stay_for_the_next(project: Path) -> None:
    before = read_all()
    switch(describe({"cleaning": {"bot": {"enabled": False}, "near_duplicate": {"window_s": {"purchase": 9}}}}))
    assert read_all()["cleaning"]["bot"]["enabled"] is False
    assert read_all()["cleaning"]["near_duplicate"]["window_s"] == {"purchase": 9}
    switch(describe(None, name="other"))
    assert read_all() == before | {"source": "other", "validate": before["validate"] | {"as_of": "now"}}


def test_the_demo_shop_recommends_whatever_any_source_does(project: Path) -> None:
    """Else a switch would leave a value behind."""

    def keys(values: dict, prefix: str = "") -> set[str]:
        nested = {f"{prefix}{key}": value for key, value in values.items()}
        inner = [keys(value, f"{key}.") for key, value in nested.items() if isinstance(value, dict)]
        return set.union(set(nested), *inner) if nested else set()

    demo = keys(yaml.safe_load(Path("sources/demo.yaml").read_text())["params"])
    for path in Path("sources").glob("*.yaml"):
        found = keys(yaml.safe_load(path.read_text()).get("params", {}))
        assert {key for key in found if "window_s." not in key} <= demo, path


def describe(params: dict | None, name: str = "shop") -> Source:
    """A source of this name with these params."""
    values = yaml.safe_load(Path("sources/online_retail.yaml").read_text()) | {"name": name, "params": params}
    path = Path(f"sources/{name}.yaml")
    path.write_text(yaml.safe_dump({k: v for k, v in values.items() if v is not None}))
    return Source.read(path)


def test_a_source_need_not_recommend_anything(project: Path) -> None:
    before = read_all()
    switch(describe(None))
    assert read_all() == before | {"source": "shop", "validate": before["validate"] | {"as_of": "now"}}


@pytest.mark.parametrize(
    ("params", "said"),
    [
        ({"splitt": {"test_days": 3}}, r"shop\.yaml: params\.splitt is no key of params\.yaml; there are .*split"),
        ({"split": {"test_day": 3}}, r"params\.split\.test_day is no key .*; there are validation_days, test_days"),
    ],
)
def test_a_value_that_params_do_not_have_is_refused_before_anything_is_written(project: Path, params, said) -> None:
    before = Path("params.yaml").read_text()
    with pytest.raises(SourceError, match=said):
        switch(describe(params))
    assert Path("params.yaml").read_text() == before


def test_values_set_by_hand_survive_while_the_source_stays(project: Path) -> None:
    text = Path("params.yaml").read_text().replace("test_days: 21", "test_days: 5")
    Path("params.yaml").write_text(text)
    switch(Source.read(Path("sources/demo.yaml")))
    assert Path("params.yaml").read_text() == text


def test_only_the_demo_shop_is_judged_as_of_a_day_that_no_source_named(project: Path) -> None:
    """A shop with data of today would be refused as of the demo shop's last day."""
    demo = read_all()["validate"]["as_of"]
    switch(describe({"split": {"test_days": 7}}))
    assert read_all()["validate"]["as_of"] == "now"
    switch(describe({"validate": {"as_of": "2011-12-10T00:00:00Z"}}, name="old"))
    assert read_all()["validate"]["as_of"] == "2011-12-10T00:00:00Z"
    switch(Source.read(Path("sources/demo.yaml")))
    assert read_all()["validate"]["as_of"] == demo != "now"


def test_what_changes_in_the_sources_file_is_taken_over_at_the_next_ingest(project: Path) -> None:
    switch(describe({"split": {"test_days": 7}, "validate": {"max_quantity": 50}}))
    by_hand = Path("params.yaml").read_text().replace("max_quantity: 50", "max_quantity: 60")
    Path("params.yaml").write_text(by_hand)
    switch(describe({"split": {"test_days": 9}, "validate": {"max_quantity": 50}}))
    assert Path("params.yaml").read_text() == by_hand.replace("test_days: 7", "test_days: 9")
    switch(describe({"validate": {"max_quantity": 50}}))  # no longer recommended: what suits the demo shop
    assert Path("params.yaml").read_text() == by_hand.replace("test_days: 7", "test_days: 21")


def test_a_value_that_is_not_as_recommended_is_told_and_stays(project: Path, caplog: pytest.LogCaptureFixture) -> None:
    switch(describe({"split": {"test_days": 7}}))
    Path("params.yaml").write_text(Path("params.yaml").read_text().replace("test_days: 7", "test_days: 5"))
    before = Path("params.yaml").read_bytes()
    with caplog.at_level("INFO"):
        switch(describe({"split": {"test_days": 7}}))
    assert "params.yaml: split.test_days = 5 stays; sources/shop.yaml recommends 7" in caplog.text
    assert Path("params.yaml").read_bytes() == before


def test_where_it_is_not_known_what_was_recommended_before_nothing_is_changed(project: Path) -> None:
    """As in a clone: params.yaml came with git, and may hold what somebody chose."""
    switch(describe({"split": {"test_days": 7}}))
    for path in Path(".tandem/recommended").iterdir():
        path.unlink()
    before = Path("params.yaml").read_bytes()
    switch(describe({"split": {"test_days": 8}}))
    assert Path("params.yaml").read_bytes() == before
    switch(describe({"split": {"test_days": 9}}))
    assert read_all()["split"]["test_days"] == 9


def test_a_time_without_quotes_is_refused(project: Path) -> None:
    """YAML reads a date of it, which DVC does not take."""
    source = describe({"validate": {"as_of": "AT"}})
    path = Path("sources/shop.yaml")
    path.write_text(path.read_text().replace("AT", "2026-07-01T00:00:00Z"))
    with pytest.raises(SourceError, match=r"shop\.yaml: params\.validate\.as_of: write the time in quotes"):
        switch(source)
