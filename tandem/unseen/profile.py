"""What a sample of one raw column's values looks like: type, share missing, uniqueness, range, frequent values."""

import ast
import json
import re
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

from tandem.unseen import figures
from tandem.unseen.figures import Figures

MISSING = {"null", "NULL", "nan", "NaN", "None", "\\N", "N/A", "n/a", "NA", "-", "无", "空"}
"""Ways to write that there is nothing; an empty cell is the plain one."""

MOST = 0.98
"""Share of the values that must fit for a type to be said."""

TESTED = 400
"""Different values on which time formats are tried."""

EMAIL = re.compile(r"[\w.+-]+@[\w-]+\.[\w.-]+")
PHONE = re.compile(r"(?<!\d)(\+\d[\d ()-]{7,}\d|1[3-9]\d{9}|0\d{2,4}[ -]\d{5,})(?!\d)")
ID_CARD = re.compile(r"(?<!\d)\d{17}[\dXx](?!\d)")
PERSONAL = (EMAIL, PHONE, ID_CARD)

HAN = re.compile(r"[\u3400-\u9fff\uf900-\ufaff]")
HAN_LETTERS = 3.0
"""Latin letters that say as much as one Han character."""

SHAPES: tuple[tuple[str, re.Pattern[str]], ...] = (
    ("boolean", re.compile(r"(?i)^(true|false|yes|no|y|n|是|否)$")),
    ("integer", re.compile(r"^[+-]?\d+$")),
    ("whole", re.compile(r"^[+-]?\d+(\.0+)?$")),
    ("number", re.compile(r"^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$")),
    ("url", re.compile(r"^https?://\S+$")),
    ("picture", re.compile(r"(?i)^[^\s]+\.(jpe?g|png|webp|gif|bmp)$")),
)
"""Types told by the shape of each value, the narrowest first; `whole` is an integer written like 17850.0."""

ISO = re.compile(r"^\d{4}-\d{1,2}-\d{1,2}([ T]\d{1,2}:\d{2}(:\d{2}(\.\d+)?)?( ?(Z|UTC)|[+-]\d{2}(:?\d{2})?)?)?$")
ZONED = re.compile(r"(Z|UTC|[+-]\d{2}:?\d{2})$")
DAYS = ("%Y/%m/%d", "%Y.%m.%d", "%d.%m.%Y", "%m/%d/%Y", "%d/%m/%Y", "%m-%d-%Y", "%d-%m-%Y", "%m/%d/%y", "%d/%m/%y")
CLOCKS = ("", " %H:%M:%S", " %H:%M", " %I:%M:%S %p", " %I:%M %p")
FORMATS = (
    *(f"{day}{clock}" for day in DAYS for clock in CLOCKS),
    *("%m %d, %Y", "%b %d, %Y", "%B %d, %Y", "%d %b %Y", "%d %B %Y", "%d-%b-%Y", "%d %b %Y %H:%M"),
    *("%Y年%m月%d日", "%Y年%m月%d日 %H:%M", "%Y年%m月%d日 %H:%M:%S", "%Y%m%d", "%Y%m%d%H%M%S"),
)
COUNTABLE = ("integer", "whole", "number", "text", "path")
UNIX = {"unix_s": 1, "unix_ms": 1_000, "unix_us": 1_000_000}
EARLIEST, LATEST = datetime(1989, 1, 1, tzinfo=UTC), datetime(2040, 1, 1, tzinfo=UTC)
"""Numbers are taken for Unix time only between these."""


@dataclass(frozen=True)
class Time:
    """How times are written; several formats mean that the values do not decide between them."""

    formats: tuple[str, ...]  # `iso`, strptime patterns, or unix_s, unix_ms, unix_us
    zoned: bool  # every value names its zone, or counts from 1970 in UTC
    earliest: str
    latest: str
    rising: bool  # no value is before the one above it


@dataclass(frozen=True)
class Profile:
    """The sample of one column, in figures; it holds raw values, which `shown` guards."""

    count: int
    missing: int  # empty, or one of MISSING
    spelled: tuple[str, ...]  # members of MISSING that occur
    distinct: int
    type: str  # of SHAPES, or empty, decimal_comma, money, time, list, object, path, text
    figures: Figures | None  # how numbers are written, where all but a few cells are numbers
    time: Time | None  # also of integers that may be Unix times
    low: float | None
    high: float | None
    length: float  # mean characters
    said: float  # the same, a Han character counted as HAN_LETTERS
    longest: int
    separator: str | None  # of a path
    depth: int  # of a list in lists
    inside: tuple[str, ...]  # keys of objects, or of those in lists
    currency: str | None
    personal: float  # share with an e-mail address, a telephone or an id-card number
    top: tuple[tuple[str, int], ...]  # most frequent first
    values: frozenset[str]

    @property
    def share_missing(self) -> float:
        """Missing of all, in [0, 1]."""
        return self.missing / self.count if self.count else 1.0

    @property
    def uniqueness(self) -> float:
        """Different values of those present, in [0, 1]; 1 where no value comes twice."""
        present = self.count - self.missing
        return self.distinct / present if present else 0.0

    @property
    def unique(self) -> bool:
        """No value comes twice and none is missing."""
        return self.count > 0 and self.missing == 0 and self.distinct == self.count

    @property
    def numeric(self) -> bool:
        """Every value is a number with a decimal point, if with any."""
        return self.type in ("integer", "whole", "number")

    def shown(self, most: int = 4) -> list[str]:
        """Some frequent values, shortened; none with an e-mail address, telephone or id-card number in it."""
        if self.personal > 0.02:
            return []
        clean = [value for value, _ in self.top if not any(p.search(value) for p in PERSONAL)]
        return [value if len(value) <= 40 else value[:37] + "…" for value in clean[:most]]


def of(values: Iterable[str | None]) -> Profile:
    """The profile of a column's values, in the order in which they stand in the file."""
    listed = [(value or "").strip() for value in values]
    present = [value for value in listed if value and value not in MISSING]
    counted = Counter(present)
    different = list(counted)
    kind, how = _type(different)
    written = figures.of(counted) if kind in COUNTABLE else None
    kind = _as_written(kind, written)
    time = _time(_spread(different, TESTED), present, kind)
    if time and kind == "text":
        kind = "time"
    return Profile(
        count=len(listed),
        missing=len(listed) - len(present),
        spelled=tuple(sorted({value for value in listed if value in MISSING})),
        distinct=len(different),
        type=kind,
        figures=written,
        time=time,
        low=written.low if written else None,
        high=written.high if written else None,
        length=sum(map(len, present)) / len(present) if present else 0.0,
        said=_said(present),
        longest=max(map(len, different), default=0),
        separator=how if isinstance(how, str) else None,
        depth=how if isinstance(how, int) else 0,
        inside=_inside(different) if kind in ("list", "object") else (),
        currency=written.currency if written else None,
        personal=_personal(present),
        top=tuple(counted.most_common(12)),
        values=frozenset(different),
    )


def likeness(one: Profile, other: Profile) -> float:
    """How alike the values of two columns are, in [0, 1]: of one type, of like length, and the same values."""
    if "empty" in (one.type, other.type):
        return 0.5
    same_type = 1.0 if one.type == other.type else 0.6 if one.numeric and other.numeric else 0.0
    lengths = sorted((one.length, other.length))
    return 0.4 * same_type + 0.2 * lengths[0] / lengths[1] + 0.4 * shared(other, one)


def shared(one: Profile, other: Profile) -> float:
    """Share of the different values of `one` that `other` has too; 17850.0 and 17850 are the same."""
    mine, theirs = _plain(one), _plain(other)
    return len(mine & theirs) / len(mine) if mine else 0.0


def _plain(profile: Profile) -> frozenset[str]:
    if profile.type != "whole":
        return profile.values
    return frozenset(value.partition(".")[0] for value in profile.values)


def _spread(values: list[str], most: int) -> list[str]:
    return values[:: max(1, len(values) // most)][: most + 1]


def _fits(values: list[str], test: Callable[[str], Any]) -> bool:
    return sum(1 for value in values if test(value)) >= MOST * len(values)


def _type(values: list[str]) -> tuple[str, str | int | None]:
    """The type of different values; with the separator of a path or the depth of a list."""
    if not values:
        return "empty", None
    name = next((name for name, shape in SHAPES if _fits(values, shape.match)), None)
    if name in ("integer", "whole", "number"):
        return _exact_number(name, values), None
    if name:
        return name, None
    if _fits(values, lambda v: v[0] == "[" and v[-1] == "]"):
        return "list", max(map(depth, _spread(values, 50)))
    if _fits(values, lambda v: v[0] == "{" and v[-1] == "}"):
        return "object", None
    if separator := _separator(values):
        return "path", separator
    return "text", None


def _exact_number(name: str, values: list[str]) -> str:
    """A few texts among numbers make the column one of text: no number can be read from them."""
    shape = dict(SHAPES)[name]
    return name if all(shape.match(value) for value in values) else "text"


def _as_written(kind: str, written: Figures | None) -> str:
    """Texts that are numbers with other signs than a decimal point, or with a currency beside them."""
    if kind not in ("text", "path") or written is None or written.plain or written.unread > (1 - MOST) * written.count:
        return kind
    return "money" if written.strip else "decimal_comma"


def _separator(values: list[str]) -> str | None:
    """What sets the levels of a category path apart, where most values have it."""
    for separator in (" > ", ">", "|", " / ", "/", "->", "，"):
        having = [value for value in values if separator in value]
        if len(having) >= 0.5 * len(values) and all(len(value) < 200 for value in having):
            return separator
    return None


def depth(text: str) -> int:
    """How many lists lie in one another: `[1, 2]` is 1, `[[1], [2]]` is 2; 0 for what is not a list."""
    value, found = elements(text), 0
    while isinstance(value, list):
        found, value = found + 1, value[0] if value else None
    return found


def elements(text: str) -> list[Any] | None:
    """The list that a text is, as JSON or a Python literal; None for anything else."""
    value = _parsed(text)
    return value if isinstance(value, list) else None


def _parsed(text: str) -> Any:
    """The value that a text is, as JSON or a Python literal; None for neither."""
    for parse in (json.loads, ast.literal_eval):
        try:
            return parse(text)
        except (ValueError, SyntaxError, MemoryError, RecursionError):
            continue
    return None


def _time(tested: list[str], present: list[str], kind: str) -> Time | None:
    """How the values are times, if they may be. Whole numbers count from 1970, or are days like 20260131."""
    if kind in ("integer", "whole"):
        unit = next((unit for unit in UNIX if tested and all(_unix(value, unit) for value in tested)), None)
        fits = [unit] if unit else _formats(tested, ("%Y%m%d", "%Y%m%d%H%M%S")) if kind == "integer" else []
    elif kind in ("text", "path"):
        fits = ["iso"] if tested and _fits(tested, ISO.match) else _formats(tested, FORMATS)
    else:
        return None
    if not fits:
        return None
    read = [moment for value in _in_order(present) if (moment := parse(value, fits[0])) is not None]
    if not read:
        return None
    clocks = [value for value in tested if ":" in value]
    zoned = fits[0] in UNIX or (clocks != [] and all(map(ZONED.search, clocks)))
    rising = all(a <= b for a, b in pairwise(read))
    return Time(tuple(fits), zoned, min(read).isoformat(), max(read).isoformat(), rising)


def _in_order(present: list[str]) -> list[str]:
    return present[:: max(1, len(present) // 5000)]


def _formats(values: list[str], formats: Iterable[str]) -> list[str]:
    if not values or not any(character.isdigit() for character in values[0]) or len(values[0]) > 32:
        return []
    likely = [f for f in formats if parse(values[0], f) is not None or parse(values[-1], f) is not None]
    found = [f for f in likely if sum(parse(value, f) is not None for value in values) >= MOST * len(values)]
    years = [f for f in found if "%Y" in f]
    return years or found


def parse(value: str, how: str) -> datetime | None:
    """The time that a text is in one way of writing, zones put aside; None where it is not."""
    try:
        if how in UNIX:
            return datetime.fromtimestamp(float(value) / UNIX[how], UTC).replace(tzinfo=None)
        if how == "iso":
            return datetime.fromisoformat(re.sub(r" ?(UTC|Z)$", "", value)).replace(tzinfo=None)
        if how in ("%Y%m%d", "%Y%m%d%H%M%S") and len(value) != (8 if how == "%Y%m%d" else 14):
            return None
        return datetime.strptime(value, how)
    except (ValueError, OverflowError, OSError):
        return None


def _unix(value: str, unit: str) -> bool:
    seconds = float(value) / UNIX[unit]
    return EARLIEST.timestamp() <= seconds < LATEST.timestamp()


def _said(present: list[str]) -> float:
    tested = _spread(present, 2000)
    letters = sum(len(value) + (HAN_LETTERS - 1) * len(HAN.findall(value)) for value in tested)
    return letters / len(tested) if tested else 0.0


def _inside(values: list[str]) -> tuple[str, ...]:
    """Keys of the objects that the values are, or that their lists hold, in the order in which they come."""
    found: dict[str, None] = {}
    for value in map(_parsed, _spread(values, 50)):
        objects = value if isinstance(value, list) else [value]
        found |= dict.fromkeys(str(key) for one in objects if isinstance(one, dict) for key in one)
    return tuple(found)


def _personal(present: list[str]) -> float:
    tested = _spread(present, 2000)
    return sum(any(p.search(value) for p in PERSONAL) for value in tested) / len(tested) if tested else 0.0
