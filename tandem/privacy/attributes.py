"""Which attributes of users may get in: those that `privacy.user_attributes` lists, and better none that identifies."""

import logging
import re
from collections.abc import Collection, Iterable

from tandem.errors import SourceError

log = logging.getLogger(__name__)

IDENTIFYING = re.compile(
    r"(^|_)((first|last|full|sur|user|nick)?_?name|e?_?mail|phone|tel|mobile|address|street|zip|zip_?code|post_?code|"
    r"birth.*|dob|ssn|iban|passport|tax_?id|ip|latitude|longitude|lat|lon)(_|$)"
    r"|姓名|邮箱|电话|手机|地址|邮编|生日|身份证",
    re.IGNORECASE,
)
"""Names of attributes that tell who somebody is, alone or with another."""


def allowed(attributes: Iterable[str], listed: Collection[str]) -> None:
    """Hold a source's attributes of users against `privacy.user_attributes`; an identifying one on it is a WARNING.

    Raises:
        SourceError: an attribute is not on the list.
    """
    for name in attributes:
        telling = IDENTIFYING.search(name) is not None
        if name not in listed:
            advice = (
                "it tells who somebody is, and slices need none of it: leave it out of the source, or derive a coarse "
                "band in the export (age_band, region)"
                if telling
                else "add it to the list (a source recommends its own under `params.privacy`), or leave it out"
            )
            known = ", ".join(listed) or "nothing"
            raise SourceError(f"users: attribute {name!r} is not in `privacy.user_attributes` ({known}); {advice}")
        if telling:
            log.warning("users: attribute %s is on `privacy.user_attributes` though it may tell who somebody is", name)
