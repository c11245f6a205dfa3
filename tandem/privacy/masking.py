"""Direct identifiers in free text: found, checked and replaced by a token that says what stood there.

RE2 looks through whole columns for what may be one, without look-around; only texts it finds go on to Python, where
edges, dates and check digits decide. Prices, dates, article codes and counts stay.
"""

import re
from collections import Counter
from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import date
from functools import cache
from typing import TypeVar

import pyarrow as pa
import pyarrow.compute as pc

Texts = TypeVar("Texts", pa.Array, pa.ChunkedArray)

NOT_WITHIN = r"(?:(?<!\w)|(?<=\\[nrt]))(?<!\d[.,:/-])", r"(?!\w)(?![.,:]\d)"
"""What may not touch an identifier: a letter (save JSON's `\\n`), a digit, the rest of a number, date or time."""

WIDE = str.maketrans("０１２３４５６７８９＠＋－．", "0123456789@+-.")
"""Full-width characters of Chinese text, and how they are read."""

PHONES = (
    r"\+[1-9](?:[ ./()-]{0,2}[0-9]){7,14}",  # international
    r"00[1-9][0-9]{0,2}[ ./-](?:[ ./()-]{0,2}[0-9]){7,12}",
    r"(?:1[ .-]?)?(?:\([2-9][0-9]{2}\) ?[0-9]{3}[ .-][0-9]{4}|[2-9][0-9]{2} [2-9][0-9]{2}[ -][0-9]{4}"
    r"|[2-9][0-9]{2}[.-][0-9]{3}[.-][0-9]{4})",  # North America
    r"(?:86[ -]?)?1[3-9][0-9][ -]?[0-9]{4}[ -]?[0-9]{4}",  # Chinese mobile
    r"0[1-9][0-9]{0,3}[ /.-](?:[ .-]?[0-9]){5,9}",  # Europe and China with area code: checked for dates and length
    r"07[0-9]{9}|01[567][0-9]{8,9}",  # British and German mobile, written without a break
    r"(?i:tel|phone|mobile|cell|whatsapp|fax|(?:电话|手机|热线|座机)(?:号码|号)?)(?: is|是|为)?[ :：.#=-]{0,4}"
    r"[0-9](?:[ ./()-]{0,2}[0-9]){6,11}",  # announced by a word
)
CARD = r"[2-6](?:[0-9]{12,18}|[0-9]{3}(?:[ -][0-9]{4}){3}(?:[ -][0-9]{1,3})?|[0-9]{3}[ -][0-9]{6}[ -][0-9]{4,5})"
ISSUERS = re.compile(
    r"4(?:.{12}|.{15}|.{18})|(?:5[1-5]|222[1-9]|22[3-9].|2[3-6]..|27[01].|2720).*(?<=^.{16})"
    r"|3[47].{13}|(?:36|3[89]|30[0-5]).*(?<=^.{14})|(?:6011|64[4-9]|65).*|62.*|35(?:2[89]|[3-8]).*|(?:50|5[6-9]|6).*"
)
"""First digits and lengths of Visa, Mastercard, American Express, Diners, Discover, UnionPay, JCB and Maestro."""

PROVINCE = "(?:1[1-5]|2[1-3]|3[1-7]|4[1-6]|5[0-4]|6[1-5]|71|8[1-3])"
RESIDENT = f"{PROVINCE}[0-9]{{4}}(?:[ -]?(?:18|19|20)[0-9]{{6}}[ -]?[0-9]{{3}}[0-9Xx]|[0-9]{{9}})"
IBAN = r"[A-Z]{2}[0-9]{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,3})?"
DATE = re.compile(r"(?:0?[1-9]|[12]\d|3[01])[./-](?:0?[1-9]|[12]\d|3[01])[./-](?:\d\d){1,2}(?!\d|[./-]\d)")
ANNOUNCED = re.compile(r"^[^+(0-9]*")
ORDERED = re.compile(r"(?:单号?|编号|货号|order|invoice|ticket|item|article)\W{0,3}(?:no|nr|number|id)?\W{0,3}$", re.I)
"""What stands before a number that an order or an article has."""


@dataclass(frozen=True)
class Identifier:
    """A kind of direct identifier: how it is written (RE2, which Python reads alike), and what else must hold."""

    token: str
    written: str
    kept: Callable[[re.Match[str]], str | None]  # what goes on standing before the token; None: it is no identifier

    def pattern(self) -> re.Pattern[str]:
        """The exact pattern, with its edges."""
        return re.compile(f"{NOT_WITHIN[0]}(?:{self.written}){NOT_WITHIN[1]}", re.ASCII)


def _digits(found: re.Match[str]) -> str:
    return re.sub(r"\D", "", found.group())


def _any(found: re.Match[str]) -> str | None:
    return ""


def _phone(found: re.Match[str]) -> str | None:
    """A phone number, no date and no order's number; the word that announces it stays."""
    word = ANNOUNCED.match(found.group()).group()  # type: ignore[union-attr]
    number = found.group()[len(word) :]
    short = number[0] == "0" and not word and len(_digits(found)) < 9
    return None if short or DATE.match(number) or ORDERED.search(found.string[: found.start()][-20:]) else word


def _card(found: re.Match[str]) -> str | None:
    """A payment card: an issuer's first digits and length, and Luhn's check digit; no article code (GTIN-13)."""
    digits = _digits(found)
    fits = ISSUERS.fullmatch(digits) and luhn(digits) and not (len(digits) == 13 and gtin(digits))
    return "" if fits else None


def _resident(found: re.Match[str]) -> str | None:
    """A Chinese resident id: a date of birth and, of 18 digits, the check digit (GB 11643)."""
    digits = re.sub(r"[ -]", "", found.group()).upper()
    born = digits[6:14] if len(digits) == 18 else f"19{digits[6:12]}"
    checked = len(digits) == 15 or gb11643(digits)
    return "" if _is_date(born) and checked else None


def _social(found: re.Match[str]) -> str | None:
    area, group, serial = re.split(r"[ -]", found.group())
    return "" if area not in {"000", "666"} and group != "00" and serial != "0000" else None


def _iban(found: re.Match[str]) -> str | None:
    return "" if iban(found.group().replace(" ", "")) else None


IDENTIFIERS = {
    "url": Identifier("[url]", r"[A-Za-z][A-Za-z0-9+.-]{1,15}://[^\s/:@]{1,200}:[^\s/@]{1,200}@[^\s]+", _any),
    "email": Identifier("[email]", r"[A-Za-z0-9._%+-]{1,64}@(?:[A-Za-z0-9-]{1,63}\.){1,8}[A-Za-z]{2,63}", _any),
    "iban": Identifier("[iban]", IBAN, _iban),
    "resident_id": Identifier("[id]", RESIDENT, _resident),
    "card": Identifier("[card]", CARD, _card),
    "ssn": Identifier("[id]", r"[0-8][0-9]{2}(?:-[0-9]{2}-| [0-9]{2} )[0-9]{4}", _social),
    "phone": Identifier("[phone]", "|".join(PHONES), _phone),
}
"""Kinds of identifiers, in the order in which they are looked for."""


def mask(texts: Texts, kinds: Collection[str] = tuple(IDENTIFIERS)) -> tuple[Texts, dict[str, int]]:
    """The texts with every direct identifier of these kinds replaced by its token, and how many were, by kind.

    A missing text stays missing; a text without one keeps its characters. Where something is masked, full-width digits
    of that text are written plain.

    Raises:
        KeyError: a kind that is not in `IDENTIFIERS`.
    """
    counts = Counter(dict.fromkeys(kinds, 0))
    if isinstance(texts, pa.ChunkedArray):
        chunks = [_mask(chunk, kinds, counts) for chunk in texts.chunks]
        return pa.chunked_array(chunks, type=texts.type), dict(counts)
    return _mask(texts, kinds, counts), dict(counts)


def _mask(texts: pa.Array, kinds: Collection[str], counts: Counter[str]) -> pa.Array:
    if not kinds:
        return texts
    found = pc.fill_null(pc.match_substring_regex(texts, _hint(tuple(kinds))), False)
    masked = [_masked(text, kinds, counts) for text in texts.filter(found).to_pylist()]
    return pc.replace_with_mask(texts, found, pa.array(masked, texts.type)) if masked else texts


def _masked(text: str, kinds: Collection[str], counts: Counter[str]) -> str:
    changed = plain = text.translate(WIDE)
    for kind in (kind for kind in IDENTIFIERS if kind in kinds):
        changed = _replaced(kind, changed, counts)
    return changed if changed != plain else text


def _replaced(kind: str, text: str, counts: Counter[str]) -> str:
    identifier = IDENTIFIERS[kind]

    def token(match: re.Match[str]) -> str:
        kept = identifier.kept(match)
        if kept is None:
            return match.group()
        counts[kind] += 1
        return kept + identifier.token

    return _pattern(kind).sub(token, text)


@cache
def _pattern(kind: str) -> re.Pattern[str]:
    return IDENTIFIERS[kind].pattern()


@cache
def _hint(kinds: tuple[str, ...]) -> str:
    written = "|".join(IDENTIFIERS[kind].written for kind in kinds)
    return rf"(?:^|\W|\\[nrt])(?:{written})(?:\W|$)|[０-９]{{7}}|＠"


def luhn(digits: str) -> bool:
    """Whether the last digit is Luhn's check digit (ISO/IEC 7812-1)."""
    doubled = [int(digit) * (1 + place % 2) for place, digit in enumerate(reversed(digits))]
    return sum(value - 9 * (value > 9) for value in doubled) % 10 == 0


def gtin(digits: str) -> bool:
    """Whether the last digit is the check digit of an article code (EAN-13 and its like)."""
    return sum(int(digit) * (3 if place % 2 else 1) for place, digit in enumerate(reversed(digits))) % 10 == 0


def gb11643(digits: str) -> bool:
    """Whether the last of 18 characters is the check digit of a Chinese resident id (ISO 7064, mod 11-2)."""
    remainder = sum(int(digit) * pow(2, 17 - place, 11) for place, digit in enumerate(digits[:17])) % 11
    return "10X98765432"[remainder] == digits[17]


def iban(code: str) -> bool:
    """Whether the two digits after the country check the account number (ISO 13616, mod 97)."""
    moved = code[4:] + code[:4]
    return 15 <= len(code) <= 34 and int("".join(str(int(sign, 36)) for sign in moved)) % 97 == 1


def _is_date(digits: str) -> bool:
    try:
        return date(int(digits[:4]), int(digits[4:6]), int(digits[6:])) <= date.today()
    except ValueError:
        return False
