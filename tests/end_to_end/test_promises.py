"""The three promises to users, through the real HTTP path."""

import io
import os
import signal
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from tests.helpers.images import encode_image

pytestmark = [pytest.mark.server, pytest.mark.slow]

through_http = settings(
    max_examples=25,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
captions = st.sampled_from(["a dog in the snow", "two boats", "ein rotes Haus", "a man on a bike"])
seeds = st.integers(0, 2**32 - 1)


@st.composite
def cases(draw):
    """A picture of any size and mode, and a region that is allowed in it (or none at 64×64)."""
    width, height = draw(st.sampled_from([(64, 64), (65, 64), (90, 130), (200, 120)]))
    mode = draw(st.sampled_from(["RGB", "RGBA", "L"]))
    pixels = np.random.default_rng(draw(seeds)).integers(0, 256, (height, width, 4), np.uint8)
    bands = {"RGB": 3, "RGBA": 4, "L": 1}[mode]
    longest = min(width, height) * 3 // 4
    w, h = draw(st.integers(4, longest)), draw(st.integers(4, longest))
    region = draw(st.integers(0, width - w)), draw(st.integers(0, height - h)), w, h
    if (width, height) == (64, 64) and draw(st.booleans()):
        region = 16, 16, 32, 32
    return pixels[..., :bands].squeeze(), region


def fill(client, pixels, region, caption, seed):
    fields = {"caption": caption, "seed": seed, "region": ",".join(map(str, region))}
    afresh = {"Cache-Control": "no-cache"}  # a kept answer would prove nothing
    answer = client.post(
        "/inpaint",
        files={"image": encode_image(Image.fromarray(pixels))},
        data=fields,
        headers=afresh,
    )
    assert answer.status_code == 200, answer.text
    return np.asarray(Image.open(io.BytesIO(answer.content))), answer


def inside(shape, x, y, w, h):
    mask = np.zeros(shape[:2], bool)
    mask[y : y + h, x : x + w] = True
    return mask


@through_http
@given(cases(), captions, seeds, seeds)
def test_the_hidden_centre_never_matters(client, case, caption, seed, other):
    pixels, region = case
    hidden = pixels.copy()
    mask = inside(pixels.shape, *region)
    hidden[mask] = np.random.default_rng(other).integers(0, 256, hidden[mask].shape, np.uint8)
    one, _ = fill(client, pixels, region, caption, seed)
    two, _ = fill(client, hidden, region, caption, seed)
    assert np.array_equal(one, two)


@through_http
@given(cases(), captions, seeds)
def test_nothing_outside_the_hole_changes_by_one_bit(client, case, caption, seed):
    pixels, region = case
    filled, _ = fill(client, pixels, region, caption, seed)
    before = np.asarray(Image.fromarray(pixels).convert("RGBA" if filled.shape[2] == 4 else "RGB"))
    outside = ~inside(pixels.shape, *region)
    assert filled.shape == before.shape and np.array_equal(filled[outside], before[outside])


def waiting(client):
    """How many tasks wait, in whichever stream."""
    streams = client.scan_iter("{captionfill}:jobs*", _type="stream")
    return sum(client.xlen(name) for name in streams)


def queued_together(service, client, jobs):
    """Post all jobs while the worker stands still, so that they make one batch."""
    worker = service.worker_pid()
    os.kill(worker, signal.SIGSTOP)
    try:
        with ThreadPoolExecutor(len(jobs)) as pool:
            answers = [pool.submit(fill, client, *job) for job in jobs]
            deadline = time.monotonic() + 60
            while waiting(service.queue) < len(jobs):
                assert time.monotonic() < deadline
                time.sleep(0.01)
            os.kill(worker, signal.SIGCONT)
            return [answer.result() for answer in answers]
    finally:
        os.kill(worker, signal.SIGCONT)


@settings(through_http, max_examples=6)
@given(st.lists(st.tuples(cases(), captions, seeds), min_size=7, max_size=9))
def test_result_is_the_same_alone_or_batched(service, client, batch):
    jobs = [(*case, caption, seed) for case, caption, seed in batch]
    alone = [fill(client, *job)[0] for job in jobs]
    together = queued_together(service, client, jobs)
    assert max(int(answer.headers["x-batch-size"]) for _, answer in together) >= 4
    assert all(np.array_equal(a, b) for a, (b, _) in zip(alone, together, strict=True))
