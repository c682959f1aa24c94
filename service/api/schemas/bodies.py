"""JSON bodies of all routes."""

from typing import Literal

from pydantic import BaseModel, Field

from service.queue.jobs import State

JOB_ID = {"pattern": "^[0-9a-f]{32}$", "examples": ["0" * 32]}


class Problem(BaseModel):
    """A problem document (RFC 9457)."""

    type: str = Field(
        pattern="^/problems/[a-z-]+$",
        examples=["/problems/queue-full"],
        description="path of a page about the problem",
    )
    title: str
    status: int
    detail: str


class Comparison(BaseModel):
    """The results for the second caption, with the same seeds."""

    images: list[str] = Field(description="base64 PNG, one for each of `images`")
    levels: list[float] = Field(
        description="mean absolute difference of each pair of 32×32 fills, in 8-bit levels"
    )


class InpaintAnswer(BaseModel):
    """The filled pictures and how they were computed."""

    job_id: str
    seeds: list[int] = Field(description="the seed of each candidate")
    images: list[str] = Field(
        description="base64 PNG at the size of the upload, or of its region with `output=fill`; "
        "best first if there are scores"
    )
    scores: list[float] | None = Field(
        description="similarity of each candidate to the caption, -1 to 1; null if the bundle has "
        "no scorer"
    )
    comparison: Comparison | None = Field(description="set if `compare` was sent")
    caption_truncated: bool = Field(
        description="whether a caption is longer than the encoder reads; the rest had no effect"
    )
    caption_unknown: bool = Field(
        description="whether the encoder knows no word of a caption, such as emoji or zero-width "
        "characters; the caption had no effect"
    )
    model: str = Field(description="name of the bundle")
    bundle: str = Field(description="digest of the bundle")
    engine: str = Field(description="inference engine; another engine gives other bits")
    queue_ms: float = Field(description="time in the queue, in milliseconds")
    inference_ms: float = Field(description="inference time of the whole batch, in milliseconds")
    batch_size: int = Field(description="images in the batch")
    notes: list[str] = Field(
        description="what was dropped from the upload, such as a colour profile that does not fit; "
        "usually empty"
    )
    # Lists and not tuples, of which generated clients make one type here and another there.
    region: list[int] = Field(
        min_length=4, max_length=4, description="the pixels that were written: x, y, width, height"
    )
    window: list[int | float] = Field(
        min_length=3,
        max_length=3,
        description="the square that was read: x, y, side, in pixels; the first of `windows`",
    )
    windows: list[list[int | float]] = Field(
        description="every square that was read; more than one for several or long holes of a mask"
    )


class JobLinks(BaseModel):
    """Addresses of a job."""

    self: str
    result: str
    events: str
    event_source: str = Field(
        description="the events with a signature, for `EventSource`, which sends no API key; valid "
        "for ten minutes, and for the events of this job only"
    )


class JobStatus(BaseModel):
    """The state of a job."""

    id: str
    state: State
    position: int | None = Field(
        description="place in the queue, 1 is next, counted up to 1,000; null unless queued"
    )
    estimate_seconds: float | None = Field(
        description="estimated time until it is done; null if unknown"
    )
    created: float = Field(description="seconds since 1970")
    deadline: float = Field(
        description="seconds since 1970; a job that is not done by then is dropped"
    )
    reason: str | None = Field(description="why it failed, expired or was lost")
    links: JobLinks


class BatchItem(BaseModel):
    """One picture of a batch."""

    index: int = Field(description="place in the upload, from 1")
    name: str = Field(description="the client's name for it")
    state: State | Literal["refused"] = Field(
        description="refused: it did not become a job; `problem` says why"
    )
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


class Model(BaseModel):
    """A bundle that workers have loaded."""

    id: str = Field(description="its name, for the field `model`")
    object: Literal["model"] = "model"
    owned_by: Literal["captionfill"] = "captionfill"
    created: int = Field(default=0, description="always 0: the digest identifies a bundle")
    digest: str
    default: bool
    workers: int = Field(description="number of live workers that have loaded it")
    engines: list[str] = Field(description="their inference engines: `torch`, `openvino-bf16`, …")


class ModelList(BaseModel):
    """The loaded bundles."""

    object: Literal["list"] = "list"
    data: list[Model]


class ReloadedWorker(BaseModel):
    """The progress of one worker's reload."""

    worker: str
    generation: int = Field(description="of its loaded bundles")
    error: str | None = Field(description="why it kept its old bundles")
    models: dict[str, str] = Field(description="digest of each bundle by its name")


class Reload(BaseModel):
    """The progress of a reload."""

    generation: int = Field(description="the requested generation")
    state: Literal["no-workers", "loading", "failed", "done"] = Field(
        description="failed: a worker could not load its bundles and keeps the old ones; "
        "no-workers: there is no live worker"
    )
    done: bool = Field(description="whether all live workers, at least one, have its bundles")
    workers: list[ReloadedWorker]


class Health(BaseModel):
    """The process runs."""

    status: str = "ok"


class UnhealthyBundle(BaseModel):
    """A bundle that failed several times in a row; its worker takes no tasks for it."""

    worker: str
    model: str
    reason: str


class Readiness(BaseModel):
    """The service can fill pictures."""

    status: str = "ready"
    bundle: str = Field(description="digest of the default bundle")
    engine: str = Field(description="its inference engine")
    workers: int = Field(description="number of live and healthy workers")
    unhealthy: list[UnhealthyBundle] = Field(
        [], description="bundles that take no tasks until they recover"
    )
    warnings: list[str] = Field(
        default_factory=list, description="conditions that an operator should fix", examples=[[]]
    )


class EditedImage(BaseModel):
    """One filled picture."""

    b64_json: str = Field(description="base64 PNG at the size of the upload")


class ImagesResponse(BaseModel):
    """The filled pictures; best first if the bundle has a scorer."""

    created: int = Field(description="seconds since 1970")
    data: list[EditedImage]
    output_format: Literal["png"] = "png"
    size: str = Field(examples=["640x480"])
    notes: list[str] = Field(
        default=[], description="What was dropped from the upload. Not part of OpenAI's API."
    )


class OpenAIError(BaseModel):
    """The error object that OpenAI's clients read."""

    message: str
    type: Literal["invalid_request_error", "server_error"]
    param: str | None = Field(description="the field that is wrong, or null")
    code: str = Field(description="the last part of the problem's `type`")


class OpenAIProblem(Problem):
    """A problem document with the member `error` that OpenAI's clients read."""

    error: OpenAIError
