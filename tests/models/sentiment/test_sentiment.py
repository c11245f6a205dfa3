"""The tone of reviews: planted sentiments are found again, from words, stars or both."""

import logging
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from models.sentiment import fit, sentiment
from models.sentiment.errors import SentimentError
from models.sentiment.head import read
from models.sentiment.sentiment import Sentiment
from models.text import encoder
from models.text.encoder import Encoder
from tandem.data import schema
from tandem.features import opinions

Halves = tuple[pd.DataFrame, pd.DataFrame]


@pytest.fixture(scope="module")
def minilm() -> Encoder:
    return encoder.load()


@pytest.fixture(scope="module")
def learned(halves: Halves, minilm: Encoder, params: Callable) -> Sentiment:
    return sentiment.fit(halves[0], minilm, params())


def written(*texts: str | None, language: str | None = "zh", rating: float | None = None) -> pd.DataFrame:
    """Reviews of these words."""
    table = pd.DataFrame({"text": pd.array(texts, "str")}).reindex(columns=schema.REVIEWS.names)
    return table.assign(title=None, language=language, rating=np.nan if rating is None else rating)


@pytest.mark.parametrize("language", ["en", "zh"])
def test_planted_sentiments_are_found_in_words_alone(learned: Sentiment, halves: Halves, language: str) -> None:
    unseen = halves[1][halves[1]["language"] == language].assign(rating=np.nan)
    tone = pd.Series(learned.tone(unseen)).groupby(unseen["sentiment"].to_numpy())
    assert tone.get_group("positive").gt(0).mean() > 0.98
    assert tone.get_group("negative").lt(0).mean() > 0.98
    assert tone.get_group("negative").mean() < tone.get_group("neutral").mean() < tone.get_group("positive").mean()


def test_where_stars_lie_calibration_keeps_the_log_loss(halves: Halves, params: Callable) -> None:
    """A quarter of the stars are turned round: nobody can be surer than 3/4."""
    noisy = [half[half["rating"] != 3].reset_index(drop=True) for half in halves]
    for n, half in enumerate(noisy):
        turned = np.random.default_rng(n).random(len(half)) < 0.25
        half["rating"] = half["rating"].where(~turned, 6 - half["rating"])
    head = sentiment.fit(noisy[0].assign(language="zh"), None, params(epochs=6)).heads["other"]
    texts, wanted = opinions.words(noisy[1]), fit.target(noisy[1]["rating"].to_numpy())
    logits = head.logits(read(texts, np.zeros((len(texts), 0), np.float32), head.columns))
    slope, shift = head.calibration
    assert fit.log_loss(slope * logits + shift, wanted) <= min(fit.log_loss(logits, wanted) + 0.01, np.log(2))


@pytest.mark.parametrize(("reading", "language"), [("en", "en"), ("other", "zh")])
def test_the_record_counts_stars_and_tells_the_log_loss_of_what_was_held_out(
    learned: Sentiment, halves: Halves, params: Callable, reading: str, language: str
) -> None:
    there = halves[0][halves[0]["language"] == language]
    wanted = fit.target(there["rating"].to_numpy())
    held = fit.held_out(opinions.words(there), wanted, params().validation_share, np.random.default_rng(params().seed))
    p, good = learned.probability(there)[held], wanted[held]
    slope, shift = learned.heads[reading].calibration
    assert learned.record[reading] == {
        "reviews": len(there),
        "good": (there["rating"] > 3).sum(),
        "bad": (there["rating"] < 3).sum(),
        "validation_log_loss": pytest.approx(-(good * np.log(p) + (1 - good) * np.log(1 - p)).mean(), abs=1e-6),
        "calibration": {"slope": slope, "shift": shift},
    }


def test_a_language_is_read_by_its_head_alone(learned: Sentiment, minilm: Encoder) -> None:
    """What the other head says of anything is nothing to it; without a language, n-grams read."""
    only = Sentiment({"other": learned.heads["other"]}, minilm)
    table = pd.concat([written("很好用"), written("Great", language="en"), written("很好用", language=None)])
    found, alone = learned.probability(table), only.probability(table)
    assert np.isfinite(found).all()
    assert np.isnan(alone).tolist() == [False, True, False]
    assert alone[0] == alone[2] == found[0]


def test_words_and_stars_are_heard_alike(learned: Sentiment) -> None:
    words = 2 * learned.probability(written("质量太差,很失望"))[0] - 1
    assert words < -0.5
    assert learned.tone(written("质量太差,很失望"))[0] == pytest.approx(words)
    assert learned.tone(written("质量太差,很失望", rating=4))[0] == pytest.approx((words + 0.5) / 2)
    assert learned.tone(written(None, None, None, rating=1)).tolist() == [-1, -1, -1]


@pytest.mark.parametrize("nothing", [None, "", " \n", "\u200b"])
@pytest.mark.parametrize("language", ["en", "zh", None])
def test_where_nothing_is_said_nothing_is_known(learned: Sentiment, nothing: str | None, language: str | None) -> None:
    assert np.isnan(learned.tone(written(nothing, language=language))[0])


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize(
    "text",
    ["质量" * 50_000, "good " * 20_000, "<p>Great <b>quality</b></p>", "很好🎁🎁", "\x00好 good"],
)
def test_any_words_get_a_tone(learned: Sentiment, text: str, language: str) -> None:
    assert (
        -1 <= learned.tone(pd.DataFrame([{"rating": None, "title": None, "text": text, "language": language}]))[0] <= 1
    )


def test_signs_that_no_review_had_say_nothing_in_n_grams(learned: Sentiment) -> None:
    assert np.isnan(learned.tone(written("🎁🎁"))[0])
    assert learned.tone(written("🎁🎁", rating=5))[0] == 1


def test_no_review_has_no_tone(learned: Sentiment, demo: pd.DataFrame) -> None:
    assert learned.tone(demo[:0]).shape == (0,)


def test_too_few_of_a_kind_leave_stars_alone_and_say_so(
    halves: Halves, params: Callable, caplog: pytest.LogCaptureFixture
) -> None:
    good = halves[0][halves[0]["rating"] > 3]
    with caplog.at_level(logging.WARNING):
        stars = sentiment.fit(good, None, params())
    assert not stars.heads
    for reading in ("en", "other"):
        assert f"no head for {reading}, stars alone speak: " in caplog.text
    assert "and 0 bad reviews with words" in caplog.text
    for reading, there in (("en", good["language"] == "en"), ("other", good["language"] == "zh")):
        assert stars.record[reading] == {
            "reviews": there.sum(),
            "good": there.sum(),
            "bad": 0,
            "no_head": f"{there.sum()} good and 0 bad reviews with words; sentiment.min_reviews = 10 of each fit",
        }
    assert stars.tone(good).tolist() == ((good["rating"] - 3) / 2).tolist()
    assert np.isnan(stars.tone(good.assign(rating=np.nan))).all()


def test_saved_and_loaded_it_is_the_same(learned: Sentiment, halves: Halves, minilm: Encoder, tmp_path: Path) -> None:
    learned.save(tmp_path)
    loaded = Sentiment.load(tmp_path, minilm)
    assert np.array_equal(loaded.tone(halves[1]), learned.tone(halves[1]))
    assert loaded.record == learned.record
    Sentiment({}, None).save(tmp_path)
    assert not Sentiment.load(tmp_path, minilm).heads


def test_what_does_not_fit_is_not_loaded(learned: Sentiment, tmp_path: Path) -> None:
    with pytest.raises(SentimentError, match="holds no sentiment"):
        Sentiment.load(tmp_path, None)
    learned.save(tmp_path)
    with pytest.raises(SentimentError, match=r"was made with encoder .*; here is None: fit again"):
        Sentiment.load(tmp_path, None)
    whole = (tmp_path / "other.npz").read_bytes()
    for damaged in (b"", b"no zip", whole[: len(whole) // 2]):
        (tmp_path / "other.npz").write_bytes(damaged)
        with pytest.raises(SentimentError, match=r"other\.npz holds no head"):
            Sentiment.load(tmp_path, None)


def test_equal_reviews_and_seed_give_equal_heads(halves: Halves, params: Callable) -> None:
    chinese = halves[0][halves[0]["language"] == "zh"]
    one, again = (sentiment.fit(chinese, None, params(epochs=1)) for _ in range(2))
    for name, array in vars(one.heads["other"]).items():
        assert np.array_equal(array, getattr(again.heads["other"], name)), name


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda table: table.drop(columns="language"), "reviews lack language"),
        (lambda table: table.assign(rating=7.0), r"stars \[7\.0\] of 1 reviews; 1 to 5 fits"),
    ],
)
def test_what_are_no_reviews_is_refused(learned: Sentiment, params: Callable, change: Callable, said: str) -> None:
    for what in (learned.tone, lambda table: sentiment.fit(table, None, params())):
        with pytest.raises(SentimentError, match=said):
            what(change(written("good")))
