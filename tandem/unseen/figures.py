"""How the numbers of a column are written: their decimal and thousands signs, and what stands beside them."""

import re
from collections import Counter
from dataclasses import dataclass

NEARLY = 0.8
"""Share of the cells that must be numbers for the others to be taken for slips."""

TESTED = 400
"""Most frequent values by which it is told whether a column may hold numbers at all."""

CURRENCY = {
    **dict.fromkeys(("€", "EUR", "Euro"), "EUR"),
    **dict.fromkeys(("£", "GBP"), "GBP"),
    **dict.fromkeys(("¥", "￥", "元", "RMB", "CNY"), "CNY"),
    **dict.fromkeys(("$", "US$", "USD"), "USD"),
    **dict.fromkeys(("₹", "INR"), "INR"),
    **{code: code for code in ("CHF", "SEK", "NOK", "DKK", "PLN", "CZK", "JPY", "AUD", "CAD", "HKD", "BRL")},
}
"""Currencies by what may stand beside an amount of money."""

PIECES = ("Stk", "Stk.", "Stück", "St.", "pcs", "pc", "件", "个", "只", "盒", "瓶", "袋")
"""What may stand beside a number of pieces."""

BESIDE = "|".join(re.escape(text) for text in sorted((*CURRENCY, *PIECES), key=len, reverse=True))
MARKED = re.compile(rf"^([+-]?)\s*(?:({BESIDE})\s*)?([+-]?[\d.,][\d.,'’ \u00a0\u202f]*?)\s*({BESIDE})?$")
"""Sign, text in front, number, text behind."""

SPACES = " \u00a0\u202f"
SIGNS: tuple[tuple[str, str | None], ...] = (
    *((".", None), (".", ","), (",", None), (",", "."), (".", "'"), (".", "’"), (",", " "), (".", " ")),
    *((",", "'"), (",", "’")),
)
"""Decimal and thousands signs, those that say less first; a space stands for those that do not break, too."""


@dataclass(frozen=True)
class Figures:
    """How numbers are written, and the cells that are none."""

    decimal: str
    thousands: str | None
    strip: tuple[str, ...]  # texts that stand beside numbers
    count: int  # cells that are not empty
    odd: tuple[tuple[str, int], ...]  # values that are no numbers and their cells, the most frequent first
    low: float
    high: float
    has_fractions: bool  # some number has a decimal sign
    ambiguous: bool  # 1,234 may be 1.234 or 1234: no value decides

    @property
    def unread(self) -> int:
        """Cells that are no numbers."""
        return sum(count for _, count in self.odd)

    @property
    def plain(self) -> bool:
        """Numbers are written with a decimal point, if with any sign."""
        return (self.decimal, self.thousands, self.strip) == (".", None, ())

    @property
    def currency(self) -> str | None:
        """The currency that is told beside the numbers."""
        return next((CURRENCY[text] for text in self.strip if text in CURRENCY), None)


def of(counted: Counter[str]) -> Figures | None:
    """How the values, with the number of their cells, are written; None where more than a few are no numbers."""
    tested = counted.most_common(TESTED)
    if sum(count for value, count in tested if _parts(value)) < 0.5 * sum(count for _, count in tested) or not tested:
        return None
    parts = {value: found for value in counted if (found := _parts(value))}
    fits = {signs: _fitting(counted, parts, signs) for signs in SIGNS}
    signs = max(SIGNS, key=lambda signs: fits[signs])
    if fits[signs] < NEARLY * counted.total():
        return None
    read = {value: number for value, cell in parts.items() if (number := _number(cell[1], signs)) is not None}
    other = fits[(",", None)] if signs == (".", ",") else 0
    return Figures(
        decimal=signs[0],
        thousands=signs[1],
        strip=tuple(dict.fromkeys(mark for value in read for mark in parts[value][0])),
        count=counted.total(),
        odd=tuple((value, count) for value, count in counted.most_common() if value not in read),
        low=min(read.values()),
        high=max(read.values()),
        has_fractions=any(signs[0] in parts[value][1] for value in read),
        ambiguous=other == fits[signs],
    )


def _parts(value: str) -> tuple[list[str], str] | None:
    """The texts beside a number, and the number as it is written; None for what is none."""
    if re.fullmatch(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", value):
        return [], value
    found = MARKED.match(value)
    if found is None:
        return None
    sign, before, number, after = found.groups()
    return [mark for mark in (before, after) if mark], sign + number


def _fitting(counted: Counter[str], parts: dict[str, tuple[list[str], str]], signs: tuple[str, str | None]) -> int:
    """Cells that are numbers with these signs."""
    shape = _shape(signs)
    return sum(counted[value] for value, (_, number) in parts.items() if shape.match(number))


def _shape(signs: tuple[str, str | None]) -> re.Pattern[str]:
    decimal, thousands = signs
    between = f"[{SPACES}]" if thousands == " " else f"[{thousands}]"
    grouped = rf"|[1-9]\d{{0,2}}(?:{between}\d{{3}})+" if thousands else ""
    exponent = "" if thousands else r"([eE][+-]?\d+)?"
    return re.compile(rf"^[+-]?(?:(?:\d+{grouped})(?:[{decimal}]\d*)?|[{decimal}]\d+){exponent}$")


def _number(text: str, signs: tuple[str, str | None]) -> float | None:
    if not _shape(signs).match(text):
        return None
    decimal, thousands = signs
    whole = re.sub(f"[{SPACES if thousands == ' ' else thousands}]", "", text) if thousands else text
    return float(whole.replace(decimal, "."))
