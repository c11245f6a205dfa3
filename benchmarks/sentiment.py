"""How well heads tell good reviews from bad ones, beside a linear TF-IDF model and SnowNLP.

    python -m benchmarks.sentiment --peer <python with snownlp>

Chinese reviews of ten categories: a fifth by chance, and each category by what the other nine teach. Amazon gift cards
in five folds, by the body alone: the usual headline there is the number of stars in words. Texts that repeat are left
out. The peer's Python is one of another environment, for instance `python3.11 -m venv peer && peer/bin/pip install
snownlp numpy`; without it SnowNLP has no row. Accuracy asks for P(good) > 1/2. ECE: 15 bins of equal mass. Log loss: P
within 1e-6 of 0 and 1. All intervals: 95 %, bootstrap over reviews.
"""

import gzip
import json
import logging
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import pandas as pd
import typer
from numpy.typing import NDArray

from benchmarks import chinese_reviews
from benchmarks.rounds import check
from models.sentiment import sentiment
from models.sentiment.params import SentimentParams
from models.text import encoder
from models.text.cache import Cached
from models.text.encoder import TextEncoder
from tandem import files
from tandem.data import schema
from tandem.evaluation import significance
from tandem.evaluation.labels import reliability
from tandem.params import PARAMS
from tandem.settings import Settings, quiet

WORKER = Path(__file__).with_name("sentiment_worker.py")
SEED, FOLDS, NEAREST_TO_SURE = 7, 5, 1e-6
COSTS = (1.0, 3.0, 10.0, 30.0, 100.0)
"""C of the linear model, the best of which by log loss on a tenth of the training part is taken."""
BOOTSTRAP: dict[str, Any] = {"resamples": 1000, "confidence": 0.95, "seed": SEED}

Probabilities = NDArray[np.float64]
Rows = NDArray[np.integer]
Judge = Callable[[Rows, Rows], Probabilities]
"""From rows to learn from and rows to judge to P(good) of the latter."""


def main(
    peer: Annotated[str | None, typer.Option(help="a Python that has snownlp")] = None,
    params: Annotated[Path, typer.Option(help="file with the section `sentiment`")] = PARAMS,
) -> None:
    """Print a table for each question."""
    quiet()
    if peer:
        check("--peer", peer, "snownlp", "numpy")
    logging.basicConfig(level=logging.WARNING)
    settings = SentimentParams.read(params)
    words = Cached(encoder.load(), Settings().home / "text")
    gift_cards(amazon(), words, settings)
    chinese(shopping(), settings, peer)


def shopping() -> pd.DataFrame:
    """Labelled Chinese reviews, as a table of reviews with `category` and `good`."""
    raw = chinese_reviews.read()
    body = raw["review"].str.replace("\ufeff", "").str.strip()
    return _reviews(body, raw["label"] * 4.0 + 1, "zh").assign(category=raw["cat"]).pipe(_distinct)


def amazon() -> pd.DataFrame:
    """Bodies of gift cards' reviews with their stars, as a table of reviews with `good`."""
    path = Settings().data_dir / "amazon_gift_cards" / "Gift_Cards_5.json.gz"
    with gzip.open(path) as lines:
        raw = pd.DataFrame([json.loads(line) for line in lines])
    return _reviews(raw["reviewText"].fillna("").str.strip(), raw["overall"], "en").pipe(_distinct)


def chinese(reviews: pd.DataFrame, params: SentimentParams, peer: str | None) -> None:
    """Print the table of a random fifth, and of each category left out in turn."""
    order = np.random.default_rng(SEED).permutation(len(reviews))
    asked, learned = np.split(order, [len(reviews) // FOLDS])
    cost = best_cost(reviews, "char", learned)
    judges: dict[str, Judge] = {
        "ours, n-grams": lambda learn, ask: ours(reviews, None, params, learn, ask),
        f"TF-IDF of characters, C = {cost:g}": lambda learn, ask: linear(reviews, "char", [cost], learn, ask)[cost],
    }
    if peer:
        judged = snow(reviews["text"].tolist(), peer)
        judges["SnowNLP as shipped"] = lambda _, ask: judged[ask]
    fifth = {name: judge(learned, asked) for name, judge in judges.items()}
    show(f"Chinese reviews, a fifth of {len(reviews)}", fifth, reviews["good"].to_numpy()[asked])
    left_out(reviews, judges)


def left_out(reviews: pd.DataFrame, judges: dict[str, Judge]) -> None:
    """Print each category by what the nine others teach, and all of them together."""
    category, good = reviews["category"].to_numpy(), reviews["good"].to_numpy()
    found = {name: np.empty(len(reviews)) for name in judges}
    print("\n| category left out | reviews |", *(f"{name} |" for name in found))
    print("|---|---|" + "---|" * len(found))
    accuracies = []
    for out in np.unique(category):
        asked = np.flatnonzero(category == out)
        for name, judge in judges.items():
            found[name][asked] = judge(np.flatnonzero(category != out), asked)
        accuracies.append([_right(of_all[asked], good[asked]).mean() for of_all in found.values()])
        print(f"| {out} | {len(asked)} |", *(f"{value:.4f} |" for value in accuracies[-1]), flush=True)
    print("| mean of ten | |", *(f"{value:.4f} |" for value in np.mean(accuracies, axis=0)))
    show("Chinese reviews, each category by the nine others", found, good)


def gift_cards(reviews: pd.DataFrame, words: TextEncoder, params: SentimentParams) -> None:
    """Print the table of five folds; three stars teach our heads and are not asked for."""
    from sklearn.model_selection import StratifiedKFold

    def words_counted(learned: Rows, asked: Rows) -> Probabilities:
        cost = best_cost(reviews, "word", learned)
        return linear(reviews, "word", [cost], learned, asked)[cost]

    alone = params.model_copy(update={"min_texts": len(reviews)})
    judges: dict[str, Judge] = {
        "ours, MiniLM and n-grams": lambda learn, ask: ours(reviews, words, params, learn, ask),
        "ours, MiniLM alone": lambda learn, ask: ours(reviews, words, alone, learn, ask),
        "ours, n-grams alone": lambda learn, ask: ours(reviews, None, params, learn, ask),
        "TF-IDF of words, C by fold": words_counted,
        "share of good ones": lambda learn, ask: np.full(len(ask), _decided(reviews, learn)["good"].mean()),
    }
    folds = StratifiedKFold(FOLDS, shuffle=True, random_state=SEED).split(reviews, reviews["rating"])
    found = {name: np.empty(len(reviews)) for name in judges}
    for learned, asked in folds:
        for name, judge in judges.items():
            found[name][asked] = judge(learned, asked)
    asked = np.flatnonzero(reviews["rating"] != 3)
    show("Amazon gift cards, five folds", {n: of[asked] for n, of in found.items()}, reviews["good"].to_numpy()[asked])


def ours(
    reviews: pd.DataFrame, words: TextEncoder | None, params: SentimentParams, learned: Rows, asked: Rows
) -> Probabilities:
    """Of a head; 1/2 where it knows nothing."""
    made = sentiment.fit(reviews.iloc[learned], words, params)
    return np.nan_to_num(made.probability(reviews.iloc[asked]), nan=0.5)


def linear(
    reviews: pd.DataFrame, analyzer: str, costs: Sequence[float], learned: Rows, asked: Rows
) -> dict[float, Probabilities]:
    """Of logistic regression on TF-IDF of characters or words, by its C."""
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression

    ngram = {"char": (1, 3), "word": (1, 2)}[analyzer]
    counted = TfidfVectorizer(analyzer=analyzer, ngram_range=ngram, sublinear_tf=True, min_df=2, dtype=np.float32)
    known = _decided(reviews, learned)
    rows, judged = counted.fit_transform(known["text"]), counted.transform(reviews["text"].iloc[asked])
    models = {cost: LogisticRegression(C=cost, solver="liblinear").fit(rows, known["good"]) for cost in costs}
    return {cost: model.predict_proba(judged)[:, 1] for cost, model in models.items()}


def best_cost(reviews: pd.DataFrame, analyzer: str, learned: Rows) -> float:
    """The one of COSTS with the least log loss on a tenth of `learned`."""
    mixed = np.random.default_rng(SEED).permutation(learned)
    asked, known = np.split(mixed, [len(mixed) // 10])
    asked = asked[(reviews["rating"].iloc[asked] != 3).to_numpy()]
    found, good = linear(reviews, analyzer, COSTS, known, asked), reviews["good"].to_numpy()[asked]
    return min(COSTS, key=lambda cost: _losses(found[cost], good).mean())


def snow(texts: list[str], python: str) -> Probabilities:
    """Of SnowNLP as shipped."""
    with tempfile.TemporaryDirectory() as work:
        asked, found = Path(work) / "texts.json", Path(work) / "good.npz"
        asked.write_text(json.dumps(texts), encoding="utf-8")
        subprocess.run([python, str(WORKER), str(asked), str(found)], check=True)
        return files.read_arrays(found)["good"]


def show(name: str, found: dict[str, Probabilities], good: NDArray[np.int64]) -> None:
    """Print one row for each contender, and what the first has beyond the most accurate peer."""
    print(f"\n{name}: {len(good)} reviews, {good.mean():.1%} good\n")
    print("| | accuracy | balanced accuracy | ECE | log loss |\n|---|---|---|---|---|")
    for of, p in found.items():
        right = _right(p, good)
        at = significance.intervals(right[:, None], **BOOTSTRAP)[0]
        balanced = np.mean([right[good == kind].mean() for kind in (0, 1)])
        print(
            f"| {of} | {at.mean:.4f} [{at.low:.4f}, {at.high:.4f}] | {balanced:.4f} | {reliability(good, p).ece:.4f} "
            f"| {_losses(p, good).mean():.4f} |"
        )
    first, *_ = found
    peers = [of for of in found if not of.startswith("ours")]
    best = max(peers, key=lambda of: _right(found[of], good).mean())
    for what, measure in (("accuracy", _right), ("log loss", _losses)):
        more = significance.difference(measure(found[first], good), measure(found[best], good), **BOOTSTRAP)
        print(f"\n{first} less {best}, {what}: {more.mean:+.4f} [{more.low:+.4f}, {more.high:+.4f}]", flush=True)


def _right(p: Probabilities, good: NDArray[np.int64]) -> Probabilities:
    return ((p > 0.5) == (good == 1)).astype(np.float64)


def _losses(p: Probabilities, good: NDArray[np.int64]) -> Probabilities:
    said = np.clip(np.where(good == 1, p, 1 - p), NEAREST_TO_SURE, 1 - NEAREST_TO_SURE)
    return -np.log(said)


def _decided(reviews: pd.DataFrame, rows: Rows) -> pd.DataFrame:
    """Those of `rows` that are good or bad."""
    table = reviews.iloc[rows]
    return table[table["rating"] != 3]


def _reviews(text: pd.Series, stars: pd.Series, language: str) -> pd.DataFrame:
    table = pd.DataFrame({"text": text, "rating": stars.astype(float)}).reindex(columns=schema.REVIEWS.names)
    return table.assign(language=language, good=(stars > 3).astype(int))


def _distinct(reviews: pd.DataFrame) -> pd.DataFrame:
    """Each text once; those without a word are left out."""
    return reviews[reviews["text"] != ""].drop_duplicates("text", ignore_index=True)


if __name__ == "__main__":
    typer.run(main)
