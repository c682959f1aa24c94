"""Load generator: concurrent clients that request fills, check every pixel and count results."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import httpx
import numpy as np

from tests.helpers.images import decode_image, encode_image, noise_image, noise_pixels

# Above the seeds that make the stub model fail, crash or hang.
FIRST_SEED = 1000
_RETRY_SECONDS = 0.2


PICTURE = encode_image(noise_image(), compress_level=1)
_PIXELS = noise_pixels(64, 64)


def is_right(seed: int, answer: bytes) -> bool:
    """Whether the answer is the image with its centre in the grey level of the seed."""
    expected = _PIXELS.copy()
    expected[16:48, 16:48] = seed % 256
    return np.array_equal(decode_image(answer), expected)


@dataclass
class Tally:
    """Counts of results: each request ends as exactly one of right, wrong and lost."""

    right: int = 0
    wrong: int = 0
    lost: int = 0
    retries: Counter[str] = field(default_factory=Counter)
    problems: Counter[str] = field(default_factory=Counter)

    @property
    def asked(self) -> int:
        return self.right + self.wrong + self.lost


async def request_fill(client: httpx.AsyncClient, seed: int, tally: Tally, *, retry: bool) -> None:
    """Request one fill, with retries: the idempotency key makes them the same job."""
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


async def run_load(
    address: str,
    seeds: Iterable[int],
    *,
    at_once: int = 48,
    retry: bool = True,
    fresh_connections: bool = False,
    on_answer: Callable[[Tally], None] = lambda _: None,
) -> Tally:
    """Request a fill for each seed, `at_once` at a time."""
    tally = Tally()
    waiting = iter(seeds)
    keep = 0 if fresh_connections else at_once
    limits = httpx.Limits(max_connections=at_once, max_keepalive_connections=keep)

    async with httpx.AsyncClient(base_url=address, timeout=90, limits=limits) as client:

        async def one_after_another() -> None:
            for seed in waiting:
                await request_fill(client, seed, tally, retry=retry)
                on_answer(tally)

        await asyncio.gather(*(one_after_another() for _ in range(at_once)))
    return tally


@asynccontextmanager
async def in_background(
    work: Callable[[], object], pause: float, begin: asyncio.Event | None = None
) -> AsyncIterator[None]:
    """Call a function periodically, in a thread, while the context lasts.

    Args:
        work: the function.
        pause: seconds between two calls.
        begin: the first call is made when this is set; without it, after a pause.
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
