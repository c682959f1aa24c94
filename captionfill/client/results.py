"""What the client returns and raises."""

import base64
import io
import json
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from os import PathLike
from pathlib import Path
from typing import Any, Self

from PIL import Image

from captionfill.output_files import write_atomically


class ServiceError(Exception):
    """The service refused a request, or cannot be reached after all attempts.

    Attributes:
        status: HTTP status; 0 where there was no response.
        title: of the problem (RFC 9457).
        detail: what to change.
        type: path of a page about the problem, on the same service.
        retry_after: seconds to wait, where the service gives them.
    """

    def __init__(
        self, title: str, detail: str = "", status: int = 0, kind: str = "", retry_after: float = 0
    ) -> None:
        super().__init__(f"{title}: {detail}" if detail else title)
        self.title, self.detail, self.status = title, detail, status
        self.type, self.retry_after = kind, retry_after


class JobFailed(ServiceError):  # noqa: N818 - the state of a job
    """A job ended without a result: failed, cancelled, expired or lost."""


@dataclass(frozen=True)
class JobStatus:
    """The state of a job at one moment.

    Attributes:
        id: of the job.
        state: queued, running, done, failed, cancelled, expired or lost.
        position: place in the queue, 1 is next; None unless queued.
        estimate_seconds: estimated time until it is done; None if unknown.
        reason: why it failed, expired or was lost.
    """

    id: str
    state: str
    position: int | None = None
    estimate_seconds: float | None = None
    reason: str | None = None

    @classmethod
    def parse(cls, body: Mapping[str, Any]) -> Self:
        """Read a status document; fields that are not known here are ignored."""
        return cls(**{name: body[name] for name in cls.__dataclass_fields__ if name in body})

    @property
    def is_end(self) -> bool:
        """Whether the state is final."""
        return self.state not in ("queued", "running")


@dataclass(frozen=True)
class RemoteResult:
    """The candidates for one image.

    Attributes:
        images: for Pillow, at the size of the upload; the best first where there are scores.
        seeds: of the candidates.
        scores: how well each fits the caption, -1 to 1; None where the bundle has no scorer.
        others: the results for the second caption, from the same seeds.
        levels: mean absolute difference of each pair of fills, in 8-bit levels.
        region: the pixels that were filled: left, top, width, height.
        truncated: whether a caption is longer than the encoder reads.
        unknown: whether the encoder knows no word of a caption, so that it has no effect.
        notes: what of the upload is not in the result.
        model: name of the bundle.
        digest: of the bundle, `sha256:…`.
        engine: what computed the fills.
        pngs: the encoded images, byte for byte as they were sent.
    """

    seeds: list[int]
    scores: list[float] | None
    levels: list[float]
    region: tuple[int, int, int, int]
    truncated: bool
    unknown: bool
    notes: list[str]
    model: str
    digest: str
    engine: str
    job: str
    pngs: list[bytes] = field(repr=False)
    other_pngs: list[bytes] = field(repr=False)

    @classmethod
    def parse(cls, body: Mapping[str, Any]) -> Self:
        """Read the JSON of `POST /inpaint` or of a job's result."""
        comparison = body["comparison"] or {"images": [], "levels": []}
        return cls(
            seeds=body["seeds"],
            scores=body["scores"],
            levels=comparison["levels"],
            region=tuple(body["region"]),
            truncated=body["caption_truncated"],
            unknown=body["caption_unknown"],
            notes=body["notes"],
            model=body["model"],
            digest=body["bundle"],
            engine=body["engine"],
            job=body["job_id"],
            pngs=[base64.b64decode(one) for one in body["images"]],
            other_pngs=[base64.b64decode(one) for one in comparison["images"]],
        )

    @property
    def images(self) -> list[Image.Image]:
        """The candidates for Pillow."""
        return [_open(png) for png in self.pngs]

    @property
    def others(self) -> list[Image.Image]:
        """The results for the second caption."""
        return [_open(png) for png in self.other_pngs]

    @property
    def image(self) -> Image.Image:
        """The first candidate."""
        return _open(self.pngs[0])

    def save(self, path: str | PathLike[str]) -> None:
        """Write the first candidate as PNG; an older file stays until then."""
        write_atomically(Path(path), self.pngs[0])


@dataclass(frozen=True)
class BatchResult:
    """The result of a batch.

    Attributes:
        pngs: the finished images by the name of their upload.
        lines: one record for each image of the batch, also of those that failed (`results.jsonl`).
    """

    pngs: dict[str, bytes] = field(repr=False)
    lines: list[dict[str, Any]]

    @classmethod
    def parse(cls, archive: bytes) -> Self:
        """Read the zip of `GET /batches/{id}/result`."""
        with zipfile.ZipFile(io.BytesIO(archive)) as files:
            lines = [json.loads(line) for line in files.read("results.jsonl").splitlines()]
            pngs = {line["name"]: files.read(line["file"]) for line in lines if line.get("file")}
        return cls(pngs, lines)

    @property
    def images(self) -> dict[str, Image.Image]:
        """The finished images for Pillow."""
        return {name: _open(png) for name, png in self.pngs.items()}

    @property
    def errors(self) -> dict[str, str]:
        """Why an image has no result, by its name."""
        unfinished = [line for line in self.lines if not line.get("file")]
        return {
            line["name"]: (line.get("problem") or {}).get("detail") or line["state"]
            for line in unfinished
        }


def check_end(status: JobStatus) -> None:
    """Raise `JobFailed` where a job has ended without a result."""
    if status.is_end and status.state != "done":
        raise JobFailed(f"The job ended as {status.state}", status.reason or "")


def images_of(body: Mapping[str, Any]) -> list[Image.Image]:
    """The images of an answer in OpenAI's form."""
    return [_open(base64.b64decode(one["b64_json"])) for one in body["data"]]


def _open(png: bytes) -> Image.Image:
    image = Image.open(io.BytesIO(png))
    image.load()
    return image
