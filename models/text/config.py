"""What a folder says of its encoder: sizes, pooling, and how many tokens it reads."""

import json
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from models.text.errors import EncoderError

CONFIG, SENTENCES, POOLING = "config.json", "sentence_bert_config.json", "1_Pooling/config.json"


class BertConfig(BaseModel):
    """Sizes of config.json; its other keys say nothing that changes a vector."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    model_type: Literal["bert"] = "bert"
    hidden_act: Literal["gelu"] = "gelu"
    position_embedding_type: Literal["absolute"] = "absolute"
    vocab_size: int = Field(ge=1)
    hidden_size: int = Field(ge=1)
    num_hidden_layers: int = Field(ge=1)
    num_attention_heads: int = Field(ge=1)
    intermediate_size: int = Field(ge=1)
    max_position_embeddings: int = Field(ge=3)
    type_vocab_size: int = Field(2, ge=1)
    layer_norm_eps: float = Field(1e-12, gt=0)

    @model_validator(mode="after")
    def _heads_divide(self) -> Self:
        if self.hidden_size % self.num_attention_heads:
            raise ValueError(f"num_attention_heads {self.num_attention_heads} must divide {self.hidden_size}")
        return self

    @classmethod
    def read(cls, folder: Path) -> Self:
        """The config of `folder`.

        Raises:
            EncoderError: config.json is absent or is not that of a BERT with absolute positions and exact GELU.
        """
        try:
            return cls.model_validate(_json(folder / CONFIG))
        except ValidationError as error:
            wrong = "; ".join(
                f"{'.'.join(map(str, e['loc'])) or 'sizes'} = {e['input']!r}: {e['msg']}" for e in error.errors()
            )
            raise EncoderError(f"{folder / CONFIG} does not describe a BERT that can be built: {wrong}") from error


def pooling(folder: Path) -> Literal["mean", "cls"]:
    """How the folder makes one vector of a text's tokens; the mean where it says nothing.

    Raises:
        EncoderError: it asks for something else.
    """
    path = folder / POOLING
    if not path.exists():
        return "mean"
    asked = {key for key, value in _json(path).items() if key.startswith("pooling_mode") and value is True}
    if asked == {"pooling_mode_mean_tokens"}:
        return "mean"
    if asked == {"pooling_mode_cls_token"}:
        return "cls"
    raise EncoderError(f"{path} asks for {sorted(asked)}; one of mean_tokens and cls_token can be done")


def max_length(folder: Path, config: BertConfig, asked: int | None) -> int:
    """Tokens that are read of a text, [CLS] and [SEP] included: as asked, else as the folder says, else all positions.

    Raises:
        EncoderError: more are asked for than there are positions, or fewer than 3.
    """
    path = folder / SENTENCES
    told = _json(path).get("max_seq_length") if path.exists() else None
    length = asked or told or config.max_position_embeddings
    if not 3 <= length <= config.max_position_embeddings:
        raise EncoderError(f"max_length = {length}: {folder} has positions for 3 to {config.max_position_embeddings}")
    return length


def _json(path: Path) -> dict[str, Any]:
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        found = sorted(p.name for p in path.parent.glob("*"))[:20]
        raise EncoderError(f"{path} is missing; the folder holds {found}") from error
    except ValueError as error:
        raise EncoderError(f"{path} is not JSON: {error}") from error
    if not isinstance(value, dict):
        raise EncoderError(f"{path} holds a {type(value).__name__}, not an object")
    return value
