"""Texts for people made plain: no HTML, no invisible characters, one Unicode form; and whether they are Chinese."""

import html
import re
import unicodedata
from html.entities import html5

import pyarrow as pa
import pyarrow.compute as pc

PASSES = 8
"""How often markup may hide in markup (`&amp;lt;b&amp;gt;`) before its signs are simply taken out."""

MARGIN = 4
"""A text longer than this many times the maximum is cut before it is read, so that no field takes minutes."""

UNPLAIN = r"[^ -~]|[<&]|^ | $|  "
"""Whether there is anything to do; RE2, asked of every distinct text."""

HIDDEN = re.compile(r"<!--.{0,5000}?-->|<(script|style)\b[^<>]{0,5000}>.{0,5000}?</\1\s*>", re.DOTALL | re.IGNORECASE)
INLINE = re.compile(r"</?(?:a|abbr|b|em|font|i|mark|s|small|span|strong|sub|sup|u)(?:\s[^<>]*)?>", re.IGNORECASE)
TAG = re.compile(r"</?[a-z][^<>]*>|<[!?][^<>]*>", re.IGNORECASE)
ENTITY = re.compile(r"&(?:#[0-9]{1,7}|#x[0-9a-f]{1,6}|[a-z][a-z0-9]{1,31});", re.IGNORECASE)
NESTED = re.compile(r"&(?:amp;|#38;|#x26;){2,}", re.IGNORECASE)
INVISIBLE = re.compile(
    "[\x00-\x08\x0e-\x1b\x7f-\x84\x86-\x9f\u00ad\u180e\u200b\u200e\u200f\u202a-\u202e\u2060-\u2064\u2066-\u206f\ufeff]"
)
"""Control characters that are no white space, soft hyphens, what has no width, marks of direction and of byte order."""

JOINER = re.compile(
    "(?<![\u0300-\u2fff\ua000-\U0010ffff])[\u200c\u200d]|[\u200c\u200d](?![\u0300-\u2fff\ua000-\U0010ffff])"
)
"""Zero-width joiners that join nothing: one between two emoji or two Persian letters says something and stays."""

WIDE = re.compile("[\uff10-\uff19\uff21-\uff3a\uff41-\uff5a]")
"""Full-width Latin letters and digits. Full-width punctuation is right in Chinese and stays."""


def clean(text: str, max_characters: int | None = None) -> str:
    """The text for people; cleaning it again changes nothing.

    Markup goes: comments and scripts with what they hold, tags, entities resolved however deep (`&amp;lt;`). Unicode
    becomes NFC, full-width letters and digits ASCII, white space single spaces. NFKC would also turn `m²` into `m2`
    and Chinese punctuation into ASCII; those who compare texts fold them themselves.
    """
    if max_characters is not None:
        text = text[: MARGIN * max_characters]
    for _ in range(PASSES):
        cleaned = _characters(_markup(text))
        if cleaned == text:
            break
        text = cleaned
    else:
        text = _characters(_characters(text.replace("<", " ").replace("&", " ")))
    return text if max_characters is None or len(text) <= max_characters else _characters(text[:max_characters])


def clean_texts(texts: pa.Array | pa.ChunkedArray, max_characters: int) -> tuple[pa.Array, dict[str, int]]:
    """The cleaned texts, null where nothing is left, and how many were `changed` and `cut`.

    Each distinct text is looked at once, and by Python only where a pattern finds something to do.

    Args:
        texts: strings, a batch of one column.
        max_characters: what is longer is cut.
    """
    encoded = pa.array(texts.combine_chunks() if isinstance(texts, pa.ChunkedArray) else texts, pa.string())
    encoded = encoded.dictionary_encode()
    distinct = encoded.dictionary
    long = pc.greater(pc.utf8_length(distinct), max_characters)
    doubtful = pc.or_(pc.match_substring_regex(distinct, UNPLAIN), long)
    found = [clean(text, max_characters) for text in distinct.filter(doubtful).to_pylist()]
    cleaned = pc.replace_with_mask(distinct, doubtful, pa.array(found, pa.string()))
    counts = {"changed": _rows(pc.not_equal(cleaned, distinct), encoded), "cut": _rows(long, encoded)}
    nothing_left = pc.equal(cleaned, "")
    return pc.if_else(nothing_left, None, cleaned).take(encoded.indices), counts


def languages(texts: pa.Array | pa.ChunkedArray, min_han_share: float, otherwise: str | None) -> pa.Array:
    """`zh` where at least `min_han_share` of a text's letters are Chinese characters, else `otherwise`.

    A text with more than one kana in four Chinese characters is Japanese; fewer are ornament. Null where there is no
    text.
    """
    plain = pa.array(texts.combine_chunks() if isinstance(texts, pa.ChunkedArray) else texts, pa.string())
    han = pc.count_substring_regex(plain, r"\p{Han}")
    letters = pc.count_substring_regex(plain, r"\p{L}")
    kana = pc.count_substring_regex(plain, r"[\p{Hiragana}\p{Katakana}]")
    enough = pc.and_(pc.greater(han, 0), pc.greater_equal(han, pc.multiply(letters.cast(pa.float64()), min_han_share)))
    chinese = pc.and_(enough, pc.less_equal(pc.multiply(kana, 4), han))
    return pc.if_else(chinese, "zh", pa.scalar(otherwise, pa.string()))


def _markup(text: str) -> str:
    if "<" in text:
        text = TAG.sub(" ", INLINE.sub("", HIDDEN.sub(" ", text)))
    if "&" in text:
        text = ENTITY.sub(_resolve, NESTED.sub("&amp;", text))
    return text


def _resolve(found: re.Match[str]) -> str:
    """The character of an entity; a name that HTML does not know stays."""
    entity = found[0]
    return html.unescape(entity) if entity[1] == "#" else html5.get(entity[1:], entity)


def _characters(text: str) -> str:
    if not text.isascii():
        text = WIDE.sub(lambda wide: chr(ord(wide[0]) - 0xFEE0), text)
        text = JOINER.sub("", text)
    text = unicodedata.normalize("NFC", INVISIBLE.sub("", text))
    return " ".join(text.split())


def _rows(of_distinct: pa.Array, encoded: pa.DictionaryArray) -> int:
    """In how many rows a distinct text stands for which it is true."""
    return pc.sum(of_distinct.take(encoded.indices)).as_py() or 0
