"""The BentoML service: releases of `data/serving`, kept ready, answer `/recommend` and `/related`.

    bentoml serve services.service:Tandem

Where the releases and the pseudonym key are is in the environment (`tandem.settings`).
"""

import logging
from pathlib import Path
from typing import TypeVar

import bentoml
from bentoml.exceptions import BentoMLException
from prometheus_client import Counter

from models.rankers import RANKERS
from services import answers, shelf
from services.routes import app
from services.schemas import Answer, Recommend, Related, RelatedAnswer
from services.shelf import Shelf
from tandem.errors import TandemError
from tandem.privacy import pseudonyms
from tandem.settings import QUIET, Settings

Given = TypeVar("Given", bound=Answer)

log = logging.getLogger("bentoml.tandem")  # BentoML shows INFO of its own loggers only

SERVING = Path(__file__).resolve().parent.parent / "data" / "serving"
"""Default place of the releases: in the checkout, and in a bento, which holds the same folders."""

ANSWERS = Counter("tandem_answers", "Answers given, by task and by source of their first item", ["task", "source"])


def load(settings: Settings) -> dict[str, tuple[bytes, Shelf]]:
    """For each task a shelf, and the pseudonym key that its release was made with: the present or a retired one.

    Raises:
        SettingsError: there is no pseudonym key.
        ReleaseError: a release is missing, altered, or does not fit its task or any key.
    """
    keys = pseudonyms.load_keys(settings)
    folder = settings.serving or SERVING
    return {task: shelf.with_key(folder, task, keys, RANKERS) for task in ("recommend", "related")}


@bentoml.service(
    name="tandem",
    workers=1,
    traffic={"timeout": 10},
    http={"host": "127.0.0.1", "port": 3000},
    logging={"access": {"enabled": False}},
    envs=[{"name": name, "value": QUIET[name]} for name in ("DO_NOT_TRACK", "BENTOML_DO_NOT_TRACK")],
)
@bentoml.asgi_app(app)
class Tandem:
    """What each customer wants next, and which products belong together."""

    def __init__(self) -> None:
        loaded = load(Settings())
        self._key = loaded["recommend"][0]
        self._shelves = {task: ready for task, (_, ready) in loaded.items()}
        for task, ready in self._shelves.items():
            answers.warm_up(ready)
            log.info("%s: %s", task, ready)

    @bentoml.on_deployment
    @staticmethod
    def check() -> None:
        """Refuse to start, once and in one sentence, where the workers could not load."""
        try:
            load(Settings())
        except TandemError as error:
            raise BentoMLException(str(error)) from None

    def recommend(self, question: Recommend) -> Answer:
        """What the user wants next; the raw user id ends here."""
        user_id = None if question.user_id is None else pseudonyms.of(self._key, question.user_id)
        return self._counted("recommend", answers.recommend(self._shelves["recommend"], question, user_id))

    def related(self, question: Related) -> RelatedAnswer:
        """What goes with a product."""
        return self._counted("related", answers.related(self._shelves["related"], question))

    @staticmethod
    def _counted(task: str, answer: Given) -> Given:
        ANSWERS.labels(task, answer.source).inc()
        return answer
