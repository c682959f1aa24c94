"""Clients that ask for fills, check every pixel of what they get, and keep account of it."""

import asyncio
import io
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import httpx
import numpy as np
from PIL import Image

# Below are the seeds of bad luck and of poison.
FIRST_SEED = 1000
_RETRY_SECONDS = 0.2


def picture(seed: int = 0) -> bytes:
    """A 64×64 PNG of noise."""
    pixels = np.random.default_rng(seed).integers(0, 256, (64, 64, 3), np.uint8)
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "PNG", compress_level=1)
    return out.getvalue()


PICTURE = picture()
_PIXELS = np.asarray(Image.open(io.BytesIO(PICTURE)))


def is_right(seed: int, answer: bytes) -> bool:
    """Whether the answer is the picture with its centre in the level of the seed."""
    expected = _PIXELS.copy()
    expected[16:48, 16:48] = seed % 256
    return np.array_equal(np.asarray(Image.open(io.BytesIO(answer))), expected)


@dataclass
class Tally:
    """What became of the requests: each ends in exactly one of right, wrong and lost."""

    right: int = 0
    wrong: int = 0
    lost: int = 0
    retries: Counter[str] = field(default_factory=Counter)
    problems: Counter[str] = field(default_factory=Counter)

    @property
    def asked(self) -> int:
        return self.right + self.wrong + self.lost


async def ask(client: httpx.AsyncClient, seed: int, tally: Tally, *, retry: bool) -> None:
    """Ask for one fill, again and again if need be: under its key it is the same job."""
    headers = {"Idempotency-Key": f"seed-{seed}"}
    form = {"caption": "a cat", "seed": str(seed)}
    for _ in range(600):
        try:
            answer = await client.post(
                "/inpaint", files={"image": PICTURE}, data=form, headers=headers
            )
        except httpx.TransportError as error:
            trouble = type(error).__name__
        else:
            if answer.status_code == 200:
                good = is_right(seed, answer.content)
                tally.right, tally.wrong = tally.right + good, tally.wrong + (not good)
                return
            trouble = answer.json().get("type", "").rpartition("/")[2]
            tally.problems[trouble] += 1
            if answer.status_code != 503:
                break
        if not retry:
            break
        tally.retries[trouble] += 1
        await asyncio.sleep(_RETRY_SECONDS)
    tally.lost += 1


async def storm(
    address: str,
    seeds: Iterable[int],
    *,
    at_once: int = 48,
    retry: bool = True,
    fresh_connections: bool = False,
    told: Callable[[Tally], None] = lambda _: None,
) -> Tally:
    """Ask for many fills, so many at once."""
    tally = Tally()
    waiting = iter(seeds)
    keep = 0 if fresh_connections else at_once
    limits = httpx.Limits(max_connections=at_once, max_keepalive_connections=keep)

    async with httpx.AsyncClient(base_url=address, timeout=90, limits=limits) as client:

        async def one_after_another() -> None:
            for seed in waiting:
                await ask(client, seed, tally, retry=retry)
                told(tally)

        await asyncio.gather(*(one_after_another() for _ in range(at_once)))
    return tally


@asynccontextmanager
async def in_background(
    work: Callable[[], object], pause: float, begin: asyncio.Event | None = None
) -> AsyncIterator[None]:
    """Do something now and then, in a thread, for as long as the context lasts.

    Args:
        work: what to do.
        pause: seconds between two times.
        begin: do it as soon as this is set for the first time; without it, after a pause.
    """

    async def run() -> None:
        await (begin.wait() if begin else asyncio.sleep(pause))
        while True:
            await asyncio.to_thread(work)
            await asyncio.sleep(pause)

    task = asyncio.create_task(run())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
