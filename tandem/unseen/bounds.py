"""Whether a sample keeps the bounds that the snapshot will be judged by: share of refused rows, times to come."""

import logging
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from tandem.params import ValidateParams

log = logging.getLogger(__name__)


def refused(accounts: Sequence[dict[str, Any]], limits: ValidateParams) -> list[str]:
    """A sentence for each table of which more rows are refused than `max_refused_share` allows."""
    if limits.severity.get("refused_share", "blocking") != "blocking":
        return []
    told = []
    for table in dict.fromkeys(account["table"] for account in accounts):
        mine = [account for account in accounts if account["table"] == table]
        rows, out = (sum(account[key] for account in mine) for key in ("rows", "refused"))
        if out > limits.max_refused_share * rows:
            told.append(
                f"refused_share of {table}: {out / rows:.0%} > {limits.max_refused_share:.0%} "
                "(`validate.max_refused_share`): the snapshot would be refused"
            )
    return told


def warn_of_future(span: list[str] | None, limits: ValidateParams) -> None:
    """Warn where the last event is at or after `as_of`, for which a snapshot is refused."""
    if span is None or limits.as_of == "now" or limits.severity.get("future_events") == "off":
        return
    if datetime.fromisoformat(span[1]) >= limits.as_of:
        log.warning(
            "events reach to %s, `validate.as_of` is %s: the snapshot is refused for events of the future; "
            "set it under `params` of the source, or `now`",
            *(span[1], limits.as_of.isoformat()),
        )
