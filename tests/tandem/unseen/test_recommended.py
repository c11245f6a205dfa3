from pathlib import Path

import pytest
import yaml

from tandem.data.sources import Source
from tandem.errors import ParamsError
from tandem.params import IngestParams, ValidateParams, read_all
from tandem.unseen import recommended

PARAMS = Path(__file__).parents[3] / "params.yaml"
BLOCK = {"files": "*.csv", "format": "csv", "columns": {"product_id": "item"}}


def of(params: dict, path: Path = PARAMS) -> tuple[IngestParams, ValidateParams]:
    source = {"name": "shop", "title": "a shop", "timezone": "UTC", "products": [BLOCK], "params": params}
    read = IngestParams.read(PARAMS), ValidateParams.read(PARAMS)
    return recommended.params(Source.model_validate(source), *read, path)


def test_recommended_values_hold_and_all_others_stay() -> None:
    ingest, validate = of({"cleaning": {"bot": {"enabled": False}}, "validate": {"max_refused_share": 0.5}})
    before = IngestParams.read(PARAMS)
    assert ingest.cleaning.bot == before.cleaning.bot.model_copy(update={"enabled": False})
    assert (ingest.cleaning.text, ingest.privacy) == (before.cleaning.text, before.privacy)
    assert validate.max_refused_share == 0.5


def test_the_demo_shops_clock_is_nobody_elses(tmp_path) -> None:
    assert of({})[1].as_of == "now"
    assert of({"validate": {"as_of": "2020-01-01T00:00:00Z"}})[1].as_of.year == 2020
    in_use = tmp_path / "params.yaml"
    in_use.write_text(yaml.safe_dump(read_all(PARAMS) | {"source": "shop"}))
    assert of({}, in_use)[1].as_of == ValidateParams.read(PARAMS).as_of


def test_a_value_that_does_not_fit_is_told_with_its_source() -> None:
    with pytest.raises(ParamsError, match=r"source shop, `params`: `validate\.max_refused_share` = 7"):
        of({"validate": {"max_refused_share": 7}})
