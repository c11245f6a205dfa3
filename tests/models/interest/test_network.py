"""The networks themselves: causality, and that scoring in NumPy is what was trained."""

import numpy as np
import pytest

from models.interest.batches import Batches
from models.interest.fit import _batches, weights_of
from models.interest.layers import GAPS, gap_bucket
from models.interest.learned import inputs
from models.interest.network import InterestNetwork, ask_once, encoder
from tandem.features.dataset import Dataset

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("name", ["transformer", "lstm"])
def test_what_comes_later_changes_nothing_before_it(name: str, make) -> None:
    states = encoder(make(name).params)
    rng = np.random.default_rng(7)
    x, days = rng.normal(size=(2, 6, 16)).astype(np.float32), np.cumsum(rng.random((2, 6)), axis=1).astype(np.float32)
    before = np.asarray(states(x, days))
    x[:, 4:] += 5
    days[:, 4:] += 100
    after = np.asarray(states(x, days))
    assert after[:, :4] == pytest.approx(before[:, :4], abs=1e-6)
    assert not np.allclose(after[:, 4:], before[:, 4:])


def _network(make, circle: Dataset, name: str) -> tuple[InterestNetwork, Batches]:
    """A network whose counted weights are not zero."""
    batches = _batches(circle, make(name).params)
    network = InterestNetwork(circle.products, make(name).params, batches.own.channels)
    network(next(batches.epoch())[0])
    rng = np.random.default_rng(7)
    for weight in network.counted.weights:
        weight.assign(rng.normal(size=weight.shape))
    return network, batches


@pytest.mark.parametrize("name", ["transformer", "lstm"])
def test_scores_in_numpy_are_the_logits_that_were_trained(name: str, make, circle: Dataset) -> None:
    """Asking at the end of the known past, as serving does, and as a question of training does."""
    network, batches = _network(make, circle, name)
    params, histories = make(name).params, circle.histories
    weights = weights_of(network, batches.own, params)
    asked = np.asarray(ask_once(network.user, inputs(histories, params.length), weights.vectors))
    scores = weights.scores(asked, histories, circle.demand)

    begin, end = histories.offsets[:-1], histories.offsets[1:]
    moment = np.full(len(histories), histories.as_of_us)
    candidates = np.arange(1, histories.products, dtype=np.int32)
    x = inputs(histories, params.length)
    trained = network(
        {
            **x,
            "row": np.arange(len(histories), dtype=np.int32),
            "candidates": candidates,
            "trend": batches.trends.before(moment)[:, candidates],
            **batches._counted(begin, end, moment, candidates),
        }
    )
    assert scores[:, 1:] == pytest.approx(np.asarray(trained), abs=1e-4)


def test_gaps_fall_into_doubling_buckets() -> None:
    minutes = np.array([0, 0.5, 1, 2.9, 3, 60 * 24, 1e9], np.float32)
    assert np.asarray(gap_bucket(minutes / 1440)).tolist() == [0, 0, 1, 1, 2, 10, GAPS - 1]
