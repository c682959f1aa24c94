"""The OpenAPI document of the application; `service.cli.openapi` prints it.

FastAPI describes the routes. What it cannot know is added here: what the gate answers before any
route, the shapes that only hand-written responses name, and an example of every answer.
"""

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic import BaseModel

from captionfill.errors import CaptionfillError
from service.api.schemas import examples, inpaint
from service.api.schemas.batch import ResultLine
from service.api.schemas.openai import OpenAIProblem
from service.api.schemas.problems import MIDDLEWARE, problems
from service.auth.authentication import is_open
from service.auth.principal import auth_enabled
from service.config.settings import Settings
from service.errors import openai
from service.errors.access import KeyRequired
from service.errors.capacity import TooManyRequests
from service.errors.catalogue import MEDIA_TYPE, catalogue

# Shapes that FastAPI does not meet, as the routes that answer with them write bytes.
_MORE = (inpaint.Problem, OpenAIProblem, inpaint.InpaintAnswer, inpaint.JobStatus, ResultLine)
_OPENAI = "/v1/"


def build(app: FastAPI, settings: Settings) -> dict[str, Any]:
    """The document of an application; with API keys, it says so."""
    document = get_openapi(
        title=app.title,
        version=app.version,
        description="Fill a hidden part of a picture from what surrounds it and from a caption. "
        "HEAD is answered wherever GET is.",
        routes=app.routes,
        webhooks=app.webhooks.routes,
    )
    components = document.setdefault("components", {})
    known = components.setdefault("schemas", {})
    for model in _MORE:
        known.update(_schemas(model))
    keys = auth_enabled(settings)
    if keys:
        components["securitySchemes"] = {
            "bearer": {"type": "http", "scheme": "bearer"},
            "header": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
        }
    for path, operations in document["paths"].items():
        for operation in operations.values():
            _describe(path, operation, keys=keys)
    for operations in document.get("webhooks", {}).values():
        for operation in operations.values():
            operation["responses"].pop("422", None)
    for unused in ("HTTPValidationError", "ValidationError"):
        known.pop(unused, None)
    return document


def _schemas(model: type[BaseModel]) -> dict[str, Any]:
    schema = model.model_json_schema(ref_template="#/components/schemas/{model}")
    return {**schema.pop("$defs", {}), model.__name__: schema}


def _describe(path: str, operation: dict[str, Any], *, keys: bool) -> None:
    """Add to an operation what the gate may answer, and examples."""
    responses = operation["responses"]
    kinds = [*_kinds(responses), *_gate(path, keys=keys)]
    if keys and not is_open(path):
        operation["security"] = [{"bearer": []}, {"header": []}]
    schema = "OpenAIProblem" if path.startswith(_OPENAI) else "Problem"
    answers = {
        **{status: response for status, response in responses.items() if status < "400"},
        **{str(status): told for status, told in problems(*kinds, schema=schema).items()},
    }
    operation["responses"] = dict(sorted(answers.items()))
    for response in answers.values():
        for kind, content in response.get("content", {}).items():
            _illustrate(kind, content)


def _gate(path: str, *, keys: bool) -> list[type[CaptionfillError]]:
    """What an address may be answered with before its route. Probes are always let through."""
    if path in ("/healthz", "/readyz"):
        return []
    unless = {*(() if keys else (KeyRequired,))}
    if is_open(path):
        unless |= {KeyRequired, TooManyRequests}
    return [kind for kind in MIDDLEWARE if kind not in unless]


def _kinds(responses: dict[str, Any]) -> list[type[CaptionfillError]]:
    """The kinds of error that an operation has examples of.

    What FastAPI says of a parameter that does not fit has none: it is no answer of this service.
    """
    known = catalogue()
    return [
        known[slug]
        for response in responses.values()
        for slug in response.get("content", {}).get(MEDIA_TYPE, {}).get("examples", ())
    ]


def _illustrate(kind: str, content: dict[str, Any]) -> None:
    if kind == inpaint.EVENT_STREAM:
        status = examples.EXAMPLES["JobStatus"].model_dump_json()
        content["example"] = f"id: 1700000000000-0\nevent: queued\ndata: {status}\n\n"
    name = content.get("schema", {}).get("$ref", "").rpartition("/")[2]
    if name == "OpenAIProblem":
        for slug, example in content["examples"].items():
            error = catalogue()[slug](example["value"]["detail"])
            example["value"] = {**example["value"], "error": openai.explain(error)}
    elif name in examples.EXAMPLES:
        content["example"] = examples.EXAMPLES[name].model_dump(mode="json")
