"""Texts to token indices by the folder's own tokenizer."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from models.text.config import BertConfig
from models.text.errors import EncoderError

if TYPE_CHECKING:
    from tokenizers import Tokenizer

WHOLE, VOCABULARY, SETTINGS = "tokenizer.json", "vocab.txt", "tokenizer_config.json"
FILES = (WHOLE, VOCABULARY, SETTINGS)
SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
CHUNK = 1024
"""Texts that are cut into tokens at once; bounds the memory of long ones."""


class Tokens:
    """A tokenizer that truncates and does not pad."""

    def __init__(self, tokenizer: "Tokenizer", max_length: int) -> None:
        tokenizer.no_padding()
        tokenizer.enable_truncation(max_length)
        self._tokenizer = tokenizer
        self.special: int = tokenizer.num_special_tokens_to_add(False)

    def __call__(self, texts: Sequence[str]) -> list[list[int]]:
        """Indices of each text's tokens, [CLS] and [SEP] included; a text without others has `special` of them."""
        parts = (texts[n : n + CHUNK] for n in range(0, len(texts), CHUNK))
        return [found.ids for part in parts for found in self._tokenizer.encode_batch_fast(list(part))]


def read(folder: Path, config: BertConfig, max_length: int) -> Tokens:
    """The tokenizer of tokenizer.json, else of vocab.txt with the settings of tokenizer_config.json.

    Raises:
        EncoderError: neither is there or readable, or it knows more tokens than the encoder.
    """
    try:
        tokenizer = _whole(folder) if (folder / WHOLE).is_file() else _of_vocabulary(folder)
    except EncoderError:
        raise
    except Exception as error:  # the library's errors share no base but this
        raise EncoderError(f"the tokenizer of {folder} cannot be read: {error}") from error
    known = tokenizer.get_vocab_size()
    if known > config.vocab_size:
        raise EncoderError(f"the tokenizer of {folder} knows {known} tokens; config.json says {config.vocab_size}")
    return Tokens(tokenizer, max_length)


def _whole(folder: Path) -> "Tokenizer":
    from tokenizers import Tokenizer

    return Tokenizer.from_file(str(folder / WHOLE))


def _of_vocabulary(folder: Path) -> "Tokenizer":
    """BERT's own: clean, separate Chinese characters, split at blanks and punctuation, longest pieces first."""
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

    settings = _settings(folder)
    tokenizer = Tokenizer(models.WordPiece.from_file(str(_vocabulary(folder)), unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(
        clean_text=True,
        handle_chinese_chars=settings.get("tokenize_chinese_chars", True),
        strip_accents=settings.get("strip_accents"),
        lowercase=settings.get("do_lower_case", True),
    )
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    known = tokenizer.get_vocab()
    if missing := [name for name in SPECIAL if name not in known]:
        raise EncoderError(f"{folder / VOCABULARY} lacks {', '.join(missing)}")
    tokenizer.post_processor = processors.BertProcessing(("[SEP]", known["[SEP]"]), ("[CLS]", known["[CLS]"]))
    tokenizer.add_special_tokens(list(SPECIAL))
    return tokenizer


def _vocabulary(folder: Path) -> Path:
    if not (folder / VOCABULARY).is_file():
        found = sorted(p.name for p in folder.glob("*"))[:20]
        raise EncoderError(f"{folder} has neither {WHOLE} nor {VOCABULARY}; it holds {found}")
    return folder / VOCABULARY


def _settings(folder: Path) -> dict[str, Any]:
    path = folder / SETTINGS
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
