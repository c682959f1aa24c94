"""Diversity, and what a run's pictures are worth."""

import pytest
import torch

from tests.helpers.training.tensors import noise_batch
from tests.training.experiments.untrained import pixels, untrained
from training.common.errors import RunError
from training.evaluation.metrics.diversity import diversity
from training.evaluation.run_quality import Generated, measure, sample
from training.runs.load_run import load_run


def rows(count, seed=0):
    return torch.randn(count, 6, generator=torch.Generator().manual_seed(seed))


def test_one_picture_over_and_over_has_no_diversity():
    assert diversity(rows(1).expand(10, -1), rows(10)).mean == 0


def test_the_real_pictures_are_as_diverse_as_themselves():
    assert diversity(rows(50), rows(50)).mean == 1


def test_diversity_is_the_mean_over_all_pairs():
    line = torch.tensor([[0.0], [1.0], [3.0]])  # pairs 1, 2 and 3 apart: 2 on the mean
    assert diversity(line, torch.tensor([[0.0], [4.0]])).mean == pytest.approx(0.5)


def test_diversity_interval_holds_its_value_and_narrows():
    few, many = (diversity(0.5 * rows(n), rows(n, seed=1)) for n in (12, 300))
    assert few.low < few.mean < few.high
    assert many.low < 0.5 < many.high
    assert many.high - many.low < (few.high - few.low) / 2


def test_bootstrap_duplicates_do_not_lower_diversity():
    interval = diversity(torch.eye(5), torch.eye(5))  # any two are √2 apart
    assert interval.low == pytest.approx(1) == interval.high


@pytest.mark.parametrize("reference", [rows(1), rows(1).expand(9, -1)])
def test_diversity_needs_real_pictures_that_differ(reference):
    with pytest.raises(RunError, match=r"at least two|all alike"):
        diversity(rows(9), reference)


def test_whole_pictures_have_no_hole_to_be_measured():
    found = measure(
        Generated(noise_batch(8, 3, 32, 32), noise_batch(8, 3, 32, 32, seed=1), whole=True),
        0,
        pixels,
    )
    assert found.keys() == {"pictures", "kid", "diversity"}
    assert found["diversity"]["mean"] == pytest.approx(1, abs=0.1)


def test_of_composites_the_fills_alone_count_for_diversity():
    reals = noise_batch(8, 3, 64, 64)
    grey = reals.clone()
    grey[:, :, 16:48, 16:48] = 128
    found = measure(Generated(grey, reals, whole=False), 0, pixels)
    assert found["diversity"]["mean"] == 0
    assert 5 < found["hole_psnr"] < 15


def test_three_pictures_are_too_few():
    few = noise_batch(3, 3, 32, 32)
    with pytest.raises(RunError, match="KID needs 4 pictures"):
        measure(Generated(few, few, whole=True), 0, pixels)


@pytest.mark.parametrize(("name", "keys"), [("dcgan", set()), ("inpaint-gan", {"hole_psnr"})])
def test_run_quality_is_reproducible_and_depends_on_seed(name, keys, prepared, tmp_path):
    loaded = load_run(untrained(tmp_path / name, prepared, name))
    first, again, other = (measure(sample(loaded, 8, seed)[1], seed, pixels) for seed in (1, 1, 2))
    assert first == again != other
    assert first.keys() == {"pictures", "kid", "diversity"} | keys
