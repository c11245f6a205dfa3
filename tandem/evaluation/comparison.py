"""The rule that decides what is served: counting must be beaten, and so must the champion, on the same cases.

1. On validation the best learned ranker (a network, a blend) and the best counting one are chosen; test plays no part
   in it.
2. On test the learned one must beat every counting ranker, each interval of the paired differences above 0;
   otherwise the counting ranker is the winner.
3. On no slice of the test with enough cases it may be worse than the best counting ranker, the interval below 0;
   otherwise the counting ranker is the winner. Each of n slices has an interval of confidence 1 - (1 - c)/n
   (Bonferroni).
4. The winner must beat the champion on the same cases in the same way, unless it is the champion's own recipe
   fitted on newer data: that replaces it where it is not worse, the interval not wholly below 0
   (docs/decisions/0005). Without a champion the winner is promoted; with equal content there is nothing to do.
5. With fewer than `min_cases` nothing is beaten: the counting ranker is the winner, and a champion stays.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from tandem.evaluation.significance import Interval, difference

Kind = Literal["learned", "counting"]


@dataclass(frozen=True)
class Candidate:
    """A release with its results in the metric that decides."""

    name: str
    kind: Kind
    content_hash: str
    recipe: str  # equal for releases of one kind with the same params, whatever data they learned from
    validation: float  # mean over validation cases
    test: NDArray[np.float64]  # (cases,) protocol B, the same cases in the same order for all
    slices: Mapping[str, NDArray[np.float64]] = field(default_factory=dict)  # the same of each slice


@dataclass(frozen=True)
class Champion:
    """What is served now, measured on the same test cases."""

    name: str
    content_hash: str
    recipe: str
    test: NDArray[np.float64]
    saw_test: bool = False  # fitted on events of the test window: it has an advantage


@dataclass(frozen=True)
class Rule:
    """The metric that decides, how many cases it needs and how sure its difference must be."""

    metric: str
    min_cases: int
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

    @property
    def worse(self) -> bool:
        """Whether the whole interval lies below 0."""
        return self.difference.high < 0


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
    rivals = [c for c in candidates if c.kind == "counting"]
    counting, learned = _best(rivals), _best([c for c in candidates if c.kind == "learned"])
    if counting is None:
        raise ValueError("no counting ranker among the candidates: a learned one may not win unopposed")
    reasons = [_chosen(counting, rule)]
    if learned is None:
        return counting, [*reasons, f"No learned ranker took part, so {counting.name} is the winner."], []
    found = [_compare(learned, rival, rule) for rival in rivals]
    reasons.append(_chosen(learned, rule))
    if len(learned.test) < rule.min_cases:
        return counting, [*reasons, f"{_few(learned, rule)} Counting cannot be beaten: {counting.name} wins."], found
    if lost := [one for one in found if not one.better]:
        reasons.append(_sentence(min(lost, key=_lead)))
        return counting, [*reasons, f"{counting.name} is the winner: counting was not beaten."], found
    by_slice = _by_slice(learned, counting, rule)
    nearest = min(found, key=_lead)
    reasons.append(
        f"On test, {learned.name} beats every counting ranker; {nearest.against} comes nearest: {_figures(nearest)}."
    )
    if worse := [one for one in by_slice if one.worse]:
        reasons.append(f"But on a slice it is worse than {counting.name}: {_figures(min(worse, key=_lead))}.")
        return counting, [*reasons, f"{counting.name} is the winner."], [*found, *by_slice]
    nowhere = f", and on none of {len(by_slice)} slices it is worse than {counting.name}" if by_slice else ""
    return learned, [*reasons, f"{learned.name} is the winner{nowhere}."], [*found, *by_slice]


def _by_slice(learned: Candidate, counting: Candidate, rule: Rule) -> list[Comparison]:
    """Where there are enough cases."""
    names = [name for name, test in learned.slices.items() if len(test) >= rule.min_cases]
    surer = replace(rule, confidence=1 - (1 - rule.confidence) / max(len(names), 1))
    return [
        _compare(
            replace(learned, test=learned.slices[name]),
            replace(counting, test=counting.slices[name]),
            replace(surer, metric=f"{rule.metric} {name}"),
        )
        for name in names
    ]


def _against_champion(
    winner: Candidate, champion: Champion | None, rule: Rule
) -> tuple[bool, list[str], list[Comparison]]:
    few = len(winner.test) < rule.min_cases
    if champion is None:
        first = f"There is no champion yet: {winner.name} is promoted."
        return True, [f"{_few(winner, rule)} {first} It is best on validation." if few else first], []
    if champion.content_hash == winner.content_hash:
        return False, [f"The champion is this very release of {winner.name}: nothing to do."], []
    found = _compare(winner, champion, rule, f"champion {champion.name}")
    reasons = [_sentence(found)]
    if champion.saw_test:
        reasons.append("The champion was fitted on events of the test window: it has an advantage here.")
    promote, verdict = _verdict(winner, champion, found, rule)
    return promote, [*reasons, verdict], [found]


def _verdict(winner: Candidate, champion: Champion, found: Comparison, rule: Rule) -> tuple[bool, str]:
    if len(winner.test) < rule.min_cases:
        return False, f"{_few(winner, rule)} {winner.name} is not promoted: the champion stays."
    if winner.recipe == champion.recipe and not found.worse:
        return True, f"{winner.name} is the champion's recipe on newer data and not worse: it is promoted."
    if found.better:
        return True, f"{winner.name} is promoted."
    return False, f"{winner.name} is not promoted: the champion stays."


def _best(candidates: Sequence[Candidate]) -> Candidate | None:
    """Highest on validation; equals in order of name."""
    return min(candidates, key=lambda c: (-c.validation, c.name), default=None)


def _compare(candidate: Candidate, against: Candidate | Champion, rule: Rule, name: str | None = None) -> Comparison:
    found = difference(
        candidate.test, against.test, resamples=rule.resamples, confidence=rule.confidence, seed=rule.seed
    )
    return Comparison(candidate.name, name or against.name, rule.metric, found)


def _chosen(candidate: Candidate, rule: Rule) -> str:
    best = f"{rule.metric} {candidate.validation:.4f}"
    return f"Of the {candidate.kind} rankers, {candidate.name} is best on validation: {best}."


def _few(candidate: Candidate, rule: Rule) -> str:
    return f"Only {len(candidate.test)} test cases, fewer than `promote.min_cases` = {rule.min_cases}."


def _lead(found: Comparison) -> tuple[float, str]:
    """Mean difference, then name: the smallest is held against the strongest rival."""
    return found.difference.mean, found.against


def _sentence(found: Comparison) -> str:
    verb = "beats" if found.better else "does not beat"
    return f"On test, {found.candidate} {verb} {found.against}: {_figures(found)}."


def _figures(found: Comparison) -> str:
    d = found.difference
    return f"difference in {found.metric} {d.mean:+.4f}, interval [{d.low:+.4f}, {d.high:+.4f}]"
