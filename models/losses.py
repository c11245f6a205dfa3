"""Softmax over the catalogue, whole or sampled, with several products to be foretold at once; for all networks."""

from collections.abc import Mapping
from typing import Any

from keras import ops

NEVER = -1e9
"""Logit of what may not be chosen: far below all others, yet finite."""


def softmax(logits: Any, taken: Any, batch: Mapping[str, Any]) -> Any:
    """(questions,) losses: sampled when the batch names its draws, see `models.candidates`, else full."""
    if "drawn" in batch:
        return sampled_softmax(logits, taken, batch["drawn"], batch["log_expected"])
    return full_softmax(logits, taken)


def full_softmax(logits: Any, taken: Any) -> Any:
    """Mean over what was taken of -log softmax, one value for each question.

    loss(q) = -Σ_i share(q,i) · log( exp z(q,i) / Σ_j exp z(q,j) ),  share(q,i) = taken(q,i) / Σ_j taken(q,j)

    Args:
        logits: (questions, products).
        taken: (questions, products) weight of what was taken, 0 for the rest; a row without any costs nothing.
    """
    share = taken / ops.maximum(ops.sum(taken, axis=1, keepdims=True), 1e-9)  # (questions, products)
    return -ops.sum(share * ops.log_softmax(logits, axis=1), axis=1)  # (questions,)


def sampled_softmax(logits: Any, taken: Any, drawn: Any, log_expected: Any) -> Any:
    """The same with the sum over the catalogue estimated from drawn products.

    The products are those taken by anyone in the batch (`drawn` 0), then draws (`drawn` 1). A question's
    sum holds its own taken products exactly, and each draw divided by how often it was expected, exp of
    `log_expected` (logQ correction). A draw that the question took is an accidental hit and left out, and
    so are other questions' taken products. The estimate of the sum has no bias.

    Args:
        logits: (questions, products).
        taken: (questions, products) weight of what was taken, in every column of the product, drawn or not.
        drawn: (products,) 1 for a draw.
        log_expected: (products,) log of the expected number of draws of the product.

    Source: Bengio and Senécal 2008; Yi et al. 2019 for logQ in retrieval.
    """
    own = taken * (1 - drawn)  # (questions, products)
    hit = ops.cast(taken > 0, "float32")  # (questions, products)
    allowed = hit * (1 - drawn) + (1 - hit) * drawn  # (questions, products)
    corrected = ops.where(allowed > 0, logits - drawn * log_expected, NEVER)  # (questions, products)
    return full_softmax(corrected, own)


def shares(logits: Any, allowed: Any) -> Any:
    """Softmax along axis 1 over the `allowed` (1, else 0) entries; 0 for the others, and for all where none is allowed.

    Keras' own softmax gives entries that are left out a share where none is left.
    """
    logits = ops.where(allowed > 0, logits, NEVER)
    odds = allowed * ops.exp(logits - ops.max(logits, axis=1, keepdims=True))
    return odds / ops.maximum(ops.sum(odds, axis=1, keepdims=True), 1e-9)
