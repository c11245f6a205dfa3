"""Register every release and move the aliases `candidate` and `champion` as the evaluation decided.

Reads   data/releases/**, reports/evaluation.json, reports/curves/*.csv
Writes  the model registry (MLflow), reports/registry.json
Params  none: the rule that decides is tandem/evaluation/comparison.py, its result stands in the report

The last stage of dvc.yaml, `python -m flows.promote`. Running it again changes nothing.
"""

import logging
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from flows import prepare
from flows.registry import MODELS, Record, Registry, RegistryError, Version
from stages import shown
from tandem import files, release
from tandem.errors import TandemError

log = logging.getLogger(__name__)

RELEASES = Path("data/releases")
REPORTS = Path("reports")
OUTCOME = REPORTS / "registry.json"


def main() -> None:
    """Register, promote, and say in reports/registry.json what happened and why."""
    registry = Registry(prepare())
    report = files.read_json(REPORTS / "evaluation.json")
    releases = releases_in(RELEASES)
    tasks = {task: promote(registry, task, report, releases) for task in report["tasks"]}
    files.write_json({"source": report["source"], "data_hash": report["data_hash"], "tasks": tasks}, OUTCOME)


def releases_in(folder: Path) -> dict[str, Path]:
    """Folder of each release below `folder`, by content hash."""
    found = sorted(path.parent for path in folder.rglob(release.MANIFEST))
    return {str(release.read_manifest(path)["content_hash"]): path for path in found}


def promote(registry: Registry, task: str, report: Mapping[str, Any], releases: Mapping[str, Path]) -> dict[str, Any]:
    """Register the task's releases, point the aliases, and return what to report.

    Raises:
        RegistryError: the report's winner is not among the releases.
    """
    able = [folder for folder in releases.values() if task in release.read_manifest(folder)["tasks"]]
    versions = {found.content_hash: found for found in (registry.register(task, f, _record(f, report)) for f in able)}
    decision = report["tasks"][task]["decision"]
    winner = versions.get(decision["content_hash"])
    if winner is None:
        raise RegistryError(f"{decision['winner']}, the winner of {task}, is not in {RELEASES}; run `dvc repro`")
    registry.point("candidate", winner)
    current = registry.named(task, "champion")
    best, notes = best_of(decision, current, report["source"])
    champion = registry.find(task, best) if best else current
    if champion and best:
        registry.point("champion", champion)
    return _outcome(winner, champion, current, notes, versions)


def best_of(decision: Mapping[str, Any], current: Version | None, source: str) -> tuple[str | None, list[str]]:
    """The release that should be champion, or None where the report cannot tell, and what there is to say of it.

    The report names the better of its winner and the champion it knew, which gives way where it could not be read. That
    holds as long as the registry has no other champion meanwhile; a champion made from another source is no rival, for
    no user is common to both, nor is one that has to be made anew.
    """
    known = (decision.get("champion") or {}).get("content_hash")
    best = decision["content_hash"] if decision["promote"] else known
    if current is None:
        return best, []
    if current.source != source:
        return best, [f"{current.name} was champion for source {current.source}; sources are not compared."]
    if current.needs_retraining:
        return best, [f"{current.name} was champion and learned from somebody who was erased; it gives way."]
    if current.content_hash in {best, known}:
        return best, []
    return None, [
        f"The champion {current.name} (version {current.version}) was not part of this evaluation; "
        "run `tandem retrain` to compare with it."
    ]


def _outcome(
    winner: Version,
    champion: Version | None,
    before: Version | None,
    notes: list[str],
    versions: Mapping[str, Version],
) -> dict[str, Any]:
    moved = champion is not None and (before is None or before.content_hash != champion.content_hash)
    named = champion.name if champion else "none"
    log.info("%s: champion %s%s", MODELS[winner.task], named, " (new)" if moved else "")
    return {
        "candidate": winner.facts(),
        "champion": champion.facts() if champion else None,
        "notes": notes,
        "versions": {found.name: found.facts() for found in versions.values()},
    }


def _record(folder: Path, report: Mapping[str, Any]) -> Record:
    name = release.read_manifest(folder)["name"]
    curves = REPORTS / "curves" / f"{name}.csv"
    lock = Path("dvc.lock")
    return Record(
        metrics_of(name, report),
        curves if curves.exists() else None,
        _commit(),
        (lock,) if lock.exists() else (),
    )


def metrics_of(name: str, report: Mapping[str, Any]) -> dict[str, float]:
    """`task/protocol/view/metric` to value, with `/low` and `/high` ends of its interval, of one ranker."""
    found = {}
    for task, part in report["tasks"].items():
        for protocol, views in part["protocols"].items():
            for view, content in views.items():
                for metric, measured in content["rankers"].get(name, {}).items():
                    for end, value in measured.items():
                        suffix = "" if end == "mean" else f"/{end}"
                        found[f"{task}/{protocol}/{view}/{metric}{suffix}"] = float(value)
    return found


def _commit() -> dict[str, str]:
    """The commit of the code, and whether files differ from it; nothing outside git."""
    head = _git("rev-parse", "HEAD")
    if head is None:
        return {}
    return {"git_commit": head, "git_dirty": str(bool(_git("status", "--porcelain", "--untracked-files=no"))).lower()}


def _git(*arguments: str) -> str | None:
    try:
        done = subprocess.run(["git", *arguments], capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return None
    return done.stdout.strip()


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, handlers=[shown()])
    try:
        main()
    except TandemError as error:
        sys.exit(f"error: {error}")
