"""The interest networks: what they learn, and that they say the same wherever they are."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from models.interest.ranker import Interest
from models.training import NothingToLearn
from tandem.errors import ReleaseError
from tandem.evaluation.cases import Cases
from tandem.features.dataset import Dataset
from tandem.ranking.ranker import top_k

pytestmark = pytest.mark.slow


def _after(dataset: Dataset) -> np.ndarray:
    """The product that comes next on the circle of p00 … p11, by user."""
    histories = dataset.histories
    return histories.product[histories.offsets[1:] - 1] % 12 + 1


def test_the_next_product_of_the_circle_comes_first(walked: Interest, circle: Dataset) -> None:
    first = top_k(walked.scores(circle.histories, circle.demand), 1)[:, 0]
    assert first.tolist() == _after(circle).tolist()


def test_loaded_it_scores_exactly_as_before(walked: Interest, circle: Dataset, tmp_path: Path) -> None:
    walked.save(tmp_path)
    loaded = type(walked).load(tmp_path)
    assert np.array_equal(
        loaded.scores(circle.histories, circle.demand), walked.scores(circle.histories, circle.demand)
    )
    assert loaded.choices == walked.choices


def test_it_is_loaded_and_asked_without_tensorflow(
    walked: Interest, circle: Dataset, tmp_path: Path, root: Path
) -> None:
    (tmp_path / "ranker").mkdir()
    walked.save(tmp_path / "ranker")
    circle.write(tmp_path / "data")
    code = """
import sys
from pathlib import Path
import numpy as np
from models.rankers import RANKERS
from tandem.features.dataset import Dataset
folder, name = Path(sys.argv[1]), sys.argv[2]
data = Dataset.read(folder / "data")
scores = RANKERS[name].load(folder / "ranker").scores(data.histories, data.demand)
assert not {"tensorflow", "keras", "onnx"} & set(sys.modules)
np.save(folder / "scores.npy", scores)
"""
    subprocess.run([sys.executable, "-c", code, str(tmp_path), walked.name], cwd=root, check=True)
    assert np.array_equal(np.load(tmp_path / "scores.npy"), walked.scores(circle.histories, circle.demand))


def test_one_user_at_a_time_or_all_at_once_is_the_same(walked: Interest, circle: Dataset) -> None:
    together = walked.scores(circle.histories, circle.demand)
    for row in (0, 17, 39):
        alone = walked.scores(circle.histories.take(np.array([row])), circle.demand)
        assert alone[0] == pytest.approx(together[row], abs=1e-5)


def test_a_history_without_events_is_ranked_by_what_is_known_of_products(walked: Interest, circle: Dataset) -> None:
    histories = circle.histories
    nothing = replace(
        histories.take(np.array([0])),
        offsets=np.array([0, 0]),
        **{name: getattr(histories, name)[:0] for name in ("product", "kind", "time_us", "basket")},
    )
    assert np.isfinite(walked.scores(nothing, circle.demand)).all()


def test_what_the_user_had_before_is_its_own_reason(walked: Interest, circle: Dataset) -> None:
    had = circle.histories.product[circle.histories.offsets[:1]]
    items = np.array([[had[0], _after(circle)[0], 0]])
    assert walked.because(circle.histories.take(np.array([0])), items).tolist() == [[had[0], 0, 0]]


def test_equal_seeds_give_equal_scores(make, circle: Dataset) -> None:
    first, second = (make("transformer", epochs=2, dropout=0.2, event_dropout=0.2).fit(circle) for _ in range(2))
    assert first.curve == second.curve
    assert np.array_equal(first.scores(circle.histories, circle.demand), second.scores(circle.histories, circle.demand))


def test_drawn_negatives_find_the_circle_too(make, circle: Dataset) -> None:
    ranker = make("transformer", negatives=6, epochs=40).fit(circle)
    first = top_k(ranker.scores(circle.histories, circle.demand), 1)[:, 0]
    assert (first == _after(circle)).mean() > 0.9


def test_the_best_epoch_on_validation_is_kept_and_repeated(make, circle: Dataset) -> None:
    ranker = make("transformer", epochs=6, patience=1)
    truth = circle.histories.seen(("purchase",)) * 0
    truth = truth.tolil()
    truth[np.arange(40), _after(circle)] = 1
    cases = Cases(circle.histories, circle.demand, truth.tocsr(), truth.tocsr() * 0)
    ranker.fit(circle, cases)
    values = [row["ndcg_at_10"] for row in ranker.curve]
    assert ranker.choices == {"epochs": 1 + int(np.argmax(values))}
    again = ranker.refit(circle)
    assert len(again.curve) == ranker.choices["epochs"]
    assert "ndcg_at_10" not in again.curve[0]
    assert np.allclose(
        again.scores(circle.histories, circle.demand), ranker.scores(circle.histories, circle.demand), atol=1e-4
    )


def test_a_shop_where_nobody_came_twice_teaches_nothing(make, shop) -> None:
    with pytest.raises(NothingToLearn, match="nothing to learn"):
        make("transformer").fit(shop([("u", "a", "purchase", 0.0, "o1"), ("w", "b", "purchase", 0.0, "o2")], 2))


def test_untrained_it_says_so(make, circle: Dataset) -> None:
    with pytest.raises(ReleaseError, match="transformer has learned nothing yet"):
        make("transformer").scores(circle.histories, circle.demand)


def test_who_praises_a_thing_wants_its_case_and_who_blames_it_another_one(make, shop) -> None:
    """All buy the phone; what they say of it a day later decides what they buy on the next."""
    praise = [n % 2 == 0 for n in range(40)]
    bought = [(f"u{n:02}", "phone", "purchase", 0.0, f"a{n}") for n in range(40)]
    then = [(f"u{n:02}", "case" if good else "other phone", "purchase", 2.0, f"b{n}") for n, good in enumerate(praise)]
    said = [(f"u{n:02}", "phone", 1.0, 0.9 if good else -0.9) for n, good in enumerate(praise)]
    known = shop([*bought, *then], 3, said=said)
    ranker = make("transformer", own_half_lives_days=[0.1]).fit(known)
    asked = shop(bought, 1.5, ("case", "other phone"), said).histories
    first = top_k(ranker.scores(asked, known.demand), 1)[:, 0]
    assert known.vocabulary.decode(first) == ["case" if good else "other phone" for good in praise]
