"""The shapes of the API's JSON, and its OpenAPI description."""

from typing import Any, Literal

from pydantic import BaseModel, Field

from captionfill.captions import MAX_CAPTION
from service.api.forms.inpaint_form import JSON, PNG
from service.queue.jobs import State
from service.queue.task import MAX_CANDIDATES, SEEDS


class Problem(BaseModel):
    """A problem document (RFC 9457)."""

    type: str = Field(
        pattern="^/problems/[a-z-]+$",
        examples=["/problems/queue-full"],
        description="a page about the problem",
    )
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
    caption_unknown: bool = Field(
        description="whether the encoder knows nothing of a caption, such as emoji, one endless "
        "word or zero-width characters; it had no meaning"
    )
    model: str = Field(description="name of the bundle that filled")
    bundle: str = Field(description="its digest")
    engine: str = Field(description="what computed it; another gives other bits")
    queue_ms: float
    inference_ms: float = Field(description="of the whole batch")
    batch_size: int = Field(description="images in the batch")
    notes: list[str] = Field(
        description="what of the upload is not in the pictures, such as a colour profile that does "
        "not fit; usually empty"
    )
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
    reason: str | None = Field(description="why it failed, expired or was lost")
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
    engines: list[str] = Field(description="what computes it there: `torch`, `openvino-bf16`, …")


class ModelList(BaseModel):
    """The bundles there are."""

    object: Literal["list"] = "list"
    data: list[Model]


class ReloadedWorker(BaseModel):
    """How far a worker is with a reload."""

    worker: str
    generation: int = Field(description="of the bundles it has")
    error: str | None = Field(description="why it kept its old bundles")
    models: dict[str, str] = Field(description="digest of each bundle by its name")


class Reload(BaseModel):
    """How far a reload is."""

    generation: int = Field(description="that was asked for")
    state: Literal["no-workers", "loading", "failed", "done"] = Field(
        description="failed: a worker could not load its bundles and keeps the old ones; "
        "no-workers: nobody has been heard of lately who could load any"
    )
    done: bool = Field(description="whether there are workers, and all of them have its bundles")
    workers: list[ReloadedWorker]


class Health(BaseModel):
    """The process lives."""

    status: str = "ok"


class UnhealthyBundle(BaseModel):
    """A bundle that failed several times in a row, so that its worker takes no work for it."""

    worker: str
    model: str
    reason: str


class Readiness(BaseModel):
    """The service can answer."""

    status: str = "ready"
    bundle: str = Field(description="digest of the loaded bundle; the first where there are more")
    engine: str = Field(description="what computes it")
    workers: int = Field(description="live and healthy ones")
    unhealthy: list[UnhealthyBundle] = Field([], description="what takes no work until it recovers")
    warnings: list[str] = Field(
        default_factory=list, description="what an operator should look at", examples=[[]]
    )


# What the fields of several forms look like: neither blank nor with control characters.
_NO_CONTROLS = r"[^\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f]*"
CAPTION: dict[str, Any] = {
    "type": "string",
    "minLength": 1,
    "maxLength": MAX_CAPTION,
    "pattern": f"^{_NO_CONTROLS}[^\\s\\u0000-\\u001f\\u007f-\\u009f]{_NO_CONTROLS}$",
    "description": "What the picture shows.",
    "examples": ["a dog runs through the grass"],
}
PICTURE: dict[str, Any] = {
    "type": "string",
    "format": "binary",
    "description": "PNG, JPEG or WebP, at least 64×64, 8 bits a channel.",
}
SEED: dict[str, Any] = {
    "type": "integer",
    "minimum": 0,
    "maximum": SEEDS - 1,
    "description": "Same input and seed, same answer. Default: random.",
    "examples": [7],
}
TEMPERATURE: dict[str, Any] = {
    "type": "number",
    "minimum": 0,
    "maximum": 1,
    "default": 1,
    "description": "How much a fill is left to chance. At 0 the seed says nothing: the bundle's "
    "one answer, smoother than any draw.",
    "examples": [0],
}
REGION: dict[str, Any] = {
    "type": "string",
    "pattern": r"^\s*[0-9]{1,6}\s*(,\s*[0-9]{1,6}\s*){3}$",
    "description": "x,y,width,height to fill. Default: the central half.",
    "examples": ["16,16,32,32"],
}
COUNT: dict[str, Any] = {
    "type": "integer",
    "minimum": 1,
    "maximum": MAX_CANDIDATES,
    "default": 1,
    "description": "Candidates; more than one come as JSON. Their pixels together, with `compare` "
    "twice as many, are at most what one upload may have: 40 million by default.",
    "examples": [2],
}
MODEL: dict[str, Any] = {
    "type": "string",
    "maxLength": 200,
    "description": "Name of a bundle, from GET /v1/models.",
    "examples": ["default"],
}
PICTURE_TYPES = "image/png, image/jpeg, image/webp"
FORM: dict[str, Any] = {
    "required": True,
    "content": {
        "multipart/form-data": {
            "schema": {
                "type": "object",
                "required": ["image", "caption"],
                "additionalProperties": False,
                "properties": {
                    "image": PICTURE,
                    "caption": CAPTION,
                    "seed": SEED,
                    "temperature": TEMPERATURE,
                    "region": REGION,
                    "n": COUNT,
                    "compare": {
                        **CAPTION,
                        "description": "A second caption: JSON with the fills by both.",
                        "examples": ["a cat runs through the grass"],
                    },
                    "model": MODEL,
                    "webhook": {
                        "type": "string",
                        "format": "iri",
                        "pattern": "^https?://",
                        "maxLength": 2048,
                        "description": "https address to call at the end; the answer is a job.",
                        "examples": ["https://example.com/filled"],
                    },
                },
            },
            "encoding": {"image": {"contentType": PICTURE_TYPES}},
        }
    },
}


def header(
    description: str, example: Any, kind: str = "string", *, always: bool = True
) -> dict[str, Any]:
    """A header of an answer, for OpenAPI; ``always``: no such answer is without it."""
    return {
        "schema": {"type": kind},
        "description": description,
        "required": always,
        "example": example,
    }


EVENT_STREAM = "text/event-stream"
_EVENT_ID = "^[0-9]{1,19}-[0-9]{1,19}$"
_DIGEST = f"sha256:{'5e' * 32}"
_ETAG = f'"{"1f" * 32}"'
JOB_ID = {"pattern": "^[0-9a-f]{32}$", "examples": ["0" * 32]}


CAPTION_HEADERS = {
    "X-Caption-Truncated": header("whether the end of a caption was not read", False, "boolean"),
    "X-Caption-Unknown": header(
        "whether nothing of a caption is known to the encoder", False, "boolean"
    ),
}
# As PNG the facts are in headers; the JSON holds them itself, too.
ANSWER: dict[str, Any] = {
    "description": "The filled picture at the upload's own size.",
    "headers": {
        "ETag": header("names the answer by everything that decides it", _ETAG),
        "X-Job-Id": header("the job", "0" * 32),
        "X-Seed": header("of the first candidate", 7, "integer"),
        "X-Model": header("name of the bundle", "default"),
        "X-Bundle-Digest": header("digest of the bundle", _DIGEST),
        "X-Engine": header("what computed it; another gives other bits", "openvino-bf16"),
        "X-Queue-Ms": header("spent in the queue", 1.2, "number"),
        "X-Inference-Ms": header("of the whole batch", 8.5, "number"),
        "X-Batch-Size": header("images in the batch", 1, "integer"),
        **CAPTION_HEADERS,
        "X-Notes": header(
            "what of the upload is not in the picture, where there is such",
            "the colour profile was dropped: it is damaged",
            always=False,
        ),
    },
    "content": {
        PNG: {"schema": {"type": "string", "format": "binary"}},
        JSON: {"schema": {"$ref": "#/components/schemas/InpaintAnswer"}},
    },
}
_JOB = {"job": "$response.body#/id"}
ACCEPTED: dict[str, Any] = {
    "description": "The job was accepted; come back for its result.",
    "headers": {
        "Location": header("the job", f"/jobs/{'0' * 32}"),
        "Retry-After": header("seconds after which to look", 1, "integer"),
        "Preference-Applied": header(
            "respond-async, where it was preferred", "respond-async", always=False
        ),
    },
    "content": {JSON: {"schema": {"$ref": "#/components/schemas/JobStatus"}}},
    "links": {
        "status": {"operationId": "job_status", "parameters": _JOB},
        "result": {"operationId": "job_result", "parameters": _JOB},
        "events": {"operationId": "job_events", "parameters": _JOB},
        "cancel": {"operationId": "cancel_job", "parameters": _JOB},
    },
}
NOT_MODIFIED: dict[str, Any] = {
    "description": "The client has this very answer: nothing was queued.",
    "headers": {"ETag": header("of the answer", _ETAG)},
}
# `itemSchema` comes with OpenAPI 3.2; FastAPI and others read it in 3.1 already.
EVENTS: dict[str, Any] = {
    "description": "Server-sent events; the data of each is a JobStatus.",
    "content": {
        EVENT_STREAM: {
            "itemSchema": {
                "type": "object",
                "required": ["event", "data"],
                "properties": {
                    "id": {"type": "string", "pattern": _EVENT_ID},
                    "event": {"type": "string", "enum": [*State, "progress"]},
                    "data": {
                        "type": "string",
                        "contentMediaType": JSON,
                        "contentSchema": {"$ref": "#/components/schemas/JobStatus"},
                    },
                },
            }
        }
    },
}
NO_EVENTS: dict[str, Any] = {
    "description": "The job has ended, and `Last-Event-ID` is its last event: do not connect again."
}
IF_NONE_MATCH: dict[str, Any] = {
    "name": "If-None-Match",
    "in": "header",
    "schema": {"type": "string"},
    "description": "ETags of answers that the client has; `*` for whichever.",
    "examples": {"tag": {"value": _ETAG}, "any": {"value": "*"}},
}
LAST_EVENT_ID: dict[str, Any] = {
    "name": "Last-Event-ID",
    "in": "header",
    "schema": {"type": "string", "pattern": _EVENT_ID},
    "description": "Go on after this event.",
    "example": "1700000000000-0",
}
IDEMPOTENCY_KEY: dict[str, Any] = {
    "name": "Idempotency-Key",
    "in": "header",
    "schema": {
        "type": "string",
        "minLength": 1,
        "maxLength": 255,
        "pattern": "^[!-~]([ -~]*[!-~])?$",
    },
    "description": "A name for this request: sent again, it gives the same job.",
    "example": "8e03978e-40d5-43dd-bc93-6894a57f9324",
}
PREFER: dict[str, Any] = {
    "name": "Prefer",
    "in": "header",
    "schema": {"type": "string"},
    "description": "`respond-async` for a job; `wait=5` to wait so many seconds and no longer.",
    "example": "respond-async",
}
CACHE_CONTROL: dict[str, Any] = {
    "name": "Cache-Control",
    "in": "header",
    "schema": {"type": "string"},
    "description": "`no-cache` to have it computed even where the answer is kept.",
    "example": "no-cache",
}
# Every request header that an operation reads. Scripts of other origins may send these alone.
REQUEST_HEADERS: tuple[str, ...] = tuple(
    parameter["name"]
    for parameter in (PREFER, IDEMPOTENCY_KEY, CACHE_CONTROL, IF_NONE_MATCH, LAST_EVENT_ID)
)
INPAINT_HEADERS = [PREFER, IDEMPOTENCY_KEY, CACHE_CONTROL, IF_NONE_MATCH]
