"""Fine-tune an encoder on the shop's own pairs, and keep it only where it beats the frozen one on products held out.

    pairs = gather(dataset.baskets.content, titles, descriptions, params)
    tuned = tune(encoder.load(), pairs, params, target)
    vectors = tuned.encoder.encode(titles)

Source: Howard and Ruder 2018 (tuning on one's own texts, lower layers frozen); Sakai 2006 (the paired bootstrap).
"""

import logging
import shutil
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from models.text import folders, weights
from models.text.encoder import Encoder, TextEncoder
from models.text.pairs import Pairs, Parts, split
from models.text.params import TuningParams
from models.text.retrieval import METRIC, retrieve
from tandem.evaluation.significance import difference, intervals

log = logging.getLogger(__name__)

RESAMPLES = 1000


@dataclass(frozen=True)
class Tuned:
    """The encoder to use, and how it came to be the one."""

    encoder: Encoder
    record: dict[str, Any]  # for JSON: kept, reason, params, pairs; where it was trained, curve and test


def tune(frozen: Encoder, pairs: Pairs, params: TuningParams, target: Path) -> Tuned:
    """Train on pairs, choose the epoch on others, judge on a third part; no product is in two of them.

    The tuned encoder is kept, as a folder `target` that `encoder.load` reads, where the paired bootstrap interval of
    tuned - frozen MRR on the test part lies above 0. Else the frozen encoder comes back and there is no folder; what an
    earlier run left at `target` is removed at once.

    Raises:
        EncoderError: the encoder has no more than `frozen_layers` blocks, or fewer positions than `max_length`.
    """
    if target.exists():
        shutil.rmtree(target)
    parts = split(pairs, params.held_out, params.seed)
    record = {"params": params.model_dump(), "pairs": {name: len(part) for name, part in parts._asdict().items()}}
    if obstacle := _obstacle(parts, params):
        return _told(frozen, record, kept=False, reason=obstacle)
    target.parent.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=target.parent, prefix=f".{target.name}.") as work:
        tuned, curve = _trained(frozen, parts, params, Path(work) / target.name)
        test = compare(frozen, tuned, parts.test, params)
        found = test[METRIC]["difference"]
        if kept := found["low"] > 0:
            tuned.folder.rename(target)
    reason = "{} on held-out products differs by {mean:+.4f} [{low:+.4f}, {high:+.4f}]".format(METRIC, **found)
    return _told(_beside(frozen, target) if kept else frozen, record, curve=curve, test=test, kept=kept, reason=reason)


def compare(frozen: TextEncoder, tuned: TextEncoder, pairs: Pairs, params: TuningParams) -> dict[str, Any]:
    """By metric: mean and interval of the frozen encoder, of the tuned one, and of their difference paired by query."""
    how: dict[str, Any] = {"resamples": RESAMPLES, "confidence": params.confidence, "seed": params.seed}
    before, after = retrieve(frozen, pairs), retrieve(tuned, pairs)
    found = {}
    for metric in before:
        both = np.stack([before[metric], after[metric]], axis=1)  # (queries, 2)
        paired = difference(after[metric], before[metric], **how)
        named = zip(("frozen", "tuned", "difference"), (*intervals(both, **how), paired), strict=True)
        found[metric] = {name: asdict(interval) for name, interval in named}
    return found


def write(encoder: Encoder, folder: Path) -> None:
    """Write the encoder's weights as they stand in memory, beside the other files of its own folder."""
    from models.text import network

    for name in (*folders.NEEDED, *folders.OPTIONAL):
        if name != weights.FILE and (encoder.folder / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(encoder.folder / name, folder / name)
    weights.write(network.tensors(encoder.network), folder, encoder.folder, encoder.config)
    log.info("wrote %s: %d weights", folder, encoder.network.count_params())


def _obstacle(parts: Parts, params: TuningParams) -> str:
    """Why nothing is to be trained, or nothing."""
    if not params.enabled:
        return "tuning.enabled is false"
    if len(parts.train) < params.min_pairs:
        return f"{len(parts.train)} pairs to train on; tuning.min_pairs asks for {params.min_pairs}"
    for name in ("validation", "test"):
        queries = getattr(parts, name).queries
        if queries < params.min_queries:
            return f"{queries} texts with a partner for {name}; tuning.min_queries asks for {params.min_queries}"
    return ""


def _trained(
    frozen: Encoder, parts: Parts, params: TuningParams, folder: Path
) -> tuple[Encoder, list[dict[str, float]]]:
    """The tuned encoder as it is read from `folder`, and the curve."""
    from models.text.contrast import train

    learner, curve = train(frozen, parts, params)
    write(learner, folder)
    return _beside(frozen, folder), curve


def _beside(frozen: Encoder, folder: Path) -> Encoder:
    """The encoder of another folder with the same settings."""
    return Encoder(folder, frozen.max_length, frozen.normalise, frozen.compute)


def _told(encoder: Encoder, record: dict[str, Any], **found: Any) -> Tuned:
    log.info("the %s encoder is used: %s", "tuned" if found["kept"] else "frozen", found["reason"])
    return Tuned(encoder, record | found)
