"""JSON bodies of inpainting and its jobs."""

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
        description="base64 PNG at the size of the upload; best first if there are scores"
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
    region: tuple[int, int, int, int] = Field(
        description="the pixels that were written: x, y, width, height"
    )
    window: tuple[float, float, int] = Field(
        description="the square that was read: x, y, side, in pixels"
    )


class JobLinks(BaseModel):
    """Addresses of a job."""

    self: str
    result: str
    events: str


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
