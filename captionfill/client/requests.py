"""Requests and retries that the synchronous and the asynchronous client share."""

import io
import json
import random
import secrets
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from os import PathLike, fspath
from pathlib import Path
from typing import Any

import httpx
from PIL import Image

from captionfill.client.results import JobStatus, ServiceError

ImageSource = str | PathLike[str] | bytes | Image.Image
"""A path, an encoded image, or an image of Pillow, which is sent as PNG."""

# A response that says that the same request may succeed later.
_RETRIED = frozenset({408, 429, 500, 502, 503, 504, 507})
_FIRST_PAUSE, _LONGEST_PAUSE = 0.25, 30.0


@dataclass(frozen=True)
class Request:
    """One HTTP request that may be sent more than once."""

    method: str
    path: str
    headers: dict[str, str] = field(default_factory=dict)
    data: dict[str, Any] = field(default_factory=dict)
    files: list[tuple[str, tuple[str, bytes]]] = field(default_factory=list)
    params: dict[str, str] = field(default_factory=dict)

    def arguments(self) -> dict[str, Any]:
        """Arguments of httpx's `request`."""
        return {
            "method": self.method,
            "url": self.path,
            "headers": self.headers,
            "data": self.data or None,
            "files": self.files or None,
            "params": self.params or None,
        }


def inpaint_request(
    image: ImageSource, caption: str, fields: Mapping[str, Any], *, background: bool
) -> Request:
    """`POST /inpaint`. A key makes the service run a repeated request once."""
    headers = {"Accept": "application/json", "Idempotency-Key": secrets.token_hex(16)}
    if background:
        headers["Prefer"] = "respond-async"
    data = {"caption": caption} | form_fields(fields)
    files = [("image", upload(image)), *_mask_file(fields)]
    return Request("POST", "/inpaint", headers, data, files)


def batch_request(
    items: Mapping[str, tuple[ImageSource, str]], fields: Mapping[str, Any]
) -> Request:
    """`POST /batches`, as pairs of image and caption in one order."""
    files = [("image", (name, upload(image)[1])) for name, (image, _) in items.items()]
    files += _mask_file(fields)
    data = {"caption": [caption for _, caption in items.values()]} | form_fields(fields)
    return Request("POST", "/batches", {"Idempotency-Key": secrets.token_hex(16)}, data, files)


def edit_request(
    image: ImageSource, prompt: str, mask: ImageSource | None, fields: Mapping[str, Any]
) -> Request:
    """`POST /v1/images/edits`."""
    headers = {"Idempotency-Key": secrets.token_hex(16)}
    files = [("image", upload(image)), *_mask_file({"mask": mask})]
    return Request(
        "POST", "/v1/images/edits", headers, {"prompt": prompt} | form_fields(fields), files
    )


def result_request(job: JobStatus | str) -> Request:
    """The result of a job as JSON."""
    return Request("GET", f"/jobs/{job_id(job)}/result", {"Accept": "application/json"})


def job_id(job: JobStatus | str) -> str:
    """The id of a job."""
    return job.id if isinstance(job, JobStatus) else job


def auth_headers(key: str | None) -> dict[str, str]:
    """Headers of every request."""
    return {"Authorization": f"Bearer {key}"} if key else {}


def form_fields(fields: Mapping[str, Any]) -> dict[str, str]:
    """The fields that are set, as text; a region as `x,y,width,height`. A mask is a file."""
    return {
        name: _text(value) for name, value in fields.items() if value is not None and name != "mask"
    }


def _mask_file(fields: Mapping[str, Any]) -> list[tuple[str, tuple[str, bytes]]]:
    mask = fields.get("mask")
    return [] if mask is None else [("mask", upload(mask))]


def _text(value: Any) -> str:
    if isinstance(value, Sequence) and not isinstance(value, str):
        return ",".join(map(str, value))
    return str(value)


def upload(image: ImageSource) -> tuple[str, bytes]:
    """File name and bytes of an image.

    Raises:
        OSError: the file cannot be read.
    """
    if isinstance(image, bytes):
        return "image", image
    if isinstance(image, Image.Image):
        out = io.BytesIO()
        image.save(out, "PNG")
        return "image.png", out.getvalue()
    return Path(fspath(image)).name, Path(image).read_bytes()


class Retries:
    """Decides whether a request is sent again, and when: exponential pauses with jitter.

    Raises what the last attempt ended with once the attempts are used up.
    """

    def __init__(self, attempts: int) -> None:
        self._left = attempts
        self._pause = _FIRST_PAUSE

    def after_error(self, error: httpx.TransportError) -> float:
        """Seconds to wait after an attempt that got no response."""
        problem = ServiceError("The service cannot be reached", str(error) or type(error).__name__)
        return self._next(problem, retry=True)

    def after_response(self, response: httpx.Response) -> float | None:
        """Seconds to wait after a response that is no success; None where it is one."""
        if response.is_success or response.status_code == httpx.codes.NOT_MODIFIED:
            return None
        return self._next(problem_of(response), retry=response.status_code in _RETRIED)

    def _next(self, problem: ServiceError, *, retry: bool) -> float:
        self._left -= 1
        if not retry or self._left < 1:
            raise problem
        pause = max(problem.retry_after, self._pause * random.uniform(0.5, 1.5))  # noqa: S311
        self._pause = min(self._pause * 2, _LONGEST_PAUSE)
        return min(pause, _LONGEST_PAUSE)


def problem_of(response: httpx.Response) -> ServiceError:
    """The error of a response whose body is read."""
    try:
        body = response.json()
    except ValueError:
        body = {}
    seconds = response.headers.get("Retry-After", "")
    return ServiceError(
        body.get("title") or f"HTTP status {response.status_code}",
        body.get("detail") or "",
        response.status_code,
        body.get("type") or "",
        float(seconds) if seconds.isdecimal() else 0,
    )


class EventParser:
    """Reads lines of a `text/event-stream`: each complete event is a job's status."""

    def __init__(self) -> None:
        self.last_id = ""
        self._data: list[str] = []

    def feed(self, line: str) -> Iterator[JobStatus]:
        """Take one line without its end; yield the status that it completes."""
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if line == "" and self._data:
            yield JobStatus.parse(json.loads("\n".join(self._data)))
            self._data = []
        elif name == "data":
            self._data.append(value)
        elif name == "id":
            self.last_id = value

    @property
    def headers(self) -> dict[str, str]:
        """Headers that continue the stream after the last event."""
        return {"Last-Event-ID": self.last_id} if self.last_id else {}
