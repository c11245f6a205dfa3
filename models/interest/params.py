"""Parameters of the interest networks: one frozen class for what they share, one for each variant."""

from typing import Literal

from pydantic import BaseModel, Field

from tandem.params import Section


class InterestParams(BaseModel):
    """What both variants share; units are days where a name says so."""

    room: Literal["interest"]
    length: int = Field(ge=2, le=1024)  # events that the network reads, the last ones
    dim: int = Field(ge=4, le=1024)  # of product and user vectors
    dropout: float = Field(ge=0, lt=1)  # of user vectors and inside the encoder
    event_dropout: float = Field(ge=0, lt=1)  # share of events hidden from the encoder while training
    own_half_lives_days: tuple[float, ...] = Field(min_length=1)  # of the user's own events, counted
    trend_days: tuple[int, ...] = Field(min_length=1)  # windows of the shop's demand, at most 60 each
    horizon_days: float = Field(gt=0)  # what is taken within it of a basket's start is to be foretold
    negatives: int | None = Field(None, ge=1)  # products drawn for each batch; null = the whole catalogue
    batch: int = Field(ge=1)  # windows of events
    epochs: int = Field(ge=1)  # at most
    patience: int = Field(ge=1)  # epochs without a better validation NDCG@10 before stopping
    learning_rate: float = Field(gt=0)
    weight_decay: float = Field(ge=0)
    seed: int


class TransformerParams(Section, InterestParams):
    """A causal Transformer."""

    section = "networks.transformer"
    heads: int = Field(ge=1)  # must divide dim
    blocks: int = Field(ge=1)


class LstmParams(Section, InterestParams):
    """LSTM → Conv1D → dense."""

    section = "networks.lstm"
    kernel: int = Field(ge=1)  # steps that the convolution sees
