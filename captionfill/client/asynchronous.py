"""`AsyncClient`: the HTTP API for asyncio programs. Its methods are those of `Client`."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from typing import Any, Self

import httpx
from PIL import Image

from captionfill.client.client import DEFAULT_URL, POLL_SECONDS, OnStatus
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
from captionfill.client.results import BatchResult, JobStatus, RemoteResult, check_end, images_of


class AsyncClient:
    """Calls a captionfill service, as `Client` does. Use it in an `async with` statement."""

    def __init__(
        self,
        base_url: str = DEFAULT_URL,
        *,
        key: str | None = None,
        timeout: float = 90.0,
        attempts: int = 6,
    ) -> None:
        """Connect at the first request; see `Client`."""
        self._attempts = attempts
        self._http = httpx.AsyncClient(
            base_url=base_url, headers=auth_headers(key), timeout=timeout
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Close all connections."""
        await self._http.aclose()

    async def inpaint(self, image: ImageSource, caption: str, **fields: Any) -> RemoteResult:
        """Fill a region of an image; see `Client.inpaint`."""
        response = await self._send(inpaint_request(image, caption, fields, background=False))
        return RemoteResult.parse(response.json())

    async def submit(self, image: ImageSource, caption: str, **fields: Any) -> JobStatus:
        """Start a background job; see `Client.submit`."""
        response = await self._send(inpaint_request(image, caption, fields, background=True))
        return JobStatus.parse(response.json())

    async def status(self, job: JobStatus | str) -> JobStatus:
        """The state of a job."""
        response = await self._send(Request("GET", f"/jobs/{job_id(job)}"))
        return JobStatus.parse(response.json())

    async def events(self, job: JobStatus | str) -> AsyncIterator[JobStatus]:
        """Follow a job to its end; see `Client.events`."""
        events, retries = EventParser(), Retries(self._attempts)
        while True:
            try:
                address = f"/jobs/{job_id(job)}/events"
                async with self._http.stream("GET", address, headers=events.headers) as response:
                    if not response.is_success:
                        await response.aread()
                    pause = retries.after_response(response)
                    if pause is None:
                        async for line in response.aiter_lines():
                            retries = Retries(self._attempts)
                            for status in events.feed(line):
                                yield status
                                if status.is_end:
                                    return
                    if response.status_code == httpx.codes.NO_CONTENT:
                        return
            except httpx.TransportError as error:
                pause = retries.after_error(error)
            await asyncio.sleep(pause or POLL_SECONDS)

    async def wait(self, job: JobStatus | str, on_status: OnStatus | None = None) -> RemoteResult:
        """Wait for a job and return its result; see `Client.wait`."""
        async for status in self.events(job):
            if on_status is not None:
                on_status(status)
            check_end(status)
        response = await self._send(result_request(job))
        return RemoteResult.parse(response.json())

    async def cancel(self, job: JobStatus | str) -> None:
        """Cancel a job, or delete one that has ended."""
        await self._send(Request("DELETE", f"/jobs/{job_id(job)}"))

    async def batch(
        self,
        items: Mapping[str, tuple[ImageSource, str]],
        *,
        progress: bool = False,
        **fields: Any,
    ) -> BatchResult:
        """Fill many images as one batch; see `Client.batch`."""
        batch = (await self._send(batch_request(items, fields))).json()
        with progress_bar(batch["total"], enabled=progress) as show:
            while show(batch)["state"] != "done":
                await asyncio.sleep(POLL_SECONDS)
                batch = (await self._send(Request("GET", f"/batches/{batch['id']}"))).json()
        response = await self._send(Request("GET", f"/batches/{batch['id']}/result"))
        return BatchResult.parse(response.content)

    async def edits(
        self, image: ImageSource, prompt: str, mask: ImageSource | None = None, **fields: Any
    ) -> list[Image.Image]:
        """Fill the pixels of a mask, or the transparent ones of the image; see `Client.edits`."""
        return images_of((await self._send(edit_request(image, prompt, mask, fields))).json())

    async def models(self) -> list[dict[str, Any]]:
        """The bundles that workers have loaded."""
        response = await self._send(Request("GET", "/v1/models"))
        models: list[dict[str, Any]] = response.json()["data"]
        return models

    async def _send(self, request: Request) -> httpx.Response:
        retries = Retries(self._attempts)
        while True:
            try:
                response = await self._http.request(**request.arguments())
                pause = retries.after_response(response)
                if pause is None:
                    return response
            except httpx.TransportError as error:
                pause = retries.after_error(error)
            await asyncio.sleep(pause)
