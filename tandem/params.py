"""What changes a result: one frozen class per section of params.yaml, read once, strictly."""

from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, NamedTuple, Self, get_args

import yaml
from pydantic import (
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    NonNegativeFloat,
    PositiveFloat,
    PositiveInt,
    ValidationError,
    field_validator,
)

from tandem.data.schema import KINDS
from tandem.errors import ParamsError

PARAMS = Path("params.yaml")

WHOLE = {"window_s"}
"""Keys of params.yaml whose value is one thing though it is written as a mapping: what it holds is data."""

NOT_OF_THE_DEMO: dict[tuple[str, ...], Any] = {("validate", "as_of"): "now"}
"""By whole key, what a source gets that does not recommend it, where the demo shop's value suits nobody else."""
Share = Annotated[float, Field(ge=0, le=1)]
Severity = Literal["blocking", "warning", "off"]
Judged = Literal["products", "events", "reviews", "users", "relations"]
Identifier = Literal["url", "email", "iban", "resident_id", "card", "ssn", "phone"]


class Section(BaseModel):
    """A section of params.yaml. Unknown keys are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    section: ClassVar[str]

    @classmethod
    def read(cls, path: Path = PARAMS) -> Self:
        """The section as it stands in the file.

        Raises:
            ParamsError: file or section missing, or a value that does not fit; names key, value and range.
        """
        return cls.parse(_section(read_all(path), cls.section, path), str(path))

    @classmethod
    def parse(cls, values: dict[str, Any], where: str = "params.yaml") -> Self:
        """The section from a mapping; `where` stands in error messages."""
        try:
            return cls.model_validate(values)
        except ValidationError as error:
            raise ParamsError(_explain(cls, error, where)) from None


def read_all(path: Path = PARAMS) -> dict[str, Any]:
    """The whole params file as a mapping.

    Raises:
        ParamsError: missing, or not a YAML mapping.
    """
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ParamsError(f"{path} is missing; run from the folder that holds it") from None
    except yaml.YAMLError as error:
        raise ParamsError(f"{path} is not YAML: {error}") from None
    if not isinstance(values, dict):
        raise ParamsError(f"{path} must be a mapping of sections, found {type(values).__name__}")
    return values


def read_source(path: Path = PARAMS) -> str:
    """Name of the source in use: `sources/<name>.yaml`."""
    return str(_section(read_all(path), "source", path))


def _section(values: dict[str, Any], dotted: str, path: Path) -> Any:
    found: Any = values
    for key in dotted.split("."):
        if not isinstance(found, dict) or key not in found:
            raise ParamsError(f"{path}: section `{dotted}` is missing")
        found = found[key]
    return found


def _explain(cls: type[Section], error: ValidationError, where: str) -> str:
    lines = []
    for problem in error.errors():
        key = ".".join(str(part) for part in problem["loc"])
        came = "" if problem["type"] == "missing" else f" = {problem['input']!r}"
        lines.append(f"{where}: `{cls.section}.{key}`{came}: {problem['msg']}.")
        if problem["type"] == "extra_forbidden":
            lines[-1] += f" Known keys: {', '.join(cls.model_fields)}."
    return "\n".join(lines)


class PrivacyParams(Section):
    """What of a person may be kept, and how many people a shown association must rest on."""

    section = "privacy"
    mask: dict[Identifier, bool]  # direct identifiers replaced in free text, by kind; all kinds are listed
    user_attributes: tuple[str, ...]  # attributes that may stand in the table of users
    keep_identities: bool  # keep an encrypted map from pseudonym to the shop's own id
    min_users: int = Field(ge=1)  # distinct users below which an association is not shown

    @field_validator("mask")
    @classmethod
    def _all_kinds(cls, mask: dict[Identifier, bool]) -> dict[Identifier, bool]:
        if missing := set(get_args(Identifier)) - set(mask):
            raise ValueError(f"{', '.join(sorted(missing))} must be true or false")
        return mask

    @property
    def masked(self) -> tuple[Identifier, ...]:
        """The kinds that are masked."""
        return tuple(kind for kind, on in self.mask.items() if on)


class Rule(BaseModel):
    """A cleaning rule: its switch, and its bounds beside it."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    enabled: bool


class ImpossibleValue(Rule):
    """A row whose numbers or time nobody can mean."""

    max_price: float = Field(gt=0)  # of one piece, in the source's currency
    max_quantity: float = Field(gt=0)  # pieces in one row
    earliest: AwareDatetime  # times before it are a clock's zero


class PriceOutlier(Rule):
    """An event whose price is far from what the product usually costs."""

    max_factor: float = Field(gt=1)  # above or below the median of the product's events
    min_events: int = Field(ge=3)  # with a price, of the product, below which there is no usual price


class Bot(Rule):
    """A user too fast and too broad for a person; both bounds must be passed. Lines of one order are one action."""

    max_actions_per_hour: float = Field(gt=0)  # mean of the user's active hours
    max_products_per_day: float = Field(gt=0)  # different ones, mean of the user's active days


class DominantUser(Rule):
    """One user with more of the events than any person has."""

    max_share: float = Field(gt=0, le=1)  # of all events
    min_users: int = Field(ge=2)  # a shop with fewer may well have one large customer


class NearDuplicate(Rule):
    """An event that repeats the one before: same user, product, kind, order, quantity and price."""

    window_s: dict[str, PositiveFloat] = Field(min_length=1)  # between the two, by kind; others are left alone

    @field_validator("window_s")
    @classmethod
    def _of_known_kinds(cls, window_s: dict[str, float]) -> dict[str, float]:
        if unknown := set(window_s) - set(KINDS):
            raise ValueError(f"{', '.join(sorted(unknown))} is none of the kinds {', '.join(KINDS)}")
        return window_s


class Texts(Rule):
    """HTML, invisible characters, Unicode and white space of texts for people."""

    max_characters: int = Field(ge=1)  # what is longer is cut


class Language(Rule):
    """The language of reviews that do not name it."""

    min_han_share: float = Field(gt=0, le=1)  # of a text's letters, for it to be Chinese


class ProductChoice(Rule):
    """One text for each product that events tell several of; switched off, the choice is made but not recorded."""

    examples: int = Field(ge=0)  # products recorded of each column


class CleaningParams(Section):
    """Rules that look at more than one row, in the order in which they are asked, and what is repaired."""

    section = "cleaning"
    impossible_value: ImpossibleValue
    price_outlier: PriceOutlier
    bot: Bot
    dominant_user: DominantUser
    near_duplicate: NearDuplicate
    text: Texts
    language: Language
    category: Rule  # spellings of one category that differ in case, width or white space become one
    product_choice: ProductChoice


class IngestParams(NamedTuple):
    """The two sections that stage `ingest` obeys."""

    cleaning: CleaningParams
    privacy: PrivacyParams

    @classmethod
    def read(cls, path: Path = PARAMS) -> Self:
        """Both sections as they stand in the file.

        Raises:
            ParamsError: file or section missing, or a value that does not fit.
        """
        return cls(CleaningParams.read(path), PrivacyParams.read(path))


class ValidateParams(Section):
    """Bounds that a snapshot must keep, and how bad it is when it does not."""

    section = "validate"
    as_of: AwareDatetime | Literal["now"]  # events at or after it are from the future; `now`: when files last came in
    max_days_since_last_event: float = Field(gt=0)  # freshness, days
    max_refused_share: Share  # of all raw rows of a table
    volume_ratio: tuple[float, float]  # rows against the previous accepted snapshot
    max_unit_price: float = Field(gt=0)  # in the source's currency
    max_quantity: float = Field(gt=0)  # pieces in one row
    must_have_rows: tuple[Judged, ...]  # tables that the shop cannot do without
    max_unseen_purchases: Share  # of bought (user, product): never viewed or clicked before
    max_reviewers_without_purchase: Share  # of users with a review
    max_behaviour_psi: float = Field(gt=0)  # stability index against the previous accepted snapshot: kinds of events
    max_category_psi: float = Field(gt=0)  # the same of the widest categories of events
    max_price_ks: float = Field(gt=0, le=1)  # Kolmogorov–Smirnov distance against it: prices of events, of products
    max_activity_ks: float = Field(gt=0, le=1)  # the same of the number of events of a user
    docs_runs: int = Field(ge=1)  # judgements that Data Docs show, this one included
    severity: dict[str, Severity]  # by expectation name; a name not listed is blocking

    @field_validator("severity", mode="before")
    @classmethod
    def _off_is_a_word(cls, severity: Any) -> Any:
        """YAML 1.1 reads a bare `off` as false."""
        if not isinstance(severity, dict):
            return severity
        return {name: "off" if value is False else value for name, value in severity.items()}


class SplitParams(Section):
    """Where time is cut, in whole UTC days counted back from the day of the last event."""

    section = "split"
    validation_days: int = Field(gt=0)
    test_days: int = Field(gt=0)


class GraphParams(Section):
    """What makes an edge between two products, and how much each basket or session that speaks for it weighs."""

    section = "features.graph"
    after_days: float = Field(30.0, gt=0)  # between a basket with A and a later one with B, at most
    after_weight: float = Field(0.1, ge=0)  # of such a pair beside one in the same basket, where one number is wanted
    instead_days: float = Field(7.0, gt=0)  # from seeing A and B to buying B alone, at most
    half_life_days: float = Field(120.0, gt=0)  # a basket or session of that age weighs half
    size_exponent: float = Field(0.5, ge=0, le=1)  # one with n products weighs n ** -exponent
    sentiment_weight: float = Field(0.0, ge=0, lt=1)  # w: what its buyer reviewed weighs 1 + w · tone, tone in [-1, 1]
    false_discovery: float = Field(0.05, gt=0, lt=1)  # of the relations that are believed, those that are chance's
    need_cosine: float = Field(0.7, gt=0, le=1)  # of two texts that speak of the same need
    price_band: float = Field(1.5, gt=0)  # robust deviations between the price levels of substitutes, at most


class FeaturesParams(Section):
    """What counts as an event worth learning from, and how much."""

    section = "features"
    target_kinds: tuple[str, ...]  # what is recommended for, and what makes a basket
    kind_weight: dict[str, float]  # how much one event of a kind says, purchase = 1
    review_prior: NonNegativeFloat | Literal["fit"] = "fit"  # reviews that the mean tone weighs
    new_products: bool = False  # products of the sheet that nobody met yet take part, known by their features alone
    graph: GraphParams = GraphParams()


class EmbedParams(Section):
    """Product texts to vectors: an encoder's, beside character n-grams of the shop's own texts."""

    section = "embed"
    encoder: str | None  # a folder in Hugging Face layout or a model's id there; null: the packaged MiniLM
    ngrams_dim: int = Field(ge=2, le=1024)
    seed: int


class RelateParams(Section):
    """Which pairs of products are asked about, what relations are learned from, and which ones are kept."""

    section = "relate"
    evidence_share: float = Field(gt=0, lt=1)  # of the baskets, the earliest: what comes after says what was true
    folds: int = Field(ge=2)  # of products: in turn a fold is taught once more as if nobody had met it
    of_a_kind: int = Field(ge=1)  # partners asked about that edges of a kind join to a product, the most surprising
    nearest: int = Field(ge=0)  # partners asked about whose words are nearest
    linked: int = Field(ge=0)  # categories bought with the product's own that partners are looked for in
    sold: int = Field(ge=0)  # partners asked about of each such category, the most sold
    pairs: int = Field(ge=1)  # with a label that are learned from, at most
    min_pairs: int = Field(ge=1)  # with a label below which a relation is not learned, and counts alone speak
    members: int = Field(ge=1)  # networks, each by a seed of its own, whose mean is told
    test_share: float = Field(gt=0, lt=1)  # of the products: their pairs are not learned from but tested on
    keep: int = Field(ge=1)  # partners of a relation kept of each product
    min_probability: Share  # of a partner that is kept
    min_precedence: float = Field(ge=0)  # about standard errors; below it neither product comes first
    seed: int


class BundlesParams(Section):
    """Which sets of three to five products are asked about."""

    section = "bundles"
    min_count: int = Field(ge=2)  # baskets that must hold the whole set
    max_sets: int = Field(ge=1)  # of each size: of more, pairs included, only the most frequent, with a warning


class CountingParams(Section):
    """Rankers that count; units are days where a name says so.

    A tuple holds candidates: the best on validation is taken, the first where there is no validation.
    """

    section = "counting"
    half_life_days: float = Field(gt=0)  # of a user's own events
    asymmetry: tuple[float, ...] = Field(min_length=1)  # exponent of the antecedent's weight; the other has 1 - it
    shrinkage: float = Field(ge=0)  # baskets a pair must have before it is believed by half
    cosine_shrinkage: float = Field(ge=0)  # baskets added to the divisor of the plain cosine
    min_support: int = Field(ge=1)  # baskets that must hold a pair before its lift or NPMI counts
    neighbours: int = Field(ge=1)  # strongest weights kept of each product
    knn_neighbours: tuple[PositiveInt, ...] = Field(min_length=1)  # the same of itemknn, at most `neighbours`
    markov_window: int = Field(ge=1)  # steps
    ease_l2: tuple[PositiveFloat, ...] = Field(min_length=1)  # in mean diagonals of the matrix that is inverted
    basket_l2: tuple[PositiveFloat, ...] = Field(min_length=1)  # the same, of basket_ease
    ease_max_products: int = Field(ge=1)  # the most bought take part; memory grows with its square
    trend_days: int = Field(ge=1, le=60)
    trend_exponent: tuple[float, ...] = Field(min_length=1)
    recent_l2: tuple[PositiveFloat, ...] = Field(min_length=1)  # the same, of recent_ease
    recent_half_life_days: tuple[PositiveFloat, ...] = Field(min_length=1)  # of the purchases recent_ease foresees
    own_weight: tuple[float, ...] = Field(min_length=1)  # of a user's own purchases beside what goes with them


class NewcomerParams(Section):
    """Products that were new within the fit period, as cases."""

    section = "blend.newcomers"
    cuts: int = Field(ge=0)  # moments looked at; 0: none
    days: int = Field(ge=1)  # from one to the next: first days of a product
    min_count: int = Field(ge=1)  # baskets of these days that must hold a pair
    min_lift: float = Field(ge=0)  # of these days, so that popularity alone makes no pair
    min_cases: int = Field(ge=2)  # with fewer, weights are those of known products whose baskets are hidden
    max_cases: int = Field(ge=1)  # of each moment, evenly spread
    sold: int = Field(ge=1)  # products sold most lately that a case is decided between, beside the best of content


class BlendParams(Section):
    """How the weights of a blend are learned."""

    section = "blend"
    demand_days: tuple[int, ...]  # spans of the shop's demand, at most 60 days each
    candidates: int = Field(ge=20)  # best of each component that a case is decided between; `slices.PLACES` are judged
    max_cases: int = Field(ge=2)  # validation cases that weights are learned from
    folds: int = Field(ge=2)  # of the cross-validation
    choosing_cases: int = Field(ge=2)  # of them, at most so many take part in it
    l2: tuple[PositiveFloat, ...] = Field(min_length=1)  # penalties on squared weights, of which it chooses
    balance: tuple[Share, ...] = Field(min_length=1)  # 0: pairs count by gain, 1: slices weigh the same; it chooses
    slice_cases: int = Field(ge=2)  # with fewer a slice has no say in that choice, and with fewer in all no blend leads
    newcomers: NewcomerParams  # what the weights of products without baskets are learned from


class EvaluateParams(Section):
    """How candidates are compared."""

    section = "evaluate"
    cutoffs: tuple[Annotated[int, Field(ge=1, le=100)], ...] = Field(min_length=1)  # k of recall@k, ndcg@k, …
    bootstrap: int = Field(ge=100)  # resamples of users
    confidence: float = Field(gt=0.5, lt=1)
    related_min_count: int = Field(ge=1)  # later baskets that must hold a pair for it to be true
    seed: int


class PromoteParams(Section):
    """The rule that moves `champion`."""

    section = "promote"
    metric: str  # e.g. ndcg_at_10; its cutoff is one of evaluate.cutoffs
    min_cases: int = Field(ge=1)  # test cases below which no champion is moved and nothing learned wins
    confidence: float = Field(gt=0.5, lt=1)  # of the paired bootstrap interval that must exclude 0
