"""The rule that decides what is served: counting must be beaten, and so must the champion, on the same cases.

1. On validation the best learned ranker (a network, a blend) and the best counting one are chosen; test plays no part
   in it.
2. On test the learned one must beat every counting ranker, each interval of the paired differences above 0;
   otherwise the counting ranker is the winner.
3. On no slice of the test with enough cases it may be worse than the best counting ranker, the interval below 0;
   otherwise the counting ranker is the winner. Each of n slices has an interval of confidence 1 - (1 - c)/n
   (Bonferroni).
4. A blend that answers by the counting winner wherever a basket held the product asked about takes its place, for it
   knows more of other products: if on test the two differ on cases of such new products alone, and the blend is not
   worse there, the interval not wholly below 0 (docs/decisions/0016). With few such cases nothing is judged. What this
   rule refuses takes no part in the next.
5. The winner must beat the champion on the same cases in the same way. Where it does not, the champion's own recipe
   fitted on newer data replaces the champion, unless it is worse than the champion or, on the whole or on a slice,
   than the winner (docs/decisions/0005). Without a champion, or with one that this version of Tandem cannot read, the
   winner is promoted; with equal content there is nothing to do.
6. With fewer than `min_cases` nothing is beaten: the counting ranker is the winner, and of a champion only the recipe
   on newer data takes the place.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from tandem.evaluation.significance import Interval, difference
from tandem.evaluation.slices import OF_NEW

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
    anchor: str = ""  # recipe of the counting ranker by which it answers wherever baskets held what is asked about


@dataclass(frozen=True)
class Champion:
    """What is served now, measured on the same test cases."""

    name: str
    content_hash: str
    recipe: str
    test: NDArray[np.float64]
    saw_test: bool = False  # fitted on events of the test window: it has an advantage
    anchor: str = ""  # as of a candidate


@dataclass(frozen=True)
class Unreadable:
    """What is served now, made by a version of Tandem whose releases this one cannot read: it is not measured."""

    name: str
    content_hash: str


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
    """The winner or the champion's recipe that goes before it, whether it becomes champion, and why in sentences.

    `champion` is the one that was known of, measured or not.
    """

    winner: str
    content_hash: str
    kind: Kind
    promote: bool
    champion: dict[str, str] | None
    reasons: tuple[str, ...]
    comparisons: tuple[Comparison, ...]


def decide(candidates: Sequence[Candidate], champion: Champion | Unreadable | None, rule: Rule) -> Decision:
    """Apply the rule of this module.

    Raises:
        ValueError: no counting ranker among the candidates, or cases that differ.
    """
    best, reasons, found = _best_of_test(candidates, rule)
    winner, place, of_new = _with_new_products(best, candidates, rule)
    admitted = [c for c in candidates if c is winner or c.anchor != best.recipe]
    chosen, promote, more, against = _against_champion(winner, admitted, champion, rule)
    return Decision(
        chosen.name,
        chosen.content_hash,
        chosen.kind,
        promote,
        {"name": champion.name, "content_hash": champion.content_hash} if champion else None,
        (*reasons, *place, *more),
        tuple(dict.fromkeys((*found, *of_new, *against))),  # two rules may ask the same: each once
    )


def _best_of_test(candidates: Sequence[Candidate], rule: Rule) -> tuple[Candidate, list[str], list[Comparison]]:
    rivals = [c for c in candidates if c.kind == "counting"]
    counting, learned = _best(rivals, candidates), _best([c for c in candidates if c.kind == "learned"], candidates)
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


def _by_slice(ours: Candidate, theirs: Candidate, rule: Rule) -> list[Comparison]:
    """Where there are enough cases."""
    names = [name for name, test in ours.slices.items() if len(test) >= rule.min_cases]
    surer = replace(rule, confidence=1 - (1 - rule.confidence) / max(len(names), 1))
    return [
        _compare(
            replace(ours, test=ours.slices[name]),
            replace(theirs, test=theirs.slices[name]),
            replace(surer, metric=f"{rule.metric} {name}"),
        )
        for name in names
    ]


def _with_new_products(
    winner: Candidate, candidates: Sequence[Candidate], rule: Rule
) -> tuple[Candidate, list[str], list[Comparison]]:
    """What answers by the winner where baskets held the product asked about, unless it is worse where none did."""
    heir = next((c for c in candidates if c.anchor == winner.recipe), None)
    if heir is None:
        return winner, [], []
    ours, theirs = (of.slices.get(OF_NEW, np.zeros(0)) for of in (heir, winner))
    same = f"{heir.name} answers by {winner.name} wherever a basket held the product asked about"
    if known := np.count_nonzero(heir.test != winner.test) - np.count_nonzero(ours != theirs):
        return winner, [f"{same}, but differs from it on {known} such test cases: {winner.name} stays the winner."], []
    if len(ours) < rule.min_cases:
        few = f"only {len(ours)} test cases ask about others, fewer than `promote.min_cases` = {rule.min_cases}"
        return heir, [f"{same}; {few}: too few to tell how well. It takes the place of {winner.name}."], []
    named = replace(rule, metric=f"{rule.metric} {OF_NEW}")
    found = _compare(replace(heir, test=ours), replace(winner, test=theirs), named)
    if found.worse:
        return winner, [f"{same}, but is worse on others: {_figures(found)}. {winner.name} stays the winner."], [found]
    reason = f"{same}, and is not worse on others: {_figures(found)}. It takes the place of {winner.name}."
    return heir, [reason], [found]


def _against_champion(
    winner: Candidate, candidates: Sequence[Candidate], champion: Champion | Unreadable | None, rule: Rule
) -> tuple[Candidate, bool, list[str], list[Comparison]]:
    few = f"{_few(winner, rule)} " if len(winner.test) < rule.min_cases else ""
    if not isinstance(champion, Champion):
        alone = " Validation alone speaks for it." if few else ""
        return winner, True, [f"{few}{_absent(champion)}: {winner.name} is promoted.{alone}"], []
    if champion.content_hash == winner.content_hash:
        return winner, False, [f"The champion is this very release of {winner.name}: nothing to do."], []
    found = _compare(winner, champion, rule, f"champion {champion.name}")
    reasons = [_sentence(found)]
    if champion.saw_test:
        reasons.append("The champion was fitted on events of the test window: it has an advantage here.")
    if found.better and not few:
        return winner, True, [*reasons, f"{winner.name} is promoted."], [found]
    if few:
        reasons.append(f"{few}No other recipe replaces a champion.")
    chosen, promote, verdict, more = _refit(winner, candidates, champion, rule)
    return chosen, promote, [*reasons, *verdict], [found, *more]


def _refit(
    winner: Candidate, candidates: Sequence[Candidate], champion: Champion, rule: Rule
) -> tuple[Candidate, bool, list[str], list[Comparison]]:
    """The champion's recipe on newer data, where it is worse neither than the champion nor than the winner.

    What only counts goes last, for it knows less of new products.
    """
    refits = [c for c in candidates if _is_refit(c, champion)]
    reasons = [] if refits else ["Nothing that may follow the champion has its recipe."]
    held: list[Comparison] = []
    for refit in sorted(refits, key=lambda c: c.kind == "counting"):
        if refit.content_hash == champion.content_hash:
            return refit, False, [*reasons, f"The champion is {refit.name} on the newest data: it stays."], held
        against = _against_both(refit, winner, champion, rule)
        held += against
        worse = [found for found in against if found.worse]
        same = f"{refit.name} is the champion's recipe on newer data"
        if not worse:
            return refit, True, [*reasons, f"{same} and not worse: it is promoted."], held
        worst = min(worse, key=_lead)
        reasons.append(f"{same}, but worse than {worst.against}: {_figures(worst)}.")
    return winner, False, [*reasons, "The champion stays."], held


def _is_refit(candidate: Candidate, champion: Champion) -> bool:
    """Whether it answers as the champion does, on newer data: what orders products with baskets has one recipe.

    A champion by its weights may fall back on an anchor. Nothing else goes from one to the other, or small steps that
    prove nothing would lead from any ranker that counts to any other.
    """
    fell_back = candidate.recipe == champion.recipe and not champion.anchor
    return fell_back or (candidate.anchor or candidate.recipe) == (champion.anchor or champion.recipe)


def _absent(champion: Unreadable | None) -> str:
    if champion is None:
        return "There is no champion to compare with"
    return f"The champion {champion.name} was made by another version of Tandem and cannot be compared"


def _against_both(refit: Candidate, winner: Candidate, champion: Champion, rule: Rule) -> list[Comparison]:
    """The champion, and the winner, if that is another, on the whole and by slice."""
    with_champion = _compare(refit, champion, rule, f"champion {champion.name}")
    if refit is winner:
        return [with_champion]
    return [with_champion, _compare(refit, winner, rule), *_by_slice(refit, winner, rule)]


def _best(kind: Sequence[Candidate], candidates: Sequence[Candidate]) -> Candidate | None:
    """Highest on validation; of equals what another candidate answers by, then in order of name."""
    anchors = {c.anchor for c in candidates}
    return min(kind, key=lambda c: (-c.validation, c.recipe not in anchors, c.name), default=None)


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
