"""Parameters of the association network."""

from typing import Literal

from pydantic import Field

from tandem.params import Section


class AssociationParams(Section):
    """Pairs, network and training; units are days where a name says so."""

    section = "networks.association"
    room: Literal["association"]
    dim: int = Field(ge=2, le=1024)  # of product vectors in each role
    hidden: int = Field(ge=2)
    dropout: float = Field(ge=0, lt=1)  # inside the network
    antecedent_exponent: float = Field(ge=0, le=1)  # an antecedent weighs (weight of its pairs) ** exponent
    popularity: tuple[float, ...] = Field(
        min_length=1
    )  # exponent of the consequent's share of pairs; validation chooses
    trend: tuple[float, ...] = Field(min_length=1)  # exponent of recent demand; validation chooses
    trend_days: int = Field(ge=1, le=60)
    half_life_days: float = Field(gt=0)  # of a user's own events, when users are ranked for
    negatives: int | None = Field(None, ge=1)  # products drawn for each batch; null = the whole catalogue
    batch: int = Field(ge=1)  # antecedents
    epochs: int = Field(ge=1)  # at most
    patience: int = Field(ge=1)  # epochs without a better validation NDCG@10 before stopping
    learning_rate: float = Field(gt=0)
    weight_decay: float = Field(ge=0)
    seed: int
