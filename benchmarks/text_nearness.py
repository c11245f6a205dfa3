"""How often a text's nearest neighbours share its category: n-grams learned on the texts beside the packaged MiniLM.

    python -m benchmarks.text_nearness

Chinese reviews of ten kinds of goods (texts cut to 60 characters) and English titles of electronics by the last level
of their category. Neither encoder has seen a category.
"""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from benchmarks import chinese_reviews
from models.text import encoder, ngrams
from models.text.encoder import TextEncoder
from tandem.settings import Settings, quiet

TEXTS, NEAREST = 3000, 10


def main() -> None:
    """Print the share of each encoder and the one that chance would have."""
    quiet()
    for name, found in {"Chinese reviews": chinese(), "English titles": english()}.items():
        drawn = found.sample(min(TEXTS, len(found)), random_state=7)
        texts, categories = drawn["text"].tolist(), pd.factorize(drawn["category"])[0]
        chance = (np.bincount(categories) / len(drawn)) @ (np.bincount(categories) / len(drawn))
        encoders: dict[str, TextEncoder] = {f"n-grams, {dim}": ngrams.fit(texts, dim) for dim in (64, 128, 256)}
        encoders["MiniLM"] = encoder.load()
        shares = {of: share(made.encode(texts), categories) for of, made in encoders.items()}
        print(
            name, len(drawn), f"chance {chance:.3f}", *(f"{of} {value:.3f}" for of, value in shares.items()), sep="; "
        )


def share(vectors: NDArray[np.float32], categories: NDArray[np.int64]) -> float:
    """Of the NEAREST neighbours by cosine, those of the same category."""
    near = vectors @ vectors.T
    np.fill_diagonal(near, -np.inf)
    first = np.argpartition(-near, NEAREST, axis=1)[:, :NEAREST]
    return float((categories[first] == categories[:, None]).mean())


def chinese() -> pd.DataFrame:
    """Reviews without those that say nothing."""
    table = chinese_reviews.read()
    return pd.DataFrame({"text": table["review"].str[:60], "category": table["cat"]}).drop_duplicates("text")


def english() -> pd.DataFrame:
    """Titles whose category has ten of them."""
    folder = Settings().data_dir / "bundles_electronic"
    titles, categories = (pd.read_csv(folder / f"item_{name}.csv") for name in ("titles", "categories"))
    table = titles.merge(categories, on="item ID").dropna()
    last = table["categories"].str.strip("[]").str.rsplit(",").str[-1]
    found = pd.DataFrame({"text": table["titles"], "category": last}).drop_duplicates("text")
    return found[found.groupby("category")["text"].transform("size") >= NEAREST]


if __name__ == "__main__":
    main()
