"""The shapes of the API's JSON, and its OpenAPI description."""

from collections.abc import Callable
from typing import Any, Literal

from pydantic import BaseModel, Field

from service import errors
from service.jobs import State
from service.requests import JSON, MAX_CAPTION, PNG
from service.work import MAX_CANDIDATES, SEEDS


class Problem(BaseModel):
    """A problem document (RFC 9457)."""

    type: str = Field(examples=["/problems/queue-full"], description="a page about the problem")
    title: str
    status: int
    detail: str


class Comparison(BaseModel):
    """The same seeds by the second caption, so that one sees what the words did."""

    images: list[str] = Field(description="base64 PNG, one for each of `images`")
    levels: list[float] = Field(
        description="how far each pair of 32×32 fills is apart: mean absolute 8-bit levels"
    )


class InpaintAnswer(BaseModel):
    """The filled pictures and how they were made."""

    job_id: str
    seeds: list[int] = Field(description="the seed of each candidate")
    images: list[str] = Field(
        description="base64 PNG at the size of the upload; the best first where there are scores"
    )
    scores: list[float] | None = Field(
        description="how well each candidate fits the caption, -1 to 1; null where the bundle "
        "cannot tell"
    )
    comparison: Comparison | None = Field(description="where `compare` was sent")
    caption_truncated: bool = Field(
        description="whether a caption is longer than the encoder reads; its end had no effect"
    )
    model: str = Field(description="name of the bundle that filled")
    bundle: str = Field(description="its digest")
    queue_ms: float
    inference_ms: float = Field(description="of the whole batch")
    batch_size: int = Field(description="images in the batch")
    region: tuple[int, int, int, int] = Field(description="the pixels written: x, y, width, height")
    window: tuple[float, float, int] = Field(description="the square looked at: x, y, side")


class JobLinks(BaseModel):
    """Where else to look."""

    self: str
    result: str
    events: str


class JobStatus(BaseModel):
    """How far a job is."""

    id: str
    state: State
    position: int | None = Field(
        description="in the queue, 1 is next, counted up to 1,000; null unless queued"
    )
    estimate_seconds: float | None = Field(description="until it is done, as far as can be told")
    created: float = Field(description="seconds since 1970")
    deadline: float = Field(description="seconds since 1970; a job not done by then is dropped")
    reason: str | None = Field(description="why it failed")
    links: JobLinks


class Model(BaseModel):
    """A bundle that workers have loaded."""

    id: str = Field(description="its name, for the field `model`")
    object: Literal["model"] = "model"
    owned_by: Literal["captionfill"] = "captionfill"
    created: int = Field(default=0, description="always 0: a bundle is named by its digest")
    digest: str
    default: bool
    workers: int = Field(description="live workers that have it")


class ModelList(BaseModel):
    """The bundles there are."""

    object: Literal["list"] = "list"
    data: list[Model]


class ReloadedWorker(BaseModel):
    """How far a worker is with a reload."""

    worker: str
    generation: int
    error: str | None = Field(description="why it kept its old bundles")
    models: dict[str, str] = Field(description="digest of each bundle by its name")


class Reload(BaseModel):
    """How far a reload is."""

    generation: int
    done: bool = Field(description="whether every live worker has gone through it")
    workers: list[ReloadedWorker]


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
                        "description": "Candidates; more than one come as JSON.",
                    },
                    "compare": {
                        "type": "string",
                        "minLength": 1,
                        "maxLength": MAX_CAPTION,
                        "description": "A second caption: JSON with the fills by both.",
                        "examples": ["a cat runs through the grass"],
                    },
                    "model": {
                        "type": "string",
                        "maxLength": 200,
                        "description": "Name of a bundle, from GET /v1/models.",
                    },
                    "webhook": {
                        "type": "string",
                        "format": "uri",
                        "maxLength": 2048,
                        "description": "https address to call at the end; the answer is a job.",
                    },
                },
            },
            "encoding": {"image": {"contentType": "image/png, image/jpeg, image/webp"}},
        }
    },
}


def _header(description: str, kind: str = "string") -> dict[str, Any]:
    return {"schema": {"type": kind}, "description": description}


ANSWER: dict[str, Any] = {
    "description": "The filled picture at the upload's own size.",
    "headers": {
        "ETag": _header("names the answer by everything that decides it"),
        "X-Job-Id": _header("the job"),
        "X-Seed": _header("of the first candidate", "integer"),
        "X-Model": _header("name of the bundle"),
        "X-Bundle-Digest": _header("digest of the bundle"),
        "X-Queue-Ms": _header("spent in the queue", "number"),
        "X-Inference-Ms": _header("of the whole batch", "number"),
        "X-Batch-Size": _header("images in the batch", "integer"),
        "X-Caption-Truncated": _header("whether the end of a caption was not read", "boolean"),
    },
    "content": {
        PNG: {"schema": {"type": "string", "format": "binary"}},
        JSON: {"schema": {"$ref": "#/components/schemas/InpaintAnswer"}},
    },
}
ACCEPTED: dict[str, Any] = {
    "description": "The job was accepted; come back for its result.",
    "headers": {
        "Location": _header("the job"),
        "Retry-After": _header("seconds after which to look", "integer"),
        "Preference-Applied": _header("respond-async, where it was preferred"),
    },
    "content": {JSON: {"schema": {"$ref": "#/components/schemas/JobStatus"}}},
}
NOT_MODIFIED: dict[str, Any] = {
    "description": "The client has this very answer: nothing was queued.",
    "headers": {"ETag": _header("of the answer")},
}
EVENTS: dict[str, Any] = {
    "description": "Server-sent events; the data of each is a JobStatus.",
    "content": {
        "text/event-stream": {
            "schema": {"type": "string"},
            "example": 'id: 1700000000000-0\nevent: queued\ndata: {"state": "queued"}\n\n',
        }
    },
}
_IF_NONE_MATCH = {
    "name": "If-None-Match",
    "in": "header",
    "schema": {"type": "string"},
    "description": "ETags of answers that the client has.",
}
RESULT_HEADERS: list[dict[str, Any]] = [_IF_NONE_MATCH]
IDEMPOTENCY_KEY: dict[str, Any] = {
    "name": "Idempotency-Key",
    "in": "header",
    "schema": {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[!-~]+$"},
    "description": "A name for this request: sent again, it gives the same job.",
}
INPAINT_HEADERS: list[dict[str, Any]] = [
    {
        "name": "Prefer",
        "in": "header",
        "schema": {"type": "string"},
        "description": "`respond-async` for a job; `wait=5` to wait so many seconds and no longer.",
        "example": "respond-async",
    },
    IDEMPOTENCY_KEY,
    {
        "name": "Cache-Control",
        "in": "header",
        "schema": {"type": "string"},
        "description": "`no-cache` to have it computed even where the answer is kept.",
        "example": "no-cache",
    },
    _IF_NONE_MATCH,
]


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


def drop_validation_errors(document: dict[str, Any]) -> None:
    """Take out of an OpenAPI document the errors that FastAPI would answer by itself.

    Every error is a problem document here, and a text in a path is never an invalid one.
    """
    for name in ("HTTPValidationError", "ValidationError"):
        document["components"]["schemas"].pop(name, None)
    for operations in (*document["paths"].values(), *document.get("webhooks", {}).values()):
        for operation in operations.values():
            content = operation["responses"].get("422", {}).get("content", {})
            if "application/json" in content:
                del operation["responses"]["422"]


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
