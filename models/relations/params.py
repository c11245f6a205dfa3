"""Parameters of the network of relations."""

from typing import Literal

from pydantic import Field

from tandem.params import Section


class RelationsParams(Section):
    """Inputs, network and training."""

    section = "relations"
    dim: int = Field(ge=2, le=512)  # of vectors of products and of messages
    hidden: int = Field(ge=2, le=2048)  # units
    bins: int = Field(ge=2, le=64)  # quantiles that each number of evidence is read by
    ids: tuple[Literal["source", "target"], ...]  # roles in which a product has a vector of its own
    id_dropout: float = Field(ge=0, lt=1)  # share of pairs that have to do without those vectors
    messages: Literal["attention", "mean", "none"]  # how neighbours are heard
    paths: bool  # counts of paths of two edges between the products as evidence
    neighbours: int = Field(ge=1)  # strongest edges of a kind kept into and out of a product
    dropout: float = Field(ge=0, lt=1)  # of hidden units
    batch: int = Field(ge=1)  # pairs
    epochs: int = Field(ge=1)  # at most
    patience: int = Field(ge=1)  # epochs without a better validation log loss before stopping
    learning_rate: float = Field(gt=0)
    weight_decay: float = Field(ge=0)
    validation_share: float = Field(gt=0, le=0.5)  # of sources: their pairs stop the training and calibrate
    seed: int
