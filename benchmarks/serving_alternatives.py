"""The same answers behind other kinds of routes, to be measured against `services.service` by `benchmarks.serving`."""

from typing import Any

import bentoml
from fastapi import FastAPI

from services import answers
from services.schemas import Answer, Recommend
from services.service import load
from tandem.settings import Settings

LIKE_TANDEM: Any = {"workers": 1, "traffic": {"timeout": 10}, "logging": {"access": {"enabled": False}}}
fastapi = FastAPI()


class Answering:
    """Holds the shelf, as the service does."""

    def __init__(self) -> None:
        self.shelf = load(Settings())[1]["recommend"]


@bentoml.service(name="api_async", **LIKE_TANDEM)
class ApiAsync(Answering):
    """`@bentoml.api` on a coroutine."""

    @bentoml.api
    async def recommend(self, question: Recommend, /) -> Answer:
        """What the user wants next."""
        return answers.recommend(self.shelf, question, None)


@bentoml.service(name="api", **LIKE_TANDEM)
class Api(Answering):
    """`@bentoml.api` on a function, which BentoML calls in a thread."""

    @bentoml.api
    def recommend(self, question: Recommend, /) -> Answer:
        """What the user wants next."""
        return answers.recommend(self.shelf, question, None)


@bentoml.service(name="fast", **LIKE_TANDEM)
@bentoml.asgi_app(fastapi)
class Fast(Answering):
    """A route of a mounted FastAPI application."""

    @fastapi.post("/recommend")
    async def recommend(self, question: Recommend) -> Answer:
        """What the user wants next."""
        return answers.recommend(self.shelf, question, None)
