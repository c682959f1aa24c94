"""JSON bodies of batches."""

from typing import Literal

from pydantic import BaseModel, Field

from service.api.schemas.inpaint import Problem
from service.queue.jobs import State

ItemState = State | Literal["refused"]


class BatchItem(BaseModel):
    """One picture of a batch."""

    index: int = Field(description="place in the upload, from 1")
    name: str = Field(description="the client's name for it")
    state: ItemState = Field(description="refused: it did not become a job; `problem` says why")
    job_id: str | None
    problem: Problem | None


class BatchLinks(BaseModel):
    """Addresses of a batch."""

    self: str
    result: str


class BatchStatus(BaseModel):
    """The state of a batch."""

    id: str
    state: Literal["running", "done"] = Field(description="done: no picture is queued or running")
    total: int
    counts: dict[str, int] = Field(examples=[{"done": 3, "running": 1}])
    items: list[BatchItem]
    links: BatchLinks


class ResultLine(BatchItem):
    """A line of results.jsonl."""

    file: str | None = Field(default=None, description="name of the PNG in the same zip")
    seed: int | None = None
    model: str | None = None
    bundle: str | None = Field(default=None, description="digest of the bundle")
    caption_truncated: bool | None = Field(default=None, description="as for POST /inpaint")
    caption_unknown: bool | None = Field(default=None, description="as for POST /inpaint")
    notes: list[str] = Field(default=[], description="what was dropped from the upload")
