"""Parameters of the association network."""

from typing import Any, Literal, Self

from pydantic import Field, field_validator, model_validator

from tandem.features.products import MODALITIES
from tandem.params import Section


class AssociationParams(Section):
    """Pairs, network and training; units are days where a name says so."""

    section = "networks.association"
    room: Literal["association"]
    dim: int = Field(ge=2, le=1024)  # of product vectors in each role
    hidden: int = Field(ge=2)
    dropout: float = Field(ge=0, lt=1)  # inside the network
    modalities: tuple[str, ...] = MODALITIES  # of X that take part
    graph: Literal["attention", "mean", "none"]  # how a product's neighbours are heard
    neighbours: int = Field(ge=1)  # of each product by each relation
    heads: int = Field(ge=1)  # of attention; they share `dim` equally
    edge_dropout: float = Field(ge=0, lt=1)  # share of the edges that a batch does not hear
    alike_weight: float = Field(ge=0)  # of the loss of substitutes beside that of complements
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

    @field_validator("modalities")
    @classmethod
    def _are_known(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        if strange := sorted(set(names) - set(MODALITIES)):
            raise ValueError(f"{', '.join(strange)}: no such modality. Known: {', '.join(MODALITIES)}")
        return names

    @model_validator(mode="after")
    def _heads_share_dim(self) -> Self:
        if self.dim % self.heads:
            raise ValueError(f"dim = {self.dim} cannot be shared by {self.heads} heads; a multiple of heads fits")
        return self


def variants(params: AssociationParams) -> dict[str, AssociationParams]:
    """By name, what shows the worth of each part: every way to hear neighbours, and no words or no pictures."""
    graphs = {"no graph": "none", "mean of neighbours": "mean", "attention to neighbours": "attention"}
    changes: dict[str, dict[str, Any]] = {name: {"graph": graph} for name, graph in graphs.items()}
    for lost in ("text", "picture"):
        changes[f"no {lost}"] = {"modalities": tuple(name for name in params.modalities if name != lost)}
    return {name: params.model_copy(update=change) for name, change in changes.items()}
