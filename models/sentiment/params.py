"""Parameters of sentiment: how words are learned."""

from pydantic import Field

from tandem.params import Section


class SentimentParams(Section):
    """What changes a tone."""

    section = "sentiment"
    min_texts: int = Field(ge=1)  # that must hold an n-gram for it to count
    hidden: int = Field(ge=1, le=1024)  # units
    term_dropout: float = Field(ge=0, lt=1)  # share of a text's n-grams hidden while training
    dropout: float = Field(ge=0, lt=1)  # of hidden units
    batch: int = Field(ge=1)  # reviews
    epochs: int = Field(ge=1)  # at most
    patience: int = Field(ge=1)  # epochs without a better validation log loss before stopping
    learning_rate: float = Field(gt=0)
    weight_decay: float = Field(ge=0)
    validation_share: float = Field(gt=0, le=0.5)  # of distinct texts: they stop the training and calibrate
    min_reviews: int = Field(ge=2)  # with words, good ones and bad ones each, for a head to be trained
    seed: int
