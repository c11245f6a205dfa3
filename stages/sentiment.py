"""Read what reviews say: how good, and of what.

Reads   data/snapshot/reviews.parquet     tandem.data.schema.REVIEWS
        data/splits/cuts.json             tandem.data.splits.Cuts
Writes  data/sentiment/                   models.sentiment.sentiment.Sentiment
        data/opinions.parquet             tandem.data.schema.OPINIONS, of all reviews
        reports/sentiment.json            by reading, what it was learned from and how well, or why it was not
Params  sentiment                         models.sentiment.params.SentimentParams

Learned from reviews before the validation window alone. Vectors of reviews are not kept for the next run: people wrote
the words, and may want them erased.
"""

import logging
from pathlib import Path

from models.sentiment import sentiment
from models.sentiment.params import SentimentParams
from models.text import encoder
from stages import run
from tandem import files
from tandem.data import schema
from tandem.data.splits import Cuts
from tandem.features import opinions

log = logging.getLogger(__name__)


def main(snapshot: Path, splits: Path, learned: Path, written: Path, report: Path) -> None:
    """Write what was learned, the opinion of every review, and how it came about."""
    reviews = files.read(snapshot / "reviews.parquet", schema.REVIEWS)
    early = reviews[reviews["time"] < Cuts.read(splits / "cuts.json").validation]
    made = sentiment.fit(early, encoder.load(), SentimentParams.read())
    made.save(learned)
    told = opinions.gather(reviews, made.tone(reviews))
    files.write(told, written, schema.OPINIONS)
    log.info("wrote %s: opinions of %d reviews", written, len(told))
    files.write_json(made.record, report)


if __name__ == "__main__":
    run(main)
