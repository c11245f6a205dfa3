"""What may be asked and what is answered: the types of the API, read and checked by pydantic."""

import re
from datetime import UTC, datetime
from typing import Annotated, Literal, Self

from pydantic import (
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic_core import PydanticCustomError

MAX_K = 100
MAX_EVENTS = 1000
MAX_EXCLUDED = 1000

Text = Annotated[str, StringConstraints(min_length=1, max_length=200)]
Kind = Literal["view", "click", "cart", "favourite", "purchase", "return"]  # schema.KINDS
K = Annotated[int, Field(ge=1, le=MAX_K, description="number of products wanted")]
Price = Annotated[float, Field(ge=0, description="in the catalogue's currency")]


def _written_out(time: object) -> object:
    """Refuse numbers, which pydantic would read as seconds since 1970."""
    if isinstance(time, datetime) or (isinstance(time, str) and re.match(r"\d{4}-", time)):
        return time
    raise PydanticCustomError("time_format", "Input should be written like 2026-01-31T12:00:00+01:00")


Time = Annotated[
    AwareDatetime,
    Field(strict=False, ge=datetime(1970, 1, 1, tzinfo=UTC), description="with its zone"),
    BeforeValidator(_written_out),
]


class Question(BaseModel):
    """Base of all that comes in: unknown fields, converted types and NaN are refused; values never reach an error."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False, hide_input_in_errors=True)


class Event(Question):
    """Something the user did just now."""

    product_id: Text
    kind: Kind
    time: Time


class Filters(Question):
    """What an answer may hold; a product without a price passes no price filter."""

    category: Annotated[
        list[Text], Field(max_length=20, description="path from the widest category; all below it pass")
    ] = []
    brand: Text | None = None
    price_min: Price | None = None
    price_max: Price | None = None
    exclude: Annotated[list[Text], Field(max_length=MAX_EXCLUDED, description="product ids")] = []

    @field_validator("price_max")
    @classmethod
    def _above_price_min(cls, price_max: float | None, known: ValidationInfo) -> float | None:
        price_min = known.data.get("price_min")
        if price_max is not None and price_min is not None and price_max < price_min:
            raise PydanticCustomError("price_range", "Input should be at least price_min")
        return price_max


class UserFilters(Filters):
    """Filters that need a user."""

    exclude_bought: Annotated[bool, Field(description="leave out what the user has bought")] = False


class Recommend(Question):
    """What does this user want next? Known by id, by recent events, or both: history and then the newest events."""

    user_id: Annotated[Text, Field(description="the shop's own id; it is neither kept nor logged")] | None = None
    events: Annotated[list[Event], Field(min_length=1, max_length=MAX_EVENTS)] | None = None
    k: K = 10
    filters: UserFilters = UserFilters()

    @model_validator(mode="after")
    def _somebody_is_asked_for(self) -> Self:
        if self.user_id is None and self.events is None:
            raise PydanticCustomError("nobody", "Give user_id, events, or both")
        return self


class Related(Question):
    """What goes with this product?"""

    product_id: Text
    k: K = 10
    filters: Filters = Filters()


class Product(BaseModel):
    """How the catalogue describes a product of an answer."""

    product_id: str
    title: str | None
    price: float | None
    currency: str | None


class Item(Product):
    """One product of an answer."""

    score: Annotated[float, Field(description="higher is better; comparable within one source of one answer")]
    source: Annotated[str, Field(description="the ranker, or popular_7d, popular_60d")]
    reason: Annotated[str, Field(description="a sentence for the customer")]


Count = Annotated[
    int | None, Field(description="null where it is 0, or fewer than privacy.min_users known users stand behind it")
]


class Counts(BaseModel):
    """What was counted of the product asked about and this one, before the release was learned."""

    together: Annotated[Count, Field(description="baskets with both")]
    after: Annotated[Count, Field(description="baskets with this one, some days after one with the other")]
    before: Annotated[Count, Field(description="the same the other way round")]
    viewed: Annotated[Count, Field(description="sessions that looked at both")]
    instead: Annotated[Count, Field(description="such sessions after which this one was bought and the other was not")]
    instead_of: Annotated[Count, Field(description="the same the other way round")]


class Partner(Product):
    """A product with its relation to the one asked about."""

    probability: Annotated[
        float | None,
        Field(ge=0, le=1, description="of the relation, as later behaviour bears it out; null: not learned"),
    ]
    direction: Annotated[
        Literal["after", "before", "either"],
        Field(description="whether this one is bought after the one asked about, before it, or either way"),
    ]
    source: Annotated[
        Literal["relations", "counts"],
        Field(description="relations: learned; counts: beyond chance, nothing was learned"),
    ]
    reason: Annotated[str, Field(description="a sentence for the customer")]
    evidence: Counts


class Bundle(BaseModel):
    """Products that are bought together with the one asked about, all of them in one basket."""

    products: Annotated[list[Product], Field(min_length=2, max_length=4, description="the other products")]
    baskets: Annotated[int, Field(description="with all of them, before the release was learned")]
    expected: Annotated[float, Field(description="such baskets, were the set no more than its likeliest two parts")]
    lift: Annotated[float, Field(description="strength: baskets / expected")]
    probability: Annotated[
        float, Field(ge=0, le=1, description="of the baskets with the product asked about, those that hold the rest")
    ]
    reason: Annotated[str, Field(description="a sentence with the counts")]


class Answer(BaseModel):
    """The best products first, and where they come from."""

    items: list[Item]
    asked: Annotated[int, Field(description="k of the question; there may be fewer items")]
    source: Annotated[str, Field(description="source of the first item; the ranker's where there is none")]
    reason: Annotated[str, Field(description="a sentence for the caller")]
    model: Annotated[str, Field(description="name of the ranker that serves")]
    model_version: Annotated[str, Field(description="content hash of its release")]
    data_hash: Annotated[str, Field(description="hash of the snapshot it was made from")]
    response_id: Annotated[str, Field(description="to join this answer with what came of it")]


class RelatedAnswer(Answer):
    """What goes with a product in general, and its complements, substitutes and bundles apart."""

    complements: Annotated[list[Partner], Field(description="what completes it, at most k, the most probable first")]
    substitutes: Annotated[
        list[Partner], Field(description="what may stand in for it, at most k, the most probable first")
    ]
    bundles: Annotated[
        list[Bundle], Field(description="sets of three to five products that hold it, at most 5, the strongest first")
    ]


class Problem(BaseModel):
    """What is wrong with one field of a question."""

    field: Annotated[str, Field(description="path of the field, e.g. events.0.time; body for the whole")]
    message: str


class Refusal(BaseModel):
    """Why there is no answer."""

    error: str
    problems: list[Problem] = []
