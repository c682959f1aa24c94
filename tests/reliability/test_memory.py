"""The memory suite, shortened; and a leak in each process, which it must see."""

import numpy as np
import pytest

from tests.reliability.memory import Bounds, MemorySeries, measure

# The API's heap grows for some 400 requests, on a busy core for more, which are most of so few:
# what comes before the middle is left out.
SHORT = Bounds(slope=15.0, growth=12.0, warm_up=0.5)
REQUESTS, SAMPLES = 720, 24
LEAK_KIB = "512"  # of most requests: a few hundred MiB a thousand


@pytest.mark.slow
def test_the_memory_of_api_and_worker_is_flat(tmp_path):
    figures = measure(tmp_path, REQUESTS, SHORT, samples=SAMPLES)
    assert figures["broken"] == [] and figures["answers"]["200"] > REQUESTS / 2


@pytest.mark.slow
def test_a_leak_in_either_process_is_seen(tmp_path, monkeypatch):
    monkeypatch.setenv("LEAK_KIB", LEAK_KIB)
    figures = measure(tmp_path, REQUESTS, SHORT, "leak-api,leak-worker", samples=SAMPLES)
    assert figures["broken"] == ["api grows", "worker grows"]


def test_two_samples_at_one_request_count_are_harmless():
    course = MemorySeries([10, 20, 20, 30, 40], [50.0, 50.0, 50.0, 50.0, 50.0])
    assert course.slope(warm_up=0.3) == 0


@pytest.mark.parametrize(("leak", "flat"), [(0, True), (0.3, True), (1.0, False)])
def test_whole_run_bounds_tell_a_leak_from_noise(leak, flat):
    noise = np.random.default_rng(0).normal(0, 1, 100)
    course = MemorySeries()
    for part in range(1, 101):
        sent = part * 200
        course.add(sent, 90 + min(part, 20) + leak * sent / 1000 + noise[part - 1])
    assert course.is_flat(Bounds()) == flat
