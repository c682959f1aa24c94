"""The shapes of a batch's JSON, and the OpenAPI description of its form and its result."""

from typing import Any, Literal

from pydantic import BaseModel, Field

from service.api.schemas.inpaint import (
    MODEL,
    PICTURE,
    PICTURE_TYPES,
    REGION,
    SEED,
    TEMPERATURE,
    Problem,
    header,
)
from service.queue.jobs import State

ZIP = "application/zip"

ItemState = State | Literal["refused"]


class BatchItem(BaseModel):
    """One picture of a batch."""

    index: int = Field(description="its place in the upload, from 1")
    name: str = Field(description="as the client called it")
    state: ItemState = Field(description="refused: it never became a job; `problem` says why")
    job_id: str | None
    problem: Problem | None


class BatchLinks(BaseModel):
    """Where else to look."""

    self: str
    result: str


class BatchStatus(BaseModel):
    """How far a batch is."""

    id: str
    state: Literal["running", "done"] = Field(description="done: no picture waits or runs")
    total: int
    counts: dict[str, int] = Field(examples=[{"done": 3, "running": 1}])
    items: list[BatchItem]
    links: BatchLinks


class ResultLine(BatchItem):
    """A line of results.jsonl."""

    file: str | None = Field(default=None, description="in the same zip")
    seed: int | None = None
    model: str | None = None
    bundle: str | None = Field(default=None, description="digest of the bundle")
    caption_truncated: bool | None = Field(default=None, description="as for POST /inpaint")
    caption_unknown: bool | None = Field(default=None, description="as for POST /inpaint")
    notes: list[str] = Field(default=[], description="what of the upload is not in the picture")


FORM: dict[str, Any] = {
    "required": True,
    "content": {
        "multipart/form-data": {
            "schema": {
                "type": "object",
                "additionalProperties": False,
                "oneOf": [{"required": ["archive"]}, {"required": ["image"]}],
                "dependentRequired": {
                    "captions": ["archive"],
                    "image": ["caption"],
                    "caption": ["image"],
                },
                "properties": {
                    "archive": {
                        "type": "string",
                        "format": "binary",
                        "description": "A zip of pictures with metadata.jsonl or metadata.csv: "
                        "`file_name` and `caption` for each. Or send `image` and `caption`.",
                    },
                    "captions": {
                        "type": "string",
                        "contentMediaType": "application/json",
                        "description": "A JSON object of captions by file name, in the place of "
                        "the archive's own file.",
                        "examples": ['{"dog.jpg": "a dog runs through the grass"}'],
                    },
                    "image": {
                        "type": "array",
                        "items": PICTURE,
                        "description": "Pictures, again and again.",
                    },
                    "caption": {
                        "type": "array",
                        "items": {"type": "string"},
                        "description": "A caption for each picture, in the same order, as for "
                        "POST /inpaint. One that cannot be taken is refused with its picture "
                        "alone.",
                        "examples": [["a dog runs through the grass"]],
                    },
                    "seed": SEED,
                    "temperature": TEMPERATURE,
                    "region": REGION,
                    "model": MODEL,
                },
            },
            "encoding": {
                "archive": {"contentType": ZIP},
                "image": {"contentType": PICTURE_TYPES},
            },
        }
    },
}

_BATCH = {"batch": "$response.body#/id"}
ACCEPTED: dict[str, Any] = {
    "description": "The batch was accepted, even where some of its pictures are refused.",
    "headers": {
        "Location": header("the batch", f"/batches/{'0' * 32}"),
        "Retry-After": header("seconds until a look", 1, "integer"),
    },
    "links": {
        "status": {"operationId": "batch_status", "parameters": _BATCH},
        "result": {"operationId": "batch_result", "parameters": _BATCH},
        "cancel": {"operationId": "cancel_batch", "parameters": _BATCH},
    },
}

RESULT: dict[str, Any] = {
    "description": "A zip: a PNG for each picture that is done, and results.jsonl, whose lines are "
    "ResultLine, one for every picture of the upload.",
    "headers": {
        "Content-Disposition": header("a name for the file", 'attachment; filename="batch.zip"')
    },
    "content": {ZIP: {"schema": {"type": "string", "format": "binary"}}},
}
