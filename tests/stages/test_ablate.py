"""The stage `ablate`: on a shop whose titles alone tell of a new phone which case fits it."""

from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import yaml

from models.association.params import AssociationParams
from models.association.ranker import Association
from stages import ablate
from stages.evaluate import Exam
from tandem import files, release
from tandem.data import schema
from tandem.evaluation import ablation
from tandem.evaluation.cases import VIEWS
from tandem.features import dataset
from tandem.features.bundles import Bundles
from tandem.features.dataset import Dataset
from tandem.features.partners import Partners
from tandem.params import FeaturesParams

pytestmark = pytest.mark.slow

LOOKS, PHONES = 3, 12
START = pd.Timestamp("2026-01-01T00:00Z")
TEST = START + pd.Timedelta(days=10)


def basket(look: int, phone: str, day: int, buyer: str) -> list[dict]:
    """A phone with the case of its look."""
    event = {"user_id": buyer, "order_id": f"o-{buyer}-{phone}", "kind": "purchase", "quantity": 1.0}
    time = START + pd.Timedelta(days=day)
    return [event | {"product_id": p, "event_id": f"{buyer}-{phone}-{p}", "time": time} for p in (phone, f"c{look}")]


def frame(rows: list[dict], table: schema.Table) -> pd.DataFrame:
    return pa.table({c.name: pa.array([row.get(c.name) for row in rows], c.type) for c in table.columns}).to_pandas()


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory, root: Path) -> Path:
    """What the stage reads: of each look twelve phones sold in January's first days, three more only in the window."""
    home = tmp_path_factory.mktemp("ablate")
    values = yaml.safe_load((root / "params.yaml").read_text())
    values["evaluate"] |= {"bootstrap": 200, "related_min_count": 1}
    changes = {"epochs": 15, "dim": 8, "hidden": 8, "neighbours": 2, "batch": 16, "learning_rate": 0.03}
    values["networks"]["association"] |= changes
    (home / "params.yaml").write_text(yaml.safe_dump(values))
    known, titles = shop(values)
    known.write(home / "features" / "trial")
    picture = np.full((known.vocabulary.size, 1), np.nan, np.float32)
    files.write_arrays(home / "vectors" / "trial.npz", text=titles, picture=picture)
    later = [
        event for look in range(LOOKS) for n in range(3) for event in basket(look, f"new{look}-{n}", 11, f"v{look}-{n}")
    ]
    files.write(frame(later, schema.EVENTS), home / "splits" / "test.parquet", schema.EVENTS)
    params = AssociationParams.parse(values["networks"]["association"])
    fitted = Association(params).fit(known.with_vectors(titles, picture))
    table = frame([{"product_id": name, "category": []} for name in known.vocabulary.ids], schema.PRODUCTS)
    facts = {"kind": "association", "tasks": ["related"], "params": params.model_dump(mode="json"), "seed": params.seed}
    facts |= {"source": "phones", "data_hash": "d" * 64, "choices": fitted.choices, "key_id": "0" * 8}
    facts |= {"window": "trial", "min_users": 1}
    state = known.histories, known.demand
    goes_with = Partners.none(), Bundles.none()
    release.write(home / "trial", fitted, known.vocabulary, table, state, facts, goes_with)
    return home


def shop(values: dict) -> tuple[Dataset, np.ndarray]:
    """The trial dataset, and (products, looks) titles of phones that say what they look like."""
    phones = {f"p{look}-{n:02}": look for look in range(LOOKS) for n in range(PHONES)}
    sold = [event for n, (phone, look) in enumerate(phones.items()) for event in basket(look, phone, n % 9, f"u{n}")]
    new = [f"new{look}-{n}" for look in range(LOOKS) for n in range(3)]
    ids = [*phones, *new, *(f"c{look}" for look in range(LOOKS))]
    products = frame([{"product_id": name, "category": []} for name in ids], schema.PRODUCTS)
    params = FeaturesParams.parse(values["features"])
    known = dataset.build(frame(sold, schema.EVENTS), products, TEST, params)
    titles = np.full((known.vocabulary.size, LOOKS), np.nan, np.float32)
    for place, name in enumerate(known.vocabulary.ids, start=1):
        if not name.startswith("c"):
            titles[place] = np.eye(LOOKS)[int(name.removeprefix("new").removeprefix("p")[0])]
    return known, titles


@pytest.fixture(scope="module")
def told(home: Path) -> dict:
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(home)
        inputs = (home / name for name in ("trial", "splits", "features", "vectors"))
        ablate.main(*inputs, home / "reports" / "ablations.json")
    return files.read_json(home / "reports" / "ablations.json")


def test_every_variant_is_measured_or_told_why_not(told: dict) -> None:
    assert told["not_trained"] == {
        "no graph": "so it is, by params.yaml",
        "no picture": "of no product a picture is known",
    }
    assert set(told["views"]) == set(VIEWS["related"])
    view, others = told["views"]["together"], {"mean of neighbours", "attention to neighbours", "no text"}
    assert (view["cases"], set(view["differences"])) == (12, others)
    assert set(view["rankers"]) == {"association", *others}
    beyond = told["views"]["beyond_popularity"]  # of three looks none has a lift of 5
    assert (beyond["cases"], beyond["rankers"], beyond["differences"]) == (0, {}, {})
    assert "nothing to measure" in ablation.table(told)


def test_without_titles_nothing_tells_which_case_fits_a_new_phone(told: dict) -> None:
    """Nine of the twelve products asked about are new phones; a case asks for new phones that none can foretell."""
    view = told["views"]["together"]
    assert view["rankers"]["association"]["hit_rate_at_5"]["mean"] >= 0.75
    less = view["differences"]["no text"]["ndcg_at_5"]
    assert less["high"] < 0


def test_the_trial_has_the_numbers_that_the_evaluation_gives_it(home: Path, told: dict) -> None:
    later = files.read(home / "splits" / "test.parquet", schema.EVENTS)
    exam = Exam.set("related", Dataset.read(home / "features" / "trial"), later, 1, sliced=False)
    exam.enter(release.read(home / "trial", {"association": Association}), (5, 10))
    found = exam.deciding.measured["association"]
    own = told["views"]["together"]["rankers"]["association"]
    for metric in ("mrr", "ndcg_at_5", "ndcg_at_10", "hit_rate_at_5"):
        assert own[metric]["mean"] == pytest.approx(found.by_case[metric].mean())


def test_trained_anew_as_it_is_it_is_the_trial(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Equal params, choices and seed: variants differ from the trial by their one change alone."""
    known = Dataset.read(home / "features" / "trial").with_vectors(**files.read_arrays(home / "vectors" / "trial.npz"))
    shipped = Association.load(home / "trial" / "ranker")
    monkeypatch.setattr(ablate, "why_equal", lambda *_: None)
    monkeypatch.setattr(ablate, "variants", lambda params: {"the same": params})
    again = ablate.trained(shipped, known)[0]["the same"]
    expected = shipped.scores(known.histories, known.demand)
    assert np.array_equal(again.scores(known.histories, known.demand), expected)
