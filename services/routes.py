"""The HTTP side: bytes of a question in, an answer or a refusal out.

Plain routes on an application that BentoML mounts; docs/decisions/0004-service-routes.md says why.
"""

from collections.abc import Mapping
from http import HTTPStatus

import bentoml
from pydantic import BaseModel, ValidationError
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from services import openapi
from services.answers import UnknownProduct
from services.schemas import Problem, Recommend, Refusal, Related

MAX_BODY = 1_048_576  # bytes
MAX_PROBLEMS = 20


async def recommend(request: Request) -> Response:
    """What does this user want next?"""
    question = Recommend.model_validate_json(await _body(request))
    return _json(bentoml.get_current_service().recommend(question))


async def related(request: Request) -> Response:
    """What goes with this product?"""
    question = Related.model_validate_json(await _body(request))
    return _json(bentoml.get_current_service().related(question))


async def docs(request: Request) -> Response:
    """The OpenAPI description of these routes."""
    return JSONResponse(openapi.describe())


async def _body(request: Request) -> bytes:
    media_type = request.headers.get("content-type", "").partition(";")[0]
    if media_type.strip().lower() != "application/json":
        raise HTTPException(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "The content type should be application/json")
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_BODY:
            raise HTTPException(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"A question has at most {MAX_BODY} bytes")
    return bytes(body)


async def _invalid(request: Request, error: Exception) -> Response:
    assert isinstance(error, ValidationError)
    found = error.errors(include_url=False, include_context=False, include_input=False)[:MAX_PROBLEMS]
    problems = [Problem(field=".".join(map(str, p["loc"])) or "body", message=p["msg"]) for p in found]
    no_json = found[0]["type"] == "json_invalid"
    status = HTTPStatus.BAD_REQUEST if no_json else HTTPStatus.UNPROCESSABLE_ENTITY
    return _json(Refusal(error=f"{problems[0].field}: {problems[0].message}", problems=problems), status)


async def _unknown(request: Request, error: Exception) -> Response:
    problem = Problem(field="product_id", message="Not in the catalogue")
    return _json(Refusal(error=str(error), problems=[problem]), HTTPStatus.NOT_FOUND)


async def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return _json(Refusal(error=error.detail), error.status_code, error.headers)


async def _failed(request: Request, error: Exception) -> Response:
    return _json(Refusal(error="The service failed; its log says where"), HTTPStatus.INTERNAL_SERVER_ERROR)


def _json(content: BaseModel, status: int = HTTPStatus.OK, headers: Mapping[str, str] | None = None) -> Response:
    return Response(content.model_dump_json(), status, headers, media_type="application/json")


app = Starlette(
    routes=[
        Route("/recommend", recommend, methods=["POST"]),
        Route("/related", related, methods=["POST"]),
        Route("/docs.json", docs),
    ],
    exception_handlers={
        ValidationError: _invalid,
        UnknownProduct: _unknown,
        HTTPException: _refused,
        Exception: _failed,
    },
)
