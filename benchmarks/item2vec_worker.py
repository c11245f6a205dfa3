"""item2vec by gensim, for `benchmarks.related`: runs under any Python that has gensim, NumPy and SciPy.

    python item2vec_worker.py <baskets.npz> <vectors.npz>

Reads `indptr` and `indices` of baskets, `products` and `seed`; writes `vectors` (products, dim), 0 for products in no
basket. Baskets are shuffled once, so that the window sees any two of their products. One thread: equal seeds give
equal vectors when PYTHONHASHSEED is set. Source: Barkan and Koenigstein 2016.
"""

import sys

import numpy as np
from gensim.models import Word2Vec

DIM, WINDOW, NEGATIVES, EPOCHS = 100, 15, 10, 15


def main(baskets: str, made: str) -> None:
    """Train and write."""
    stored = np.load(baskets)
    rng = np.random.default_rng(int(stored["seed"]))
    rows = np.split(stored["indices"], stored["indptr"][1:-1])
    sentences = [[str(product) for product in rng.permutation(row)] for row in rows if len(row) > 1]
    model = Word2Vec(
        sentences, vector_size=DIM, window=WINDOW, sg=1, negative=NEGATIVES, epochs=EPOCHS, min_count=1, sample=1e-4,
        workers=1, seed=int(stored["seed"]),
    )  # fmt: skip
    vectors = np.zeros((int(stored["products"]), DIM), np.float32)
    vectors[[int(word) for word in model.wv.index_to_key]] = model.wv.vectors
    np.savez(made, vectors=vectors)


if __name__ == "__main__":
    main(*sys.argv[1:])
