"""The shapes of a batch's JSON, and the OpenAPI description of its form and its result."""

from typing import Any, Literal

from pydantic import BaseModel, Field

from service.jobs import State
from service.requests import MAX_CAPTION
from service.schemas import Problem
from service.work import SEEDS

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


FORM: dict[str, Any] = {
    "required": True,
    "content": {
        "multipart/form-data": {
            "schema": {
                "type": "object",
                "additionalProperties": False,
                "properties": {
                    "archive": {
                        "type": "string",
                        "format": "binary",
                        "description": "A zip of pictures with metadata.jsonl or metadata.csv: "
                        "`file_name` and `caption` for each. Or send `image` and `caption`.",
                    },
                    "captions": {
                        "type": "string",
                        "description": "A JSON object of captions by file name, in the place of "
                        "the archive's own file.",
                        "examples": ['{"dog.jpg": "a dog runs through the grass"}'],
                    },
                    "image": {
                        "type": "array",
                        "items": {"type": "string", "format": "binary"},
                        "description": "Pictures, again and again.",
                    },
                    "caption": {
                        "type": "array",
                        "items": {"type": "string", "minLength": 1, "maxLength": MAX_CAPTION},
                        "description": "A caption for each picture, in the same order.",
                        "examples": [["a dog runs through the grass"]],
                    },
                    "seed": {
                        "type": "integer",
                        "minimum": 0,
                        "maximum": SEEDS - 1,
                        "description": "Of every picture. Default: random.",
                    },
                    "region": {
                        "type": "string",
                        "pattern": r"^\s*\d{1,6}\s*(,\s*\d{1,6}\s*){3}$",
                        "description": "x,y,width,height to fill in every picture. Default: the "
                        "central half.",
                        "examples": ["16,16,32,32"],
                    },
                    "model": {
                        "type": "string",
                        "maxLength": 200,
                        "description": "Name of a bundle, from GET /v1/models.",
                    },
                },
            },
            "encoding": {
                "archive": {"contentType": ZIP},
                "image": {"contentType": "image/png, image/jpeg, image/webp"},
            },
        }
    },
}

ACCEPTED: dict[str, Any] = {
    "description": "The batch was accepted, even where some of its pictures are refused.",
    "headers": {
        "Location": {"schema": {"type": "string"}, "description": "the batch"},
        "Retry-After": {"schema": {"type": "integer"}, "description": "seconds until a look"},
    },
}

RESULT: dict[str, Any] = {
    "description": "A zip: a PNG for each picture that is done, and results.jsonl, whose lines are "
    "ResultLine, one for every picture of the upload.",
    "content": {ZIP: {"schema": {"type": "string", "format": "binary"}}},
}
