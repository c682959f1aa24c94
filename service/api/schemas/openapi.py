"""The OpenAPI document of the application; `service.cli.openapi` prints it.

FastAPI describes the routes. Added here: the errors of the middleware, API keys, models that no
route returns as a model, and examples of all JSON bodies.
"""

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic import BaseModel

from captionfill.errors import CaptionfillError
from service.api.schemas.bodies import OpenAIProblem, ResultLine
from service.api.schemas.examples import EXAMPLES
from service.api.schemas.problems import MIDDLEWARE, problems
from service.api.schemas.responses import EVENT_STREAM
from service.auth.authentication import auth_enabled, is_open
from service.config.settings import Settings
from service.errors.catalogue import MEDIA_TYPE, catalogue
from service.errors.queue import TooManyRequests
from service.errors.requests import KeyRequired
from service.middleware.problem_response import openai_error

_MORE_MODELS = (OpenAIProblem, ResultLine)
_OPENAI = "/v1/"
# The groups of the operations, in the order in which tools show them.
_TAGS = {
    "Fill": "Fill one picture.",
    "Jobs": "Follow and fetch what was requested with `Prefer: respond-async` or a webhook.",
    "Batches": "Fill many pictures in one upload.",
    "OpenAI": "For clients of OpenAI's API.",
    "Models": "The loaded bundles.",
    "Operation": "For probes, monitoring and operators.",
}


def build(app: FastAPI, settings: Settings) -> dict[str, Any]:
    """The document of an application; with API keys, it declares them."""
    document = get_openapi(
        title=app.title,
        version=app.version,
        description="Fill a hidden part of a picture from its surroundings and a caption. "
        "Every GET operation also answers HEAD. An optional field or header that is empty counts "
        "as absent.",
        routes=app.routes,
        webhooks=app.webhooks.routes,
        tags=[{"name": name, "description": text} for name, text in _TAGS.items()],
    )
    components = document.setdefault("components", {})
    schemas = components.setdefault("schemas", {})
    for model in _MORE_MODELS:
        schemas.update(_schemas(model))
    keys = auth_enabled(settings)
    if keys:
        components["securitySchemes"] = {
            "bearer": {"type": "http", "scheme": "bearer"},
            "header": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
            "event_source": {"type": "apiKey", "in": "query", "name": "token"},
        }
    for path, operations in document["paths"].items():
        for operation in operations.values():
            _complete(path, operation, keys=keys)
    for operations in document.get("webhooks", {}).values():
        for operation in operations.values():
            operation["responses"].pop("422", None)
    for unused in ("HTTPValidationError", "ValidationError"):
        schemas.pop(unused, None)
    return document


def _schemas(model: type[BaseModel]) -> dict[str, Any]:
    schema = model.model_json_schema(ref_template="#/components/schemas/{model}")
    return {**schema.pop("$defs", {}), model.__name__: schema}


def _complete(path: str, operation: dict[str, Any], *, keys: bool) -> None:
    """Add the errors of the middleware and examples to an operation."""
    responses = operation["responses"]
    kinds = [*_kinds(responses), *_middleware_errors(path, keys=keys)]
    if keys and not is_open(path):
        operation["security"] = [{"bearer": []}, {"header": []}]
        if path.endswith("/events"):
            operation["security"].append({"event_source": []})
    schema = "OpenAIProblem" if path.startswith(_OPENAI) else "Problem"
    complete = {
        **{status: response for status, response in responses.items() if status < "400"},
        **{str(status): one for status, one in problems(*kinds, schema=schema).items()},
    }
    operation["responses"] = dict(sorted(complete.items()))
    for response in complete.values():
        for kind, content in response.get("content", {}).items():
            _add_examples(kind, content)


def _middleware_errors(path: str, *, keys: bool) -> list[type[CaptionfillError]]:
    """The errors that a path can be answered with before its route."""
    if path in ("/healthz", "/readyz"):
        return []
    impossible: set[type[CaptionfillError]] = set() if keys else {KeyRequired}
    if is_open(path):
        impossible |= {KeyRequired, TooManyRequests}
    return [kind for kind in MIDDLEWARE if kind not in impossible]


def _kinds(responses: dict[str, Any]) -> list[type[CaptionfillError]]:
    """The kinds of error that an operation has examples of; FastAPI's validation error has none."""
    known = catalogue()
    return [
        known[slug]
        for response in responses.values()
        for slug in response.get("content", {}).get(MEDIA_TYPE, {}).get("examples", ())
    ]


def _add_examples(kind: str, content: dict[str, Any]) -> None:
    if kind == EVENT_STREAM:
        status = EXAMPLES["JobStatus"].model_dump_json()
        content["example"] = f"id: 1700000000000-0\nevent: queued\ndata: {status}\n\n"
    name = content.get("schema", {}).get("$ref", "").rpartition("/")[2]
    if name == "OpenAIProblem":
        for slug, example in content["examples"].items():
            error = catalogue()[slug](example["value"]["detail"])
            example["value"] = {**example["value"], "error": openai_error(error)}
    elif name in EXAMPLES:
        content["example"] = EXAMPLES[name].model_dump(mode="json")
