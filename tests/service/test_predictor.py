import numpy as np
import pytest

from service.errors import StartError
from service.jobs import Job
from service.predictor import Predictor


@pytest.fixture(scope="module")
def predictor(tiny_bundle):
    return Predictor.load(tiny_bundle)


def job(seed, count=1, caption="a cat"):
    window = np.random.default_rng(seed).integers(0, 256, 12288, np.uint8).tobytes()
    return Job.new(window, caption, seed, count)


def test_a_batch_gives_each_job_what_it_gets_alone(predictor):
    jobs = [job(seed, caption=f"picture {seed % 3}") for seed in range(6)]
    assert predictor.predict(jobs) == [predictor.predict([one])[0] for one in jobs]


def test_a_batch_as_one_tensor_differs_by_one_level_at_most(predictor, monkeypatch):
    jobs = [job(seed, count=2) for seed in range(4)]
    alone = predictor.predict(jobs)
    monkeypatch.setattr(predictor, "_one_by_one", False)
    together = predictor.predict(jobs)
    levels = [np.frombuffer(b"".join(fills), np.uint8).astype(int) for fills in (alone, together)]
    assert abs(levels[0] - levels[1]).max() <= 1


@pytest.mark.parametrize("one_by_one", [True, False])
def test_a_bad_job_fails_alone(predictor, monkeypatch, one_by_one):
    monkeypatch.setattr(predictor, "_one_by_one", one_by_one)
    good, bad, other = predictor.predict([job(1), Job("", b"short", "a", 1), job(2)])
    assert isinstance(bad, Exception)
    assert len(good) == len(other) == 3072


def test_a_candidate_is_what_its_own_seed_gives(predictor):
    window = job(5).window
    [three] = predictor.predict([Job.new(window, "a cat", 5, 3)])
    [last] = predictor.predict([Job.new(window, "a cat", 7)])
    assert three[2 * 3072 :] == last and three[:3072] != last


def test_the_seed_and_the_caption_each_change_the_fill(predictor):
    window = job(1).window
    jobs = [Job.new(window, words, seed) for words, seed in [("a", 1), ("a", 2), ("dog run", 1)]]
    assert len(set(predictor.predict(jobs))) == 3


def test_a_missing_bundle_is_one_clear_line(tmp_path):
    with pytest.raises(StartError, match="no bundle at") as caught:
        Predictor.load(tmp_path)
    assert "\n" not in str(caught.value)


def test_a_device_that_is_not_there_is_one_clear_line(tiny_bundle):
    with pytest.raises(StartError):
        Predictor.load(tiny_bundle, "nonsense")
