"""Parameters of fine-tuning the text encoder."""

from pydantic import Field

from tandem.params import Section


class TuningParams(Section):
    """Pairs, training, and when the tuned encoder is kept."""

    section = "tuning"
    enabled: bool
    partners: int = Field(ge=1)  # strongest of each title that count as bought together with it
    min_baskets: int = Field(ge=1)  # that must hold two titles before they are a pair
    held_out: float = Field(gt=0, lt=1)  # share of titles never trained on, half to choose the epoch, half to judge
    min_pairs: int = Field(ge=1)  # for training, below which nothing is tuned
    min_queries: int = Field(ge=1)  # texts with a partner in each half of what is held out, likewise
    frozen_layers: int = Field(ge=0)  # lowest blocks that stay as they are; with 1 or more the embeddings too
    max_pairs: int = Field(ge=1)  # drawn for an epoch
    max_length: int = Field(ge=3)  # tokens that are read of a text while tuning
    batch: int = Field(ge=2)  # pairs; each has the others as negatives
    temperature: float = Field(gt=0)  # cosines are divided by it
    epochs: int = Field(ge=1)  # at most
    patience: int = Field(ge=1)  # epochs without a better validation MRR before stopping
    learning_rate: float = Field(gt=0)
    weight_decay: float = Field(ge=0)
    confidence: float = Field(gt=0.5, lt=1)  # of the interval of the difference that must lie above 0
    seed: int
