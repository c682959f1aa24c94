"""Valid requests of every kind, with checks that the responses are exactly right."""

import asyncio
import base64
import io
import json
import random
import zipfile
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from tests.helpers.archives import zip_bytes
from tests.reliability.harness.raw_http import (
    FORM,
    Fields,
    RawClient,
    RawResponse,
    WrongResponseError,
    multipart_form,
)
from tests.reliability.harness.sample_images import Box, SampleImage, mask_for

CAPTION = "a tabby cat on a windowsill"  # none of it may ever be found in a log
# Pages for people, and what describes the service.
PAGES = [
    "/", "/page/main.js", "/page/style.css", "/page/examples.json", "/page/cat.webp", "/docs",
    "/docs/start.js", "/docs/swagger-ui.css", "/openapi.json", "/problems/queue-full",
]  # fmt: skip
_POLLS, _PAUSE = 600, 0.1


class ValidClient:
    """One client's way through the service; every answer is checked to the pixel.

    Seeds are above those that make the stub model fail.
    """

    def __init__(self, client: RawClient, pictures: list[SampleImage], rng: random.Random) -> None:
        self.client, self.rng = client, rng
        self.sample = rng.choice(pictures)
        self.others = rng.sample(pictures, 2)
        self.seed = rng.randrange(1000, 2**32 - 100)

    async def one_picture(self) -> None:
        """POST /inpaint for a PNG, the region named or not."""
        box = self.sample.centre() if self.rng.random() < 0.3 else self.sample.region(self.rng)
        reply = await self._inpaint(box, {"Accept": "image/png"})
        self.sample.check(reply.body, box, self.seed % 256)

    async def candidates(self) -> None:
        """POST /inpaint for several pictures, with another caption to compare."""
        box = self.sample.region(self.rng)
        count = self.rng.randint(2, 3)
        reply = await self._inpaint(box, {}, {"n": str(count), "compare": "a dog"})
        body = reply.json()
        require(body["seeds"] == [self.seed + i for i in range(count)], "seeds")
        for brighter, images in enumerate((body["images"], body["comparison"]["images"])):
            require(len(images) == count, "number of pictures")
            for at, image in enumerate(images):
                level = (self.seed + at + brighter) % 256
                self.sample.check(base64.b64decode(image), box, level)

    async def as_json(self) -> None:
        """POST /inpaint/json and a job's result as JSON, as generated clients do."""
        box = self.sample.region(self.rng)
        reply = await self._inpaint(box, {}, path="/inpaint/json")
        self.sample.check(base64.b64decode(reply.json()["images"][0]), box, self.seed % 256)
        later = {"Prefer": "respond-async"}
        reply = await self._inpaint(box, later, status=202, path="/inpaint/json")
        place = reply.headers["location"]
        await self._until_done(place, lambda message: message["state"])
        message = (await self._get(f"{place}/result/json")).json()
        self.sample.check(base64.b64decode(message["images"][0]), box, self.seed % 256)

    async def later(self) -> None:
        """A job, looked at until it is done; its result is fetched, then known by its ETag."""
        box = self.sample.region(self.rng)
        place = (await self._inpaint(box, {"Prefer": "respond-async"}, status=202)).headers[
            "location"
        ]
        await self._until_done(place, lambda message: message["state"])
        reply = await self._get(f"{place}/result")
        self.sample.check(reply.body, box, self.seed % 256)
        known = {"If-None-Match": reply.headers["etag"]}
        again = await self.client.ask("GET", f"{place}/result", headers=known)
        require(again.status == 304, f"304, not {again.status}")

    async def events(self) -> None:
        """A job, followed by its events up to the end."""
        box = self.sample.region(self.rng)
        reply = await self._inpaint(box, {"Prefer": "respond-async"}, status=202)
        story = await self._get(f"{reply.headers['location']}/events")
        require(b"event: done" in story.body, "an event for the end")

    async def event_source(self) -> None:
        """A job, followed at its signed address, without a key."""
        box = self.sample.region(self.rng)
        reply = await self._inpaint(box, {"Prefer": "respond-async"}, status=202)
        address = reply.json()["links"]["event_source"]
        story = await self.client.ask("GET", address, headers={"X-API-Key": ""})
        require(story.status == 200 and b"event: done" in story.body, "an event for the end")

    async def cancelled(self) -> None:
        """A job, taken back: nothing of it is given out afterwards."""
        box = self.sample.region(self.rng)
        reply = await self._inpaint(box, {"Prefer": "respond-async"}, status=202)
        place = reply.headers["location"]
        gone = await self.client.ask("DELETE", place)
        require(gone.status == 204, f"204, not {gone.status}")
        reply = await self.client.ask("GET", f"{place}/result")
        require(reply.status in (404, 410), f"404 or 410, not {reply.status}")

    async def once(self) -> None:
        """The same Idempotency-Key twice: one job, one answer."""
        box = self.sample.region(self.rng)
        key = {"Idempotency-Key": f"{self.rng.getrandbits(64):x}"}
        first, second = [await self._inpaint(box, key) for _ in range(2)]
        require(first.headers["x-job-id"] == second.headers["x-job-id"], "one job")
        self.sample.check(second.body, box, self.seed % 256)

    async def archive(self) -> None:
        """A zip of pictures, of which one is broken; the others come back in a zip."""
        names = {f"{i}.png": sample for i, sample in enumerate(self.others)}
        entries = {name: sample.data for name, sample in names.items()} | {"broken.png": b"no"}
        rows = [{"file_name": name, "caption": CAPTION} for name in entries]
        lines = "".join(json.dumps(row) + "\n" for row in rows).encode()
        body = multipart_form(
            [("archive", zip_bytes({**entries, "metadata.jsonl": lines})), *self._flat]
        )
        await self._batch(body, refused=1)

    async def pairs(self) -> None:
        """A batch of pictures with a caption each."""
        fields = [field for s in self.others for field in (("image", s.data), ("caption", CAPTION))]
        await self._batch(multipart_form([*fields, *self._flat]), refused=0)

    async def edit(self) -> None:
        """POST /v1/images/edits as OpenAI's clients do it."""
        box = self.sample.region(self.rng)
        fields = [("image", self.sample.data), ("mask", mask_for(self.sample, box))]
        body = multipart_form([*fields, ("prompt", CAPTION), ("n", "2"), *self._flat])
        reply = await self._post("/v1/images/edits", body)
        for at, image in enumerate(reply.json()["data"]):
            png = base64.b64decode(image["b64_json"])
            self.sample.check(png, box, (self.seed + at) % 256)

    async def reading(self) -> None:
        """Pages that tell of the service."""
        await self._get(self.rng.choice([*PAGES, "/healthz", "/readyz", "/v1/models"]))

    @property
    def _flat(self) -> Fields:
        """Fields with which the region is the stub model's level and nothing else."""
        return [("seed", str(self.seed)), ("detail", "none")]

    async def _inpaint(
        self,
        box: Box,
        headers: Mapping[str, str],
        fields: Mapping[str, str] | None = None,
        status: int = 200,
        path: str = "/inpaint",
    ) -> RawResponse:
        named: Fields = [] if box == self.sample.centre() else [("region", ",".join(map(str, box)))]
        asked: Fields = [("image", self.sample.data), ("caption", CAPTION), *self._flat, *named]
        body = multipart_form([*asked, *(fields or {}).items()], self.sample.name)
        return await self._post(path, body, headers, status)

    async def _post(
        self, path: str, body: bytes, headers: Mapping[str, str] | None = None, status: int = 200
    ) -> RawResponse:
        reply = await self.client.ask("POST", path, body, {"Content-Type": FORM, **(headers or {})})
        require(reply.status == status, f"{status}, not {reply.status} {reply.slug}")
        return reply

    async def _get(self, path: str) -> RawResponse:
        reply = await self.client.ask("GET", path)
        require(reply.status == 200, f"200, not {reply.status} {reply.slug}")
        return reply

    async def _until_done(self, place: str, state: Callable[[Any], str]) -> None:
        for _ in range(_POLLS):
            body = state((await self._get(place)).json())
            if body == "done":
                return
            require(body in ("queued", "running"), f"done, not {body}")
            await asyncio.sleep(_PAUSE)
        raise WrongResponseError("not done in a minute")

    async def _batch(self, body: bytes, refused: int) -> None:
        place = (await self._post("/batches", body, status=202)).headers["location"]
        await self._until_done(place, lambda message: message["state"])
        result = await self._get(f"{place}/result")
        with zipfile.ZipFile(io.BytesIO(result.body)) as archive:
            lines = [json.loads(line) for line in archive.read("results.jsonl").splitlines()]
            require(len(lines) == len(self.others) + refused, "a line for each picture")
            for sample, line in zip(self.others, lines, strict=False):
                sample.check(archive.read(line["file"]), sample.centre(), self.seed % 256)
        require(sum(line["state"] == "refused" for line in lines) == refused, "what is refused")


def require(fact: bool, what: str) -> None:
    if not fact:
        raise WrongResponseError(f"expected {what}")


# How often each way is taken.
WEIGHTS: dict[Callable[[ValidClient], Awaitable[None]], int] = {
    ValidClient.one_picture: 50,
    ValidClient.candidates: 10,
    ValidClient.as_json: 4,
    ValidClient.later: 8,
    ValidClient.events: 3,
    ValidClient.event_source: 3,
    ValidClient.cancelled: 3,
    ValidClient.once: 5,
    ValidClient.archive: 3,
    ValidClient.pairs: 3,
    ValidClient.edit: 7,
    ValidClient.reading: 8,
}


def choose(rng: random.Random) -> Callable[[ValidClient], Awaitable[None]]:
    """One way, by its weight."""
    return rng.choices(list(WEIGHTS), list(WEIGHTS.values()))[0]
