"""Parameters of the picture network."""

from pathlib import Path
from typing import Literal

from pydantic import Field

from tandem.params import Section

Backbone = Literal[
    "compact",
    "ConvNeXtTiny",
    "EfficientNetB0",
    "EfficientNetV2B0",
    "MobileNetV3Large",
    "MobileNetV3Small",
]


class ImageParams(Section):
    """Pictures, network and training."""

    section = "picture"
    side: int = Field(ge=32, le=512)  # pixels; pictures are scaled and padded to side × side
    dim: int = Field(ge=2, le=2048)  # of the vectors
    backbone: Backbone = "compact"  # our own, or one of keras.applications that takes pixels from 0 to 255
    weights: Path | None = None  # .h5 file that the backbone begins with; null: it begins at random
    widths: tuple[int, ...] = Field(min_length=1)  # channels of the compact network's stages; each halves the side
    depth: int = Field(ge=1, le=8)  # residual blocks of each stage
    temperature: float = Field(gt=0, le=1)  # cosines are divided by it in every softmax
    absent: float = Field(gt=0, lt=1)  # share of pictures replaced by the no-picture vector while training
    shift: float = Field(ge=0, le=0.5)  # largest, as a share of the side, while training
    brightness: float = Field(ge=0, le=0.5)  # largest change, as a share of white, while training
    validation: float = Field(gt=0, lt=1)  # share of pictures that training stops by
    batch: int = Field(ge=2)  # pictures; each title is told from those of its batch
    epochs: int = Field(ge=1)  # at most
    patience: int = Field(ge=1)  # epochs without a smaller validation loss before stopping
    learning_rate: float = Field(gt=0)  # falls to 0 by a cosine over all epochs
    weight_decay: float = Field(ge=0)
    seed: int
