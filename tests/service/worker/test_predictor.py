import numpy as np
import pytest
import torch

from captionfill.errors import StartError
from models.runtime.engines import TorchEngine
from service.queue.task import InferenceTask, OutOfMemory
from service.worker.predictor import Predictor, Predictors


@pytest.fixture(scope="module")
def predictor(tiny_bundle):
    return Predictor.load(tiny_bundle)


def job(seed, count=1, caption="a cat", **options):
    window = np.random.default_rng(seed).integers(0, 256, 12288, np.uint8).tobytes()
    return InferenceTask(window, caption, seed, count, **options)


def test_job_result_in_a_batch_equals_it_alone(predictor):
    jobs = [job(seed, caption=f"picture {seed % 3}") for seed in range(6)]
    assert predictor.predict(jobs) == [predictor.predict([one])[0] for one in jobs]


@pytest.fixture
def as_one_tensor(predictor, monkeypatch):
    """The predictor as on a GPU, where a batch is one tensor."""

    class Together(TorchEngine):
        def _run(self, network, *batch):
            return network(*batch)

    monkeypatch.setattr(predictor, "engine", Together(predictor.engine.bundle))


def levels(fills):
    return np.frombuffer(b"".join(fill.fills for fill in fills), np.uint8).astype(int)


def test_single_tensor_batch_differs_by_at_most_one(tiny_bundle, predictor, as_one_tensor):
    jobs = [job(seed, count=2) for seed in range(4)]
    alone = Predictor.load(tiny_bundle, engine="torch").predict(jobs)
    assert abs(levels(alone) - levels(predictor.predict(jobs))).max() <= 1


def a_bad_job_fails_alone(predictor):
    good, bad, other = predictor.predict([job(1), InferenceTask(b"short", "a", 1), job(2)])
    return isinstance(bad, Exception) and len(good.fills) == len(other.fills) == 3072


def test_a_bad_job_fails_alone(predictor):
    assert a_bad_job_fails_alone(predictor)


def test_bad_job_of_single_tensor_batch_fails_alone(predictor, as_one_tensor):
    assert a_bad_job_fails_alone(predictor)


def test_a_candidate_is_what_its_own_seed_gives(predictor):
    window = job(5).window
    [three] = predictor.predict([InferenceTask(window, "a cat", 5, 3)])
    [last] = predictor.predict([InferenceTask(window, "a cat", 7)])
    assert three.fills[2 * 3072 :] == last.fills and three.fills[:3072] != last.fills


def test_seed_and_caption_each_change_the_fill(predictor):
    window = job(1).window
    jobs = [
        InferenceTask(window, words, seed) for words, seed in [("a", 1), ("a", 2), ("dog run", 1)]
    ]
    assert len({fill.fills for fill in predictor.predict(jobs)}) == 3


def test_zero_temperature_makes_candidates_alike_but_no_others(predictor):
    window = job(1).window
    still, drawn = predictor.predict(
        [InferenceTask(window, "a", 1, 2, temperature=0), InferenceTask(window, "a", 1)]
    )
    assert still.fills[:3072] == still.fills[3072:] != drawn.fills
    assert [drawn] == predictor.predict([InferenceTask(window, "a", 1)])


def test_second_caption_is_filled_with_the_same_seeds(predictor):
    both, other = job(5, 2, "a cat", other="two dogs run"), job(5, 2, "two dogs run")
    [compared], [alone] = predictor.predict([both]), predictor.predict([other])
    assert compared.others == alone.fills != compared.fills


def test_caption_truncated_by_the_encoder_is_reported(predictor):
    long = " ".join(["word"] * 400)
    tasks = [job(1), job(1, caption=long), job(1, other=long)]
    assert [fill.truncated for fill in predictor.predict(tasks)] == [False, True, True]


def test_caption_unknown_to_the_encoder_is_reported(predictor):
    tasks = [job(1), job(1, caption="\U0001f408"), job(1, other="\u200b")]
    assert [fill.unknown for fill in predictor.predict(tasks)] == [False, True, True]


def test_without_scorer_candidates_stay_in_seed_order(predictor):
    [fill] = predictor.predict([job(5, 3)])
    assert (list(fill.seeds), list(fill.scores)) == ([5, 6, 7], [])


def test_with_a_scorer_the_best_candidate_comes_first(scored_bundle):
    [fill] = Predictor.load(scored_bundle).predict([job(5, 6, other="two dogs")])
    assert list(fill.scores) == sorted(fill.scores, reverse=True)
    assert sorted(fill.seeds) == [5, 6, 7, 8, 9, 10] != list(fill.seeds)


def test_ranked_candidate_keeps_its_seed_fill_and_pair(scored_bundle):
    predictor = Predictor.load(scored_bundle)
    [ranked] = predictor.predict([job(5, 4, other="two dogs")])
    for place, seed in enumerate(ranked.seeds):
        [alone] = predictor.predict([InferenceTask(job(5).window, "a cat", seed, other="two dogs")])
        part = slice(place * 3072, (place + 1) * 3072)
        assert (ranked.fills[part], ranked.others[part]) == (alone.fills, alone.others)


def test_each_task_is_filled_by_its_bundle(tiny_bundle, scored_bundle):
    both = Predictors.load([tiny_bundle, scored_bundle])
    tasks = [job(1, model=name) for name in ("", "scored", "tiny", "nobody")]
    *fills, lost = both.predict(tasks)
    assert [fill.model for fill in fills] == ["tiny", "scored", "tiny"]
    assert isinstance(lost, LookupError) and set(both.models) == {"tiny", "scored"}


def test_two_bundles_of_one_name_are_refused(tiny_bundle):
    with pytest.raises(StartError, match="two bundles are called 'tiny'"):
        Predictors.load([tiny_bundle, tiny_bundle])


def test_a_missing_bundle_is_one_clear_line(tmp_path):
    with pytest.raises(StartError, match="no bundle at") as caught:
        Predictor.load(tmp_path)
    assert "\n" not in str(caught.value)


def test_missing_device_is_one_clear_line(tiny_bundle):
    with pytest.raises(StartError):
        Predictor.load(tiny_bundle, "nonsense")


def test_a_fill_tells_the_engine_that_made_it(tiny_bundle, predictor):
    assert predictor.predict([job(1)])[0].engine.startswith("openvino-")
    slow = Predictor.load(tiny_bundle, engine="torch")
    assert slow.predict([job(1)])[0].engine == "torch"


def test_threads_change_no_bit_of_any_answer(scored_bundle):
    jobs = [job(seed, count=2, caption=f"picture {seed}") for seed in range(5)]
    one, three = (Predictor.load(scored_bundle, threads=threads) for threads in (1, 3))
    assert one.predict(jobs) == three.predict(jobs)


def test_unavailable_engine_is_one_clear_line(tiny_bundle, monkeypatch):
    monkeypatch.setattr("models.runtime.engines.is_installed", lambda: False)
    with pytest.raises(StartError, match="engine 'openvino' needs the package openvino"):
        Predictor.load(tiny_bundle, engine="openvino")


class Small(TorchEngine):
    """Has memory for a few images at a time; notes how many it was asked for."""

    def __init__(self, bundle, room):
        super().__init__(bundle)
        self.room, self.asked = room, []

    def fill(self, pixels, *columns):
        self.asked.append(len(pixels))
        if len(pixels) > self.room:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 MiB")
        return super().fill(pixels, *columns)


def test_a_batch_that_does_not_fit_is_halved(predictor, monkeypatch):
    jobs = [job(seed, count=2) for seed in range(3)]
    monkeypatch.setattr(predictor, "engine", TorchEngine(predictor.engine.bundle))
    whole = predictor.predict(jobs)
    small = Small(predictor.engine.bundle, 2)
    monkeypatch.setattr(predictor, "engine", small)
    assert predictor.predict(jobs) == whole and small.asked == [6, 3, 1, 2, 3, 1, 2]


def test_not_even_one_image_fits(predictor, monkeypatch):
    monkeypatch.setattr(predictor, "engine", Small(predictor.engine.bundle, 0))
    assert [type(one) for one in predictor.predict([job(1), job(2, count=4)])] == [OutOfMemory] * 2


def test_an_error_of_the_device_is_no_answer(predictor, monkeypatch):
    calls = []

    def fail(*_):
        calls.append(1)
        raise RuntimeError("CUDA error: device-side assert triggered")

    monkeypatch.setattr(predictor.engine, "fill", fail)
    with pytest.raises(RuntimeError, match="device-side assert"):
        predictor.predict([job(1), job(2)])
    assert len(calls) == 1  # nor is each piece tried alone
