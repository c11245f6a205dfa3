"""Measure every ranker and the champion on the same cases, and decide what is served.

Reads   data/trials/**, data/releases/**      tandem.release, of all rankers
        data/champion/{recommend,related}/    tandem.release, absent where there is none
        data/splits/, data/features/          tandem.evaluation.cases
Writes  reports/evaluation.json               everything, with the decision of each task
        reports/metrics/<task>/<ranker>.json  means of protocol B, for `dvc metrics`
        reports/plots/recall_<task>.csv       recall by k of protocol B, for `dvc plots`
Params  evaluate                              tandem.params.EvaluateParams
        promote                               tandem.params.PromoteParams
"""

import json
import logging
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from models.rankers import RANKERS
from stages import run
from tandem import files, release
from tandem.data import schema
from tandem.data.splits import Cuts
from tandem.errors import EvaluationError, ParamsError
from tandem.evaluation import cases, report
from tandem.evaluation.cases import VIEWS, Cases
from tandem.evaluation.comparison import Candidate, Champion, Decision, Rule, Unreadable, decide
from tandem.evaluation.metrics import DEPTH, Ideal, Measured, judge, metrics_at, rank
from tandem.evaluation.slices import parts
from tandem.features.dataset import Dataset
from tandem.features.vocabulary import Vocabulary
from tandem.params import EvaluateParams, PromoteParams
from tandem.ranking.counting import COUNTING
from tandem.release import Release

log = logging.getLogger(__name__)

CURVE_PLACES = 50
WINDOWS = {"validation": ("trial", "validation"), "A": ("trial", "test"), "B": ("final", "test")}
"""Protocol: the dataset that is known, and the part of the splits that is asked about."""


def main(trials: Path, releases: Path, champions: Path, splits: Path, features: Path, reports: Path) -> None:
    """Write report, metrics and curves; say what was decided (`tandem report` prints the tables)."""
    params, promote = EvaluateParams.read(), PromoteParams.read()
    check(params, promote)
    test_begins = Cuts.read(splits / "cuts.json").test
    for folder in ("metrics", "plots"):
        shutil.rmtree(reports / folder, ignore_errors=True)
    whole: dict[str, Any] = {"tasks": {}}
    for task in VIEWS:
        exams = sit(task, trials, releases, splits, features, params)
        shipped = {found.name: found.manifest | {"folder": found.folder.as_posix()} for found in ready(releases, task)}
        champion = _champion(champions / task, exams["B"], promote.metric, params, test_begins)
        decision = _decide(exams, shipped, champion, promote, params)
        whole |= {key: next(iter(shipped.values()))[key] for key in ("source", "data_hash")}
        whole["tasks"][task] = _section(exams, shipped, decision, params)
        _write_for_dvc(task, whole["tasks"][task]["protocols"]["B"][VIEWS[task][0]], exams["B"], reports)
        for reason in decision.reasons:
            log.info("%s: %s", task, reason)
    files.write_json(whole, reports / "evaluation.json")


def check(params: EvaluateParams, promote: PromoteParams) -> None:
    """Refuse a deciding metric that will not be measured, before anything is.

    Raises:
        ParamsError: `promote.metric` is no metric, or its cutoff is not one of `evaluate.cutoffs`.
    """
    known = metrics_at(params.cutoffs)
    if promote.metric not in known:
        raise ParamsError(
            f"params.yaml: `promote.metric` = {promote.metric!r}: not measured at `evaluate.cutoffs` = "
            f"{list(params.cutoffs)}. Known: {', '.join(known)}."
        )


@dataclass
class Question:
    """One view, or one slice of it: its cases, what is perfect, and what each ranker reached."""

    cases: Cases
    ideal: Ideal
    slices: dict[str, tuple[NDArray[np.int64], "Question"]]  # which of the cases, and what is asked of them
    measured: dict[str, Measured] = field(default_factory=dict)

    @classmethod
    def of(cls, asked: Cases, sliced: Mapping[str, tuple[NDArray[np.int64], Cases]] | None = None) -> "Question":
        """With its slices, if any."""
        slices = {name: (rows, cls.of(part)) for name, (rows, part) in (sliced or {}).items()}
        return cls(asked, Ideal.of(asked), slices)

    def enter(self, name: str, ranked: NDArray[np.integer], cutoffs: tuple[int, ...]) -> None:
        """Note what a ranking of the cases is worth, as a whole and by slice."""
        self.measured[name] = judge(ranked, self.cases.truth, self.ideal, cutoffs)
        for rows, part in self.slices.values():
            part.enter(name, ranked[rows], cutoffs)


@dataclass
class Exam:
    """One protocol of a task: a question by view, in the vocabulary that defines the truth."""

    vocabulary: Vocabulary
    questions: dict[str, Question]

    @classmethod
    def set(cls, task: str, known: Dataset, later: pd.DataFrame, min_count: int, *, sliced: bool) -> "Exam":
        """The questions that `later` answers.

        Raises:
            EvaluationError: no case in the view that decides.
        """
        by_view = cases.views(task, known, later, min_count=min_count)
        if not len(by_view[VIEWS[task][0]]):
            raise EvaluationError(f"{task}: nothing to measure in the window of {len(later)} events; {HINT[task]}")
        sold = np.asarray(known.baskets.content.sum(axis=0)).ravel()
        return cls(
            known.vocabulary,
            {view: Question.of(of, parts(of, sold) if sliced else None) for view, of in by_view.items()},
        )

    def ask(self, candidate: Release) -> dict[str, NDArray[np.integer]]:
        """By view with cases, the candidate's ranking in the exam's vocabulary; 0 for products that it lacks."""
        number = np.append(0, self.vocabulary.encode(candidate.vocabulary.ids))
        return {
            view: number[rank(candidate.ranker, q.cases.recode(self.vocabulary, candidate.vocabulary), DEPTH)]
            for view, q in self.questions.items()
            if len(q.cases)
        }

    def enter(self, candidate: Release, cutoffs: tuple[int, ...]) -> None:
        """Ask, and note the results under the candidate's name."""
        for view, ranked in self.ask(candidate).items():
            self.questions[view].enter(candidate.name, ranked, cutoffs)

    @property
    def deciding(self) -> Question:
        """The first view."""
        return next(iter(self.questions.values()))


HINT = {
    "recommend": "widen split.validation_days or split.test_days",
    "related": "lower evaluate.related_min_count, or widen split.validation_days or split.test_days",
}


def sit(
    task: str, trials: Path, releases: Path, splits: Path, features: Path, params: EvaluateParams
) -> dict[str, Exam]:
    """All exams of a task by protocol, sat by every trial and release that can do the task."""
    known = {window: Dataset.read(features / window) for window in ("trial", "final")}
    later = {part: files.read(splits / f"{part}.parquet", schema.EVENTS) for part in ("validation", "test")}
    exams = {
        protocol: Exam.set(
            task, known[window], later[part], params.related_min_count, sliced=(task, protocol) == ("related", "B")
        )
        for protocol, (window, part) in WINDOWS.items()
    }
    for trial in ready(trials, task):
        exams["validation"].enter(trial, params.cutoffs)
        exams["A"].enter(trial, params.cutoffs)
    for shipped in ready(releases, task):
        exams["B"].enter(shipped, params.cutoffs)
    log.info("%s: measured %s", task, ", ".join(exams["B"].deciding.measured))
    if set(exams["A"].deciding.measured) != set(exams["B"].deciding.measured):
        raise EvaluationError(f"{trials} and {releases} do not hold the same rankers for {task}")
    return exams


def ready(folder: Path, task: str) -> Iterator[Release]:
    """Every release below `folder` that can do the task, in order of name.

    Raises:
        EvaluationError: none, or two of one name.
    """
    manifests = {path.parent: release.read_manifest(path.parent) for path in folder.rglob(release.MANIFEST)}
    able = sorted((m["name"], place) for place, m in manifests.items() if task in m["tasks"])
    if len({name for name, _ in able}) != len(able) or not able:
        raise EvaluationError(f"{folder}: releases for {task} must be there, each name once: {[n for n, _ in able]}")
    return (release.read(place, RANKERS) for _, place in able)


def _champion(
    folder: Path, exam: Exam, metric: str, params: EvaluateParams, test_begins: pd.Timestamp
) -> Champion | Unreadable | None:
    if not (folder / release.MANIFEST).exists():
        return None
    if not release.fits(manifest := release.read_manifest(folder)):
        log.warning("champion %s was made by another version of Tandem: nothing is held against it", manifest["name"])
        return Unreadable(manifest["name"], manifest["content_hash"])
    found = release.read(folder, RANKERS)
    question = exam.deciding
    result = judge(next(iter(exam.ask(found).values())), question.cases.truth, question.ideal, params.cutoffs)
    saw_test = pd.Timestamp(found.manifest["fit_until"]) > test_begins
    return Champion(
        found.name,
        found.content_hash,
        recipe(found.manifest),
        result.by_case[metric],
        saw_test,
        anchor_recipe(found.manifest),
    )


def _decide(
    exams: dict[str, Exam],
    shipped: dict[str, dict[str, Any]],
    champion: Champion | Unreadable | None,
    promote: PromoteParams,
    params: EvaluateParams,
) -> Decision:
    chosen_on, judged_on = exams["validation"].deciding.measured, exams["B"].deciding
    candidates = [
        Candidate(
            name,
            "counting" if manifest["kind"] in COUNTING else "learned",
            manifest["content_hash"],
            recipe(manifest),
            float(chosen_on[name].by_case[promote.metric].mean()),
            judged_on.measured[name].by_case[promote.metric],
            {part: q.measured[name].by_case[promote.metric] for part, (_, q) in judged_on.slices.items()},
            anchor_recipe(manifest),
        )
        for name, manifest in shipped.items()
    ]
    rule = Rule(promote.metric, promote.min_cases, promote.confidence, params.bootstrap, params.seed)
    return decide(candidates, champion, rule)


def recipe(manifest: dict[str, Any]) -> str:
    """Kind and params of a release: what stays when the same ranker is fitted on newer data."""
    return json.dumps({key: manifest[key] for key in ("kind", "params")}, sort_keys=True)


def anchor_recipe(manifest: dict[str, Any]) -> str:
    """Recipe of the counting ranker that answers by itself in a blend; empty where none does."""
    anchor = manifest["choices"].get("anchor")
    return recipe({"kind": anchor, "params": manifest["params"]["counting"]}) if anchor else ""


def _section(
    exams: dict[str, Exam], shipped: dict[str, dict[str, Any]], decision: Decision, params: EvaluateParams
) -> dict[str, Any]:
    protocols = {
        protocol: {view: _told(q, params) for view, q in exam.questions.items()} for protocol, exam in exams.items()
    }
    candidates = {
        name: {key: manifest[key] for key in ("content_hash", "folder")} for name, manifest in shipped.items()
    }
    return {"protocols": protocols, "decision": asdict(decision), "candidates": candidates}


def _told(question: Question, params: EvaluateParams) -> dict[str, Any]:
    found = report.of_view(question.measured, question.ideal, params)
    slices = {name: _told(part, params) for name, (_, part) in question.slices.items()}
    return found | ({"slices": slices} if slices else {})


def _write_for_dvc(task: str, view: dict[str, Any], exam: Exam, reports: Path) -> None:
    """One JSON of means for each ranker, and one CSV with a row for each ranker and k."""
    for name in view["rankers"]:
        files.write_json(report.flat(view, name), reports / "metrics" / task / f"{name}.json")
    rows = [
        {"ranker": name, "k": k, "recall": recall}
        for name, result in exam.deciding.measured.items()
        for k, recall in enumerate(result.recall_curve[:CURVE_PLACES], start=1)
    ]
    path = reports / "plots" / f"recall_{task}.csv"
    path.parent.mkdir(parents=True, exist_ok=True)
    pd.DataFrame(rows).to_csv(path, index=False, float_format="%.6f")


if __name__ == "__main__":
    run(main)
