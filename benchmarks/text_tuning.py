"""The packaged MiniLM frozen and tuned on a shop's pairs, by how well each finds the partners of products held out.

    python -m benchmarks.text_tuning [--seeds 3]

Online Retail: titles bought together before 2011-11-01. Electronics: titles that people put into one bundle. A seed
draws another division of the products, other batches and resamples; nothing is chosen on the test part.
"""

import html
import tempfile
import time
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import pandas as pd
import scipy.sparse as sp
import typer

from benchmarks import online_retail
from models.text import encoder
from models.text.pairs import gather, split
from models.text.params import TuningParams
from models.text.tuning import tune
from tandem.features import baskets
from tandem.features.vocabulary import Vocabulary
from tandem.settings import Settings, quiet

LAYERS = (0, 3, 5)
AT_LENGTH = {"enabled": True, "max_pairs": 5000, "epochs": 4}
"""What differs from params.yaml, which has every run of the pipeline in mind."""
IN_ONE_BUNDLE = {"min_baskets": 1}
"""People rarely put the same two goods into two bundles."""


class Shop(NamedTuple):
    """Titles, what was taken together, and how the parameters differ."""

    content: sp.csr_array  # (baskets, products)
    titles: list[str]
    changes: dict[str, Any]


def main(seeds: Annotated[int, typer.Option(help="divisions of the products", min=1)] = 3) -> None:
    """Print a row for each shop and seed, then validation by frozen layers on Online Retail."""
    quiet()
    asked = TuningParams.read().model_copy(update=AT_LENGTH)
    shops = {"Online Retail": retail(), "electronics": electronics()}
    print("| | seed | pairs: train, validation, test | epoch | metric | frozen | tuned | difference | kept ", end="")
    print("| pairs/s, of the processor |")
    print("|---|---|---|---|---|---|---|---|---|---|")
    for seed in range(asked.seed, asked.seed + seeds):
        for name, shop in shops.items():
            compare(name, shop, asked.model_copy(update={"seed": seed, **shop.changes}))
    by_layers(shops["Online Retail"], asked)


def compare(name: str, shop: Shop, params: TuningParams) -> None:
    """Print the rows of one run; its pairs a second, by the clock and of the processor, count everything in `tune`."""
    pairs = gather(shop.content, shop.titles, None, params)
    began, worked = time.perf_counter(), time.process_time()
    with tempfile.TemporaryDirectory() as work:
        record = tune(encoder.load(), pairs, params, Path(work) / "tuned").record
    counts = ", ".join(f"{count:,}" for count in record["pairs"].values())
    drawn = min(params.max_pairs, record["pairs"]["train"]) * (len(record["curve"]) - 1)
    speeds = f"{drawn / (time.perf_counter() - began):.0f}, {drawn / (time.process_time() - worked):.0f}"
    for metric, found in record["test"].items():
        cells = [f"{of['mean']:.3f} [{of['low']:.3f}, {of['high']:.3f}]" for of in found.values()]
        begin = f"| {name} | {params.seed} | {counts} | {best(record['curve'])} | {metric}"
        print(begin, *cells, "yes" if record["kept"] else "no", f"{speeds} |", sep=" | ", flush=True)


def by_layers(shop: Shop, params: TuningParams) -> None:
    """Print the best validation MRR with so many frozen layers; the test part is not looked at."""
    from models.text.contrast import train

    pairs = gather(shop.content, shop.titles, None, params)
    parts = split(pairs, params.held_out, params.seed)
    print("\n| frozen layers | epoch | validation MRR | Recall@10 | seconds |\n|---|---|---|---|---|")
    for layers in LAYERS:
        began = time.perf_counter()
        _, curve = train(encoder.load(), parts, params.model_copy(update={"frozen_layers": layers}))
        row, seconds = curve[best(curve)], time.perf_counter() - began
        print(
            f"| {layers} | {row['epoch']} | {row['mrr']:.3f} | {row['recall_at_10']:.3f} | {seconds:.0f} |", flush=True
        )
    print(f"| frozen altogether | 0 | {curve[0]['mrr']:.3f} | {curve[0]['recall_at_10']:.3f} | |")


def best(curve: list[dict[str, float]]) -> int:
    """The epoch that validation chose: the first best one that was trained."""
    return max(range(1, len(curve)), key=lambda epoch: curve[epoch]["mrr"])


def retail() -> Shop:
    """Baskets of the fit period, those of unknown customers too."""
    events, products, _ = online_retail.read()
    known = events[events["time"] < online_retail.VALIDATION]
    vocabulary = Vocabulary.of(known["product_id"].unique())
    titles = products.set_index("product_id")["title"].reindex(vocabulary.ids)
    return Shop(baskets.gather(known, vocabulary, online_retail.PURCHASE).content, [None, *titles], {})


def electronics() -> Shop:
    """Bundles as baskets."""
    folder = Settings().data_dir / "bundles_electronic"
    titles = pd.read_csv(folder / "item_titles.csv", index_col="item ID", dtype={"titles": str})["titles"].map(
        html.unescape, na_action="ignore"
    )
    cells = pd.read_csv(folder / "bundle_item.csv")
    bundle, product = pd.factorize(cells["bundle ID"])[0], titles.index.get_indexer(cells["item ID"])
    known = product >= 0
    content = sp.csr_array(
        ([1.0] * known.sum(), (bundle[known], product[known])), shape=(bundle.max() + 1, len(titles))
    )
    return Shop(content, titles.tolist(), IN_ONE_BUNDLE)


if __name__ == "__main__":
    typer.run(main)
