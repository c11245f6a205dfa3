"""What a run ended with, in a few lines: what is served and why, where the reports lie, and what to do next.

Reads   reports/{evaluation,registry}.json, <home>/deployed.json
"""

from collections.abc import Iterator, Mapping
from typing import Any

from flows.deploy import history
from flows.promote import OUTCOME, REPORTS
from tandem import files
from tandem.settings import Settings


def lines(settings: Settings) -> list[str]:
    """The summary of the last `retrain`, and of what is deployed."""
    evaluation, outcomes = files.read_json(REPORTS / "evaluation.json"), files.read_json(OUTCOME)["tasks"]
    deployed = history(settings)
    served = deployed[-1].releases if deployed else {}
    waits = any(_hash(outcome["champion"]) != _hash(served.get(task)) for task, outcome in outcomes.items())
    return [
        *(
            line
            for task, outcome in outcomes.items()
            for line in _of_task(task, outcome, served.get(task), evaluation["tasks"][task]["decision"])
        ),
        f"reports: `tandem report` prints {REPORTS}/evaluation.json; the data's checks are in data/docs/index.html",
        f"next: {'`tandem deploy`, then `tandem serve`' if waits else '`tandem serve` (or `make serve`)'}",
    ]


def _of_task(
    task: str, outcome: Mapping[str, Any], served: Mapping[str, Any] | None, decision: Mapping[str, Any]
) -> Iterator[str]:
    """Who is champion and why, and who is served where that is another."""
    champion = outcome["champion"]
    is_served = champion is not None and _hash(champion) == _hash(served)
    yield f"{task}: {_named(champion)} is champion{' and served' if is_served else ', not served yet'}"
    yield f"  why: {' '.join([*decision['reasons'][-2:], *outcome['notes']])}"
    if not is_served:
        yield f"  served: {_named(served)}"


def _named(release: Mapping[str, Any] | None) -> str:
    return f"{release['name']} (version {release['version']})" if release else "nothing"


def _hash(release: Mapping[str, Any] | None) -> str | None:
    return str(release["content_hash"]) if release else None
