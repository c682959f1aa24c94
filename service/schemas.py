"""The shapes of the API's JSON, and its OpenAPI description."""

from collections.abc import Callable
from typing import Any

from pydantic import BaseModel, Field

from service import errors
from service.jobs import MAX_CANDIDATES, SEEDS
from service.requests import MAX_CAPTION


class Problem(BaseModel):
    """A problem document (RFC 9457)."""

    type: str = Field(examples=["/problems/queue-full"], description="a page about the problem")
    title: str
    status: int
    detail: str


class InpaintAnswer(BaseModel):
    """The filled pictures and how they were made."""

    job_id: str
    seeds: list[int] = Field(description="the seed of each candidate")
    images: list[str] = Field(description="base64 PNG at the size of the upload")
    bundle: str = Field(description="digest of the bundle that filled")
    queue_ms: float
    inference_ms: float = Field(description="of the whole batch")
    batch_size: int = Field(description="images in the batch")
    region: tuple[int, int, int, int] = Field(description="the pixels written: x, y, width, height")
    window: tuple[float, float, int] = Field(description="the square looked at: x, y, side")


class Health(BaseModel):
    """The process lives."""

    status: str = "ok"


class Readiness(BaseModel):
    """The service can answer."""

    status: str = "ready"
    bundle: str = Field(description="digest of the loaded bundle; the first where there are more")
    workers: int


FORM: dict[str, Any] = {
    "required": True,
    "content": {
        "multipart/form-data": {
            "schema": {
                "type": "object",
                "required": ["image", "caption"],
                "additionalProperties": False,
                "properties": {
                    "image": {
                        "type": "string",
                        "format": "binary",
                        "description": "PNG, JPEG or WebP, at least 64×64, 8 bits a channel.",
                    },
                    "caption": {
                        "type": "string",
                        "minLength": 1,
                        "maxLength": MAX_CAPTION,
                        "description": "What the picture shows.",
                        "examples": ["a dog runs through the grass"],
                    },
                    "seed": {
                        "type": "integer",
                        "minimum": 0,
                        "maximum": SEEDS - 1,
                        "description": "Same input and seed, same answer. Default: random.",
                        "examples": [7],
                    },
                    "region": {
                        "type": "string",
                        "pattern": r"^\s*\d{1,6}\s*(,\s*\d{1,6}\s*){3}$",
                        "description": "x,y,width,height to fill. Default: the central half.",
                        "examples": ["16,16,32,32"],
                    },
                    "n": {
                        "type": "integer",
                        "minimum": 1,
                        "maximum": MAX_CANDIDATES,
                        "default": 1,
                        "description": "Candidates; more than one needs Accept: application/json.",
                    },
                },
            },
            "encoding": {"image": {"contentType": "image/png, image/jpeg, image/webp"}},
        }
    },
}

ANSWER_HEADERS: dict[str, Any] = {
    "X-Job-Id": {"schema": {"type": "string"}},
    "X-Seed": {"schema": {"type": "integer"}, "description": "of the first candidate"},
    "X-Bundle-Digest": {"schema": {"type": "string"}},
    "X-Queue-Ms": {"schema": {"type": "number"}},
    "X-Inference-Ms": {"schema": {"type": "number"}},
    "X-Batch-Size": {"schema": {"type": "integer"}},
}


def problems(*kinds: type[errors.ServiceError]) -> dict[int | str, dict[str, Any]]:
    """OpenAPI responses for some kinds of error, an example each, together by status."""
    responses: dict[int | str, dict[str, Any]] = {}
    for kind in kinds:
        fresh = {"description": kind.title, "content": {errors.MEDIA_TYPE: _content()}}
        response = responses.setdefault(kind.status, fresh)
        response["content"][errors.MEDIA_TYPE]["examples"][kind.slug] = {
            "value": errors.example(kind)
        }
    return responses


def describe_gate(document: dict[str, Any], is_open: Callable[[str], bool], *, keys: bool) -> None:
    """Add to an OpenAPI document what the gate does to every route that is not open to all."""
    if keys:
        document["components"]["securitySchemes"] = {
            "bearer": {"type": "http", "scheme": "bearer"},
            "header": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
        }
    kinds = [kind for kind in errors.GATE if keys or kind is not errors.KeyRequired]
    for path, operations in document["paths"].items():
        for operation in operations.values():
            _correct(operation["responses"])
            if is_open(path):
                continue
            if keys:
                operation["security"] = [{"bearer": []}, {"header": []}]
            for status, response in problems(*kinds).items():
                _merge(operation["responses"].setdefault(str(status), response), response)
    for unused in ("HTTPValidationError", "ValidationError"):
        document["components"]["schemas"].pop(unused, None)


def _correct(responses: dict[str, Any]) -> None:
    """Replace what FastAPI says of a parameter that does not fit by what is really answered."""
    if "application/json" in responses.get("422", {}).get("content", {}):
        responses["422"] = problems(errors.InvalidField)[422]


def _merge(response: dict[str, Any], more: dict[str, Any]) -> None:
    """Add examples of more problems to those a response has already."""
    content = response.setdefault("content", {}).setdefault(errors.MEDIA_TYPE, _content())
    content["examples"].update(more["content"][errors.MEDIA_TYPE]["examples"])


def _content() -> dict[str, Any]:
    return {"schema": {"$ref": "#/components/schemas/Problem"}, "examples": {}}
