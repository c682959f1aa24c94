"""Vectors of captions are computed once for all workers, in bounded memory."""

import numpy as np
import pytest
import redis

from captionfill.caption_vectors import CaptionVector, CaptionVectors
from service.worker.caption_cache import CaptionCache


class Lengths:
    """An encoder whose vectors tell the length of a caption; it counts its calls."""

    dimension = 8

    def __init__(self, name="sha256:one-f32"):
        self.cache_name, self.calls = name, []

    def encode(self, captions):
        self.calls.append(list(captions))
        return np.array([np.eye(8, dtype=np.float32)[len(caption) % 8] for caption in captions])

    def is_truncated(self, caption):
        return len(caption) > 20

    def is_unknown(self, caption):
        return not caption.isascii()


@pytest.fixture
def cache(settings):
    made = CaptionCache(settings)
    yield made
    made.wait()


def fill(encoder, cache, captions, **options):
    vectors = CaptionVectors(encoder, cache, **options).of(captions)
    cache.wait()
    return vectors


def entries(server, settings):
    return list(server.scan_iter(f"{{{settings.namespace}}}:captions:*"))


def test_another_worker_reads_the_vectors(settings, cache):
    first, second = Lengths(), Lengths()
    captions = ["a dog", "ein Café", "a caption of more than twenty characters"]
    mine = fill(first, cache, captions)
    theirs = fill(second, CaptionCache(settings), captions)
    assert (first.calls, second.calls) == ([captions], [])
    for caption in captions:
        assert mine[caption].vector.tobytes() == theirs[caption].vector.tobytes()
        assert mine[caption].truncated == theirs[caption].truncated
        assert mine[caption].unknown == theirs[caption].unknown
    assert [one.truncated for one in theirs.values()] == [False, False, True]
    assert [one.unknown for one in theirs.values()] == [False, True, False]


def test_encoders_do_not_read_each_others_vectors(cache):
    other = Lengths("sha256:one-bf16")
    fill(Lengths(), cache, ["a dog"])
    fill(other, cache, ["a dog"])
    assert other.calls == [["a dog"]]


def test_new_captions_of_a_batch_are_one_call(cache):
    fill(Lengths(), cache, ["a", "b"])
    encoder = Lengths()
    fill(encoder, cache, ["a", "c", "d", "c", "b"])
    assert encoder.calls == [["c", "d"]]


def test_entries_are_bounded_and_used_ones_stay(settings, server):
    cache = CaptionCache(settings.model_copy(update={"caption_cache": 10}))
    for number in range(40):
        fill(Lengths(), cache, ["in use", f"number {number}"])
        assert sum(server.hlen(key) for key in entries(server, settings)) <= 10
    encoder = Lengths()
    fill(encoder, cache, ["in use", "number 39", "number 0"])
    assert encoder.calls == [["number 0"]]
    assert all(0 < server.ttl(key) <= 86_400 for key in entries(server, settings))


def test_a_damaged_entry_is_computed_again(settings, server, cache):
    fill(Lengths(), cache, ["a dog"])
    for damaged in (b"", b"\0" * 33, b"\0" + b"\xff" * 32):
        for key in entries(server, settings):
            for name in server.hkeys(key):
                server.hset(key, name, damaged)
        encoder = Lengths()
        assert fill(encoder, cache, ["a dog"])["a dog"].vector[5] == 1
        assert encoder.calls == [["a dog"]]


def test_without_redis_vectors_are_computed(settings):
    now = [0.0]
    client = redis.Redis(port=1, protocol=2)
    cache = CaptionCache(settings, client, clock=lambda: now[0])
    encoder = Lengths()
    fill(encoder, cache, ["a dog"])
    assert encoder.calls == [["a dog"]]
    client.pipeline = lambda **_: pytest.fail("asked again at once")
    fill(encoder, cache, ["a cat"])
    now[0] = 6.0
    with pytest.raises(pytest.fail.Exception):
        fill(encoder, cache, ["a bird"])


def test_a_process_keeps_the_last_used_vectors():
    encoder = Lengths()
    vectors = CaptionVectors(encoder, capacity=2)
    vectors.of(["a", "b"])
    vectors.of(["a"])
    vectors.of(["c"])
    vectors.of(["a", "c"])
    assert encoder.calls == [["a", "b"], ["c"]]
    vectors.of(["b"])
    assert encoder.calls[2:] == [["b"]]


def test_vectors_survive_their_bytes():
    one = CaptionVector(np.eye(4, dtype=np.float32)[2], truncated=True, unknown=False)
    again = CaptionVector.from_bytes(one.to_bytes(), 4)
    assert (again.vector.tolist(), again.truncated, again.unknown) == ([0, 0, 1, 0], True, False)
    assert CaptionVector.from_bytes(one.to_bytes(), 5) is None
