"""`Client`: the HTTP API for synchronous programs."""

import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Self

import httpx
from PIL import Image

from captionfill.client.progress import progress_bar
from captionfill.client.requests import (
    EventParser,
    ImageSource,
    Request,
    Retries,
    auth_headers,
    batch_request,
    edit_request,
    inpaint_request,
    job_id,
    result_request,
)
from captionfill.client.results import (
    BatchResult,
    JobStatus,
    RemoteResult,
    check_end,
    images_of,
)

DEFAULT_URL = "http://127.0.0.1:8000"
OnStatus = Callable[[JobStatus], None]
POLL_SECONDS = 0.5


class Client:
    """Calls a captionfill service. Use it in a `with` statement, or call `close`.

    Requests that fail for a reason that may pass (no connection, 429, 5xx) are sent again after
    growing pauses. They carry an Idempotency-Key, so that the service runs each of them once.
    """

    def __init__(
        self,
        base_url: str = DEFAULT_URL,
        *,
        key: str | None = None,
        timeout: float = 90.0,
        attempts: int = 6,
    ) -> None:
        """Connect at the first request.

        Args:
            base_url: of the service, with its root path if it has one.
            key: API key.
            timeout: of each attempt, in seconds.
            attempts: at most so many for each request.
        """
        self._attempts = attempts
        self._http = httpx.Client(base_url=base_url, headers=auth_headers(key), timeout=timeout)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close all connections."""
        self._http.close()

    def inpaint(self, image: ImageSource, caption: str, **fields: Any) -> RemoteResult:
        """Fill a region of an image and wait for the result.

        Args:
            image: path, encoded PNG, JPEG or WebP, or a Pillow image.
            caption: what the whole image shows.
            fields: `compare`, `region` (left, top, width, height), `mask` (an image, in the place
                of a region), `seed`, `n`, `temperature`, `detail` and `model`, as of
                `POST /inpaint`.

        Raises:
            ServiceError: the request was refused, or all attempts failed.
            OSError: the image cannot be read.
        """
        request = inpaint_request(image, caption, fields, background=False)
        return RemoteResult.parse(self._send(request).json())

    def submit(self, image: ImageSource, caption: str, **fields: Any) -> JobStatus:
        """Start a background job; `wait` for its result. Arguments as of `inpaint`."""
        request = inpaint_request(image, caption, fields, background=True)
        return JobStatus.parse(self._send(request).json())

    def status(self, job: JobStatus | str) -> JobStatus:
        """The state of a job."""
        return JobStatus.parse(self._send(Request("GET", f"/jobs/{job_id(job)}")).json())

    def events(self, job: JobStatus | str) -> Iterator[JobStatus]:
        """Follow a job to its end. A stream that breaks is continued after its last event."""
        events, retries = EventParser(), Retries(self._attempts)
        while True:
            try:
                address = f"/jobs/{job_id(job)}/events"
                with self._http.stream("GET", address, headers=events.headers) as response:
                    if not response.is_success:
                        response.read()
                    pause = retries.after_response(response)
                    for line in response.iter_lines() if pause is None else ():
                        retries = Retries(self._attempts)
                        for status in events.feed(line):
                            yield status
                            if status.is_end:
                                return
                    if response.status_code == httpx.codes.NO_CONTENT:
                        return
            except httpx.TransportError as error:
                pause = retries.after_error(error)
            time.sleep(pause or POLL_SECONDS)

    def wait(self, job: JobStatus | str, on_status: OnStatus | None = None) -> RemoteResult:
        """Wait for a job and return its result.

        Args:
            job: of `submit`, or its id.
            on_status: called with each new state.

        Raises:
            JobFailed: the job ended without a result.
            ServiceError: the job is unknown, or all attempts failed.
        """
        for status in self.events(job):
            if on_status is not None:
                on_status(status)
            check_end(status)
        return RemoteResult.parse(self._send(result_request(job)).json())

    def cancel(self, job: JobStatus | str) -> None:
        """Cancel a job, or delete one that has ended."""
        self._send(Request("DELETE", f"/jobs/{job_id(job)}"))

    def batch(
        self,
        items: Mapping[str, tuple[ImageSource, str]],
        *,
        progress: bool = False,
        **fields: Any,
    ) -> BatchResult:
        """Fill many images as one batch of low priority, and wait for all of them.

        Args:
            items: image and caption by a name of each.
            progress: show a progress bar on standard error.
            fields: `seed`, `temperature`, `detail`, `region` or `mask`, and `model`, for all
                images.

        Returns:
            The finished images and a record of every image; one bad image does not fail the batch.

        Raises:
            ServiceError: the batch was refused, or all attempts failed.
        """
        batch = self._send(batch_request(items, fields)).json()
        with progress_bar(batch["total"], enabled=progress) as show:
            while show(batch)["state"] != "done":
                time.sleep(POLL_SECONDS)
                batch = self._send(Request("GET", f"/batches/{batch['id']}")).json()
        response = self._send(Request("GET", f"/batches/{batch['id']}/result"))
        return BatchResult.parse(response.content)

    def edits(
        self, image: ImageSource, prompt: str, mask: ImageSource | None = None, **fields: Any
    ) -> list[Image.Image]:
        """Fill the transparent pixels of a mask, or of the image, as OpenAI's clients do."""
        return images_of(self._send(edit_request(image, prompt, mask, fields)).json())

    def models(self) -> list[dict[str, Any]]:
        """The bundles that workers have loaded."""
        models: list[dict[str, Any]] = self._send(Request("GET", "/v1/models")).json()["data"]
        return models

    def _send(self, request: Request) -> httpx.Response:
        retries = Retries(self._attempts)
        while True:
            try:
                response = self._http.request(**request.arguments())
                pause = retries.after_response(response)
                if pause is None:
                    return response
            except httpx.TransportError as error:
                pause = retries.after_error(error)
            time.sleep(pause)
