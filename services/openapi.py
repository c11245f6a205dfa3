"""The OpenAPI description of the service, made from the types of the questions and answers."""

from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from services.schemas import Answer, Question, Recommend, Refusal, Related, RelatedAnswer

REFUSALS = {
    "400": "the body is not JSON",
    "404": "the catalogue does not hold the product",
    "413": "the body is too large",
    "415": "the content type is not application/json",
    "422": "a field is missing, unknown, or does not fit; `problems` names each",
}
TEMPLATE = "#/components/schemas/{model}"


def describe() -> dict[str, Any]:
    """The description, version 3.1: whose schemas are JSON Schema as pydantic writes it."""
    _, schemas = models_json_schema(
        [
            *((question, "validation") for question in (Recommend, Related)),
            *((answer, "serialization") for answer in (Answer, RelatedAnswer, Refusal)),
        ],
        ref_template=TEMPLATE,
    )
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Tandem",
            "version": "1",
            "description": "Which products belong together and what each customer wants next.",
        },
        "paths": {
            "/recommend": {"post": _operation("recommend", Recommend, Answer, ["400", "413", "415", "422"])},
            "/related": {"post": _operation("related", Related, RelatedAnswer, list(REFUSALS))},
            "/livez": {"get": _probe("livez", "The process is alive", "text/plain")},
            "/readyz": {"get": _probe("readyz", "The releases are loaded and answers flow", "text/plain")},
            "/metrics": {"get": _probe("metrics", "Counters and durations for Prometheus", "text/plain")},
        },
        "components": {"schemas": schemas["$defs"]},
    }


def _operation(name: str, question: type[Question], answer: type[Answer], refusals: list[str]) -> dict[str, Any]:
    answers = {"200": ("the best products first", answer)} | {code: (REFUSALS[code], Refusal) for code in refusals}
    return {
        "operationId": name,
        "summary": question.__doc__,
        "requestBody": {"required": True, "content": _content(question)},
        "responses": {
            code: {"description": text, "content": _content(model)} for code, (text, model) in answers.items()
        },
    }


def _content(model: type[BaseModel]) -> dict[str, Any]:
    return {"application/json": {"schema": {"$ref": TEMPLATE.format(model=model.__name__)}}}


def _probe(name: str, summary: str, media_type: str) -> dict[str, Any]:
    response = {"description": summary, "content": {media_type: {"schema": {"type": "string"}}}}
    return {"operationId": name, "summary": summary, "responses": {"200": response}}
