"""The rule that decides what is served: counting must be beaten, and so must the champion, on the same cases.

1. On validation the best network and the best counting ranker are chosen; test plays no part in it.
2. On test the network must beat the counting ranker, the interval of the paired difference above 0;
   otherwise the counting ranker is the winner.
3. The winner must beat the champion on the same cases in the same way. Without a champion it is promoted;
   with equal content there is nothing to do.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from tandem.evaluation.significance import Interval, difference

Kind = Literal["network", "counting"]


@dataclass(frozen=True)
class Candidate:
    """A release with its results in the metric that decides."""

    name: str
    kind: Kind
    content_hash: str
    validation: float  # mean over validation cases
    test: NDArray[np.float64]  # (cases,) protocol B, the same cases in the same order for all


@dataclass(frozen=True)
class Champion:
    """What is served now, measured on the same test cases."""

    name: str
    content_hash: str
    test: NDArray[np.float64]
    saw_test: bool = False  # fitted on events of the test window: it has an advantage


@dataclass(frozen=True)
class Rule:
    """The metric that decides and how sure its difference must be."""

    metric: str
    confidence: float
    resamples: int
    seed: int


@dataclass(frozen=True)
class Comparison:
    """A paired difference on test: candidate minus the one it is held against."""

    candidate: str
    against: str
    metric: str
    difference: Interval

    @property
    def better(self) -> bool:
        """Whether the whole interval lies above 0."""
        return self.difference.low > 0


@dataclass(frozen=True)
class Decision:
    """The winner, whether it becomes champion, and why in sentences."""

    winner: str
    content_hash: str
    kind: Kind
    promote: bool
    champion: dict[str, str] | None
    reasons: tuple[str, ...]
    comparisons: tuple[Comparison, ...]


def decide(candidates: Sequence[Candidate], champion: Champion | None, rule: Rule) -> Decision:
    """Apply the rule of this module.

    Raises:
        ValueError: no counting ranker among the candidates, or cases that differ.
    """
    winner, reasons, comparisons = _winner(candidates, rule)
    promote, more, against = _against_champion(winner, champion, rule)
    return Decision(
        winner.name,
        winner.content_hash,
        winner.kind,
        promote,
        {"name": champion.name, "content_hash": champion.content_hash} if champion else None,
        (*reasons, *more),
        (*comparisons, *against),
    )


def _winner(candidates: Sequence[Candidate], rule: Rule) -> tuple[Candidate, list[str], list[Comparison]]:
    counting = _best([c for c in candidates if c.kind == "counting"])
    network = _best([c for c in candidates if c.kind == "network"])
    if counting is None:
        raise ValueError("no counting ranker among the candidates: a network may not win unopposed")
    reasons = [_chosen(counting, rule)]
    if network is None:
        return counting, [*reasons, f"No network took part, so {counting.name} is the winner."], []
    found = _compare(network, counting, rule)
    reasons += [_chosen(network, rule), _sentence(found)]
    winner = network if found.better else counting
    reasons.append(f"{winner.name} is the winner" + ("." if found.better else ": counting was not beaten."))
    return winner, reasons, [found]


def _against_champion(
    winner: Candidate, champion: Champion | None, rule: Rule
) -> tuple[bool, list[str], list[Comparison]]:
    if champion is None:
        return True, [f"There is no champion yet: {winner.name} is promoted."], []
    if champion.content_hash == winner.content_hash:
        return False, [f"The champion is this very release of {winner.name}: nothing to do."], []
    found = _compare(winner, champion, rule, f"champion {champion.name}")
    reasons = [_sentence(found)]
    if champion.saw_test:
        reasons.append("The champion was fitted on events of the test window: it has an advantage here.")
    verdict = "is promoted" if found.better else "is not promoted: the champion stays"
    return found.better, [*reasons, f"{winner.name} {verdict}."], [found]


def _best(candidates: Sequence[Candidate]) -> Candidate | None:
    """Highest on validation; equals in order of name."""
    return min(candidates, key=lambda c: (-c.validation, c.name), default=None)


def _compare(candidate: Candidate, against: Candidate | Champion, rule: Rule, name: str | None = None) -> Comparison:
    found = difference(
        candidate.test, against.test, resamples=rule.resamples, confidence=rule.confidence, seed=rule.seed
    )
    return Comparison(candidate.name, name or against.name, rule.metric, found)


def _chosen(candidate: Candidate, rule: Rule) -> str:
    kind = "counting rankers" if candidate.kind == "counting" else "networks"
    return f"Of the {kind}, {candidate.name} is best on validation: {rule.metric} {candidate.validation:.4f}."


def _sentence(found: Comparison) -> str:
    d = found.difference
    verb = "beats" if found.better else "does not beat"
    return (
        f"On test, {found.candidate} {verb} {found.against}: difference in {found.metric} {d.mean:+.4f}, "
        f"interval [{d.low:+.4f}, {d.high:+.4f}]."
    )
