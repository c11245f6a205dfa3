"""What each raw column of some files that look alike probably is, judged by its name and by its values together."""

from dataclasses import dataclass, field
from statistics import mean

from tandem.unseen import names, profile, words
from tandem.unseen.look import Look
from tandem.unseen.profile import Profile

LIKELY = 0.35
"""Score from which a meaning is proposed; name and values agree fully at 1."""

CLOSE = 0.85
"""A second candidate with this share of the best one's score leaves doubt."""

IDS = ("product_id", "user_id", "order_id", "session_id")
NO_IDS = ("list", "object", "url", "time", "decimal_comma", "money")
WITHHELD = ("user_id", "person", "contact")
"""Meanings whose values are never shown."""

MANY = ("category", "segment", "person", "contact", "complement", "substitute")
"""Meanings that several columns of one file may have."""


@dataclass(frozen=True)
class Guess:
    """A raw column for a meaning, how surely, and why."""

    column: str
    meaning: str
    score: float
    why: str


@dataclass
class Group:
    """Raw files that look alike: one block, once it is known of what."""

    pattern: str
    files: list[str]
    look: Look  # the first one, for its format
    profiles: dict[str, Profile]
    guesses: dict[str, list[Guess]] = field(default_factory=dict)  # by meaning, the likeliest first
    beside: list[str] = field(default_factory=list)  # files aligned with these line by line, their columns among ours
    doubts: list[str] = field(default_factory=list)
    rivals: dict[str, str] = field(default_factory=dict)  # meaning: a doubt which column has it

    @property
    def label(self) -> str:
        """The files, and the sheet of them."""
        return self.pattern + (f", sheet {self.look.sheet}" if self.look.sheet else "")

    def column(self, meaning: str) -> str | None:
        """The likeliest column of that meaning, if there is one."""
        found = self.guesses.get(meaning)
        return found[0].column if found else None

    def columns(self, meaning: str) -> list[str]:
        """All columns of that meaning, in the order of the file."""
        found = {guess.column for guess in self.guesses.get(meaning, [])}
        return [name for name in self.profiles if name in found]

    def meaning(self, column: str) -> str | None:
        """What the column is taken for."""
        return next((m for m, found in self.guesses.items() if any(g.column == column for g in found)), None)

    def of(self, meaning: str) -> Profile | None:
        """The profile of the likeliest column of that meaning."""
        column = self.column(meaning)
        return self.profiles[column] if column else None


@dataclass(frozen=True)
class Key:
    """A column whose values are (nearly) all among the unique values of another file's column."""

    group: str  # label of the files that refer
    column: str
    to: str  # label of the files that are referred to
    key: str
    share: float


def assign(group: Group) -> None:
    """Give the columns of the group their meanings: the likeliest pair first, a column has one meaning at most."""
    pairs = [guess for column, found in group.profiles.items() for guess in _guesses(column, found)]
    pairs += _by_place(group) if not group.look.named else []
    taken: set[str] = set()
    for guess in sorted(pairs, key=lambda guess: -guess.score):
        room = guess.meaning in MANY or guess.meaning not in group.guesses
        if guess.score >= LIKELY and guess.column not in taken and room:
            group.guesses.setdefault(guess.meaning, []).append(guess)
            taken.add(guess.column)
    _settle_ids(group)
    _note_rivals(group, pairs)


def _guesses(column: str, found: Profile) -> list[Guess]:
    by_name = names.meanings(column)
    guesses = [
        Guess(column, meaning, round(sure * fit, 3), "by name and values")
        for meaning, sure in by_name.items()
        if (fit := _fit(meaning, found)) > 0
    ]
    if found.type == "time" and "time" not in by_name:
        guesses.append(Guess(column, "time", 0.5, "by its values"))
    if len(words.kinds(found)) >= 2 and found.type == "text" and ("kind" in by_name or not words.states(found)):
        guesses.append(Guess(column, "kind", 0.95, "by its values"))
    if found.personal > 0.5 and "user_id" not in by_name:
        guesses.append(Guess(column, "contact", 1.5, "by its values"))
    if words.ratings(found) and "rating" not in by_name:
        guesses.append(Guess(column, "rating", 0.9, "by its values"))
    if found.type == "picture" and "image" not in by_name:
        guesses.append(Guess(column, "image", 0.6, "by its values"))
    return guesses


def _fit(meaning: str, found: Profile) -> float:
    """How well values bear out a meaning that the name suggests, in [0, 1]."""
    if found.type == "empty":
        return 0.0
    match meaning:
        case "product_id" | "user_id" | "order_id" | "session_id":
            return 0.0 if found.type in NO_IDS else _id_fit(found)
        case "time":
            return 0.0 if found.time is None else 1.0 if found.time.zoned else 0.95
        case "kind":
            return _kind_fit(found)
        case "quantity" | "stock":
            return _number_fit(found)
        case "unit_price":
            return _number_fit(found)
        case "rating":
            return _rating_fit(found)
        case "text":
            return 1.0 if found.type in ("text", "path") and found.said > 8 else 0.0
        case "complement" | "substitute":
            return 1.0 if found.type == "list" else 0.3
        case "image":
            return 1.0 if found.type in ("url", "picture") else 0.0
        case "description":
            return 1.0 if found.type in ("text", "path", "list") else 0.2
        case "title" | "headline":
            return 1.0 if found.type in ("text", "path") else 0.2
        case _:
            return 1.0


def _id_fit(found: Profile) -> float:
    """Ids are whole numbers or short texts, of which there are more than a few."""
    if found.type == "number" or found.longest > 64:
        return 0.2
    return 1.0 if found.distinct > 3 else 0.5


def _number_fit(found: Profile) -> float:
    """Numbers, however they are written; a few cells may be none."""
    if found.figures is None:
        return 0.0
    return 0.9 if found.figures.unread else 1.0


def _rating_fit(found: Profile) -> float:
    """Numbers from 0 to 10, or stars."""
    if words.ratings(found):
        return 1.0
    figures = found.figures
    return _number_fit(found) if figures and 0 <= figures.low <= figures.high <= 10 else 0.0


def _kind_fit(found: Profile) -> float:
    """Few values, best those that shops use for kinds."""
    if found.distinct < 2 or found.distinct > 12:
        return 0.0
    known = words.kinds(found)
    return 1.0 if len(known) >= 2 or words.codes(found) else 0.5


def _by_place(group: Group) -> list[Guess]:
    """Without names: what looks like an id is, in this order, that of the user, the product, and a category."""
    ids = [name for name, p in group.profiles.items() if p.type in ("integer", "whole") and p.distinct > 12]
    times = [n for n, p in group.profiles.items() if p.time is not None and n not in ids[:2]]
    guesses = [Guess(name, "time", 0.6, "by its values; there is no header") for name in times[:1]]
    left = [name for name in ids if name not in times[:1]]
    if not times:
        return guesses
    placed = zip(left, ("user_id", "product_id", "category"), strict=False)
    return guesses + [Guess(name, meaning, 0.4, "by its place alone; there is no header") for name, meaning in placed]


def _settle_ids(group: Group) -> None:
    """`id` alone belongs to what the other columns are about; a short unique description is a title."""
    bare = [name for name in group.profiles if names.key(name) == "id"]
    _settle_bare(group, bare)
    about_users = "segment" in group.guesses and not {"title", "category", "brand", "unit_price"} & group.guesses.keys()
    if bare and about_users and group.column("product_id") == bare[0] and "user_id" not in group.guesses:
        group.guesses["user_id"] = [Guess(bare[0], "user_id", 0.5, "segments of users stand beside it")]
        del group.guesses["product_id"]
    if "text" in group.guesses and "category" in group.guesses and "product_id" not in group.guesses:
        raw = group.guesses["category"][0].column
        group.guesses["product_id"] = [
            Guess(raw, "product_id", 0.35, "no product is named, its category stands for it")
        ]
        group.doubts.append(f"texts name no product: `{raw}` stands for it")
    text = group.of("description")
    if text is not None and "title" not in group.guesses and text.length < 60 and text.type != "list":
        guess = group.guesses.pop("description")[0]
        group.guesses["title"] = [Guess(guess.column, "title", guess.score, "short texts under a name for long ones")]


def _settle_bare(group: Group, bare: list[str]) -> None:
    """`id` beside the products of its row in a list is that of an order; beside a title, surely that of a product."""
    if not bare or group.column("product_id") != bare[0]:
        return
    keys = {key for found in group.profiles.values() if found.type == "list" for key in found.inside}
    if any(names.meanings(key).get("product_id", 0) >= 0.7 for key in keys):
        del group.guesses["product_id"]
        group.guesses.setdefault("order_id", [Guess(bare[0], "order_id", 0.5, "its row holds a list of products")])
    elif {"title", "brand"} & group.guesses.keys() and group.profiles[bare[0]].unique and "time" not in group.guesses:
        group.guesses["product_id"] = [Guess(bare[0], "product_id", 0.7, "the key of what has a title or a brand")]


def _note_rivals(group: Group, pairs: list[Guess]) -> None:
    for meaning, found in group.guesses.items():
        best = found[0]
        rivals = {
            g.column
            for g in pairs
            if g.meaning == meaning and g.score >= CLOSE * best.score and g.column != best.column
        }
        if meaning not in MANY and rivals:
            group.rivals[meaning] = f"{meaning}: `{best.column}`, or `{'`, `'.join(sorted(rivals))}`?"


def keys(groups: list[Group]) -> list[Key]:
    """Columns that refer to another file's unique column: at least 90 % of their values are there.

    Small whole numbers are among any others by chance, so that such columns must also have names alike.
    """
    unique = [(g, c, p) for g in groups for c, p in g.profiles.items() if p.distinct >= 10 and p.uniqueness > 0.999]
    found = []
    for group in groups:
        for column, values in group.profiles.items():
            if values.type in ("list", "object", "time", "number", "empty") or values.distinct < 5:
                continue
            for other, key, known in unique:
                if other is not group and _may_refer(column, values, key, known):
                    share = profile.shared(values, known)
                    if share >= 0.9:
                        found.append(Key(group.label, column, other.label, key, share))
    return found


def _may_refer(column: str, values: Profile, key: str, known: Profile) -> bool:
    small = values.numeric and mean((values.length, known.length)) < 6
    return values.numeric == known.numeric and (names.likeness(column, key) >= 0.6 if small else values.longest < 64)
