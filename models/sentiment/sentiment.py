"""The tone of reviews: from words by a head for English and one for everything else, from stars, or from both.

learned = sentiment.fit(reviews, encoder.load(), SentimentParams.read())
tone = learned.tone(reviews)                                        (reviews,) in [-1, 1]
"""

import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from models.sentiment.errors import SentimentError
from models.sentiment.fit import fit as fit_head
from models.sentiment.fit import target
from models.sentiment.head import Head
from models.sentiment.params import SentimentParams
from models.text.encoder import TextEncoder
from tandem import files
from tandem.features import opinions

log = logging.getLogger(__name__)

VERSION = 1
"""Of this code's tones; a change that alters them takes the next number."""
COLUMNS = ("rating", "title", "text", "language")
"""Of schema.REVIEWS, those that are read."""
ENGLISH, OTHER = "en", "other"
MADE = "sentiment.json"


@dataclass(frozen=True)
class Sentiment:
    """What was learned of a shop's reviews."""

    heads: Mapping[str, Head]  # by reading, ENGLISH or OTHER; where one is absent, stars alone speak
    encoder: TextEncoder | None  # of ENGLISH; None reads n-grams alone
    record: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)  # by reading, what `fit` made of its reviews

    @property
    def _encoder_fingerprint(self) -> str | None:
        return self.encoder.fingerprint if self.encoder and ENGLISH in self.heads else None

    def probability(self, reviews: pd.DataFrame) -> NDArray[np.float64]:
        """(reviews,) calibrated P(good) of the words alone; NaN without words, or without a head that reads them.

        Raises:
            SentimentError: as of `tone`.
        """
        _check(reviews)
        found = np.full(len(reviews), np.nan)
        for reading, rows in _readings(reviews):
            if reading in self.heads:
                texts = opinions.words(reviews.iloc[rows])
                found[rows] = self.heads[reading].probability(texts, _vectors(texts, reading, self.encoder))
        return found

    def tone(self, reviews: pd.DataFrame) -> NDArray[np.float32]:
        """(reviews,) in [-1, 1]; NaN where nothing is known.

        Words say 2 · P(good) - 1, stars (stars - 3) / 2; where both speak it is their mean.

        Raises:
            SentimentError: a column is missing, or stars lie outside 1 to 5.
        """
        words = 2 * self.probability(reviews) - 1
        both = np.stack([words, (_stars(reviews) - 3) / 2])  # (2, reviews)
        known = np.isfinite(both).sum(axis=0)
        return np.where(known > 0, np.nansum(both, axis=0) / np.maximum(known, 1), np.nan).astype(np.float32)

    def save(self, folder: Path) -> None:
        """Write the heads below `folder`; the encoder stays where it is."""
        for reading, head in self.heads.items():
            head.save(folder / f"{reading}.npz")
        made = {"version": VERSION, "heads": sorted(self.heads), "encoder": self._encoder_fingerprint}
        files.write_json(made | {"record": self.record}, folder / MADE)
        log.info("wrote %s: heads %s", folder, ", ".join(sorted(self.heads)) or "none")

    @classmethod
    def load(cls, folder: Path, encoder: TextEncoder | None) -> Self:
        """What `save` wrote; nothing in it is executed.

        Raises:
            SentimentError: nothing was saved there, by other code, or with another encoder.
        """
        try:
            made = files.read_json(folder / MADE)
            heads = {reading: Head.load(folder / f"{reading}.npz") for reading in made["heads"]}
            found = cls(heads, encoder, made["record"])
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise SentimentError(f"{folder} holds no sentiment: {error}") from error
        for what, here in (("version", VERSION), ("encoder", found._encoder_fingerprint)):
            if made.get(what) != here:
                raise SentimentError(f"{folder} was made with {what} {made.get(what)}; here is {here}: fit again")
        return found


def fit(reviews: pd.DataFrame, encoder: TextEncoder | None, params: SentimentParams) -> Sentiment:
    """Learn from the reviews that have both words and stars.

    Where good or bad ones are too few for a head, a warning says so and stars alone speak. The record has for each
    reading all its `reviews`, the `good` and `bad` ones among those with words, and of its head `validation_log_loss`
    (of calibrated probabilities) and `calibration`, or why there is `no_head`.

    Args:
        reviews: a table of schema.REVIEWS.
        encoder: reads those whose language is `en`; None reads them by n-grams alone.
        params: how heads are trained.

    Raises:
        SentimentError: a column is missing, or stars lie outside 1 to 5.
    """
    _check(reviews)
    made = {reading: _taught(reviews.iloc[rows], reading, encoder, params) for reading, rows in _readings(reviews)}
    heads = {reading: head for reading, (head, _) in made.items() if head is not None}
    return Sentiment(heads, encoder, {reading: record for reading, (_, record) in made.items()})


def _taught(
    reviews: pd.DataFrame, reading: str, encoder: TextEncoder | None, params: SentimentParams
) -> tuple[Head | None, dict[str, Any]]:
    """The head of one reading, None where its reviews are too few, and its record."""
    texts, stars = np.array(opinions.words(reviews), object), _stars(reviews)
    told = (texts != "") & ~np.isnan(stars)
    words, wanted = list(texts[told]), target(stars[told])
    record = {"reviews": len(reviews), "good": int((wanted > 0.5).sum()), "bad": int((wanted < 0.5).sum())}
    try:
        head, log_loss = fit_head(words, _vectors(words, reading, encoder), wanted, params)
    except SentimentError as error:
        log.warning("no head for %s, stars alone speak: %s", reading, error)
        return None, record | {"no_head": str(error)}
    slope, shift = head.calibration.tolist()
    return head, record | {"validation_log_loss": log_loss, "calibration": {"slope": slope, "shift": shift}}


def _readings(reviews: pd.DataFrame) -> Iterator[tuple[str, NDArray[np.int64]]]:
    """Each reading and its rows, where it has any."""
    english = (reviews["language"] == "en").fillna(False).to_numpy(bool)
    for reading, there in ((ENGLISH, english), (OTHER, ~english)):
        if there.any():
            yield reading, np.flatnonzero(there)


def _vectors(texts: list[str], reading: str, encoder: TextEncoder | None) -> NDArray[np.float32]:
    """(texts, dim); dim is 0 where no encoder reads the language."""
    return encoder.encode(texts) if encoder and reading == ENGLISH else np.zeros((len(texts), 0), np.float32)


def _stars(reviews: pd.DataFrame) -> NDArray[np.float64]:
    return reviews["rating"].to_numpy(np.float64, na_value=np.nan)


def _check(reviews: pd.DataFrame) -> None:
    if absent := [name for name in COLUMNS if name not in reviews]:
        raise SentimentError(f"reviews lack {', '.join(absent)}; a table of tandem.data.schema.REVIEWS fits")
    stars = _stars(reviews)
    if wrong := stars[(stars < 1) | (stars > 5)].tolist():
        raise SentimentError(f"stars {wrong[:5]} of {len(wrong)} reviews; 1 to 5 fits, or none at all")
