"""Are losses normal, and does BEGAN's bound hold and where is it tight?"""

import json
import math

import numpy as np
import pytest
import torch
from PIL import Image

from models.geometry import to_float, to_uint8
from tests.training.experiments.untrained import untrained
from training.common.errors import RunError
from training.experiments.began.gaussian_bound import PAIRS, Pair, check
from training.experiments.began.reconstruction_losses import (
    normality,
    reconstruction_losses,
    reconstruction_losses_command,
)
from training.runs.load_run import load_run


def test_a_normal_sample_passes_every_test():
    found = normality(np.random.default_rng(1).normal(3, 0.1, 500))
    assert found["rejected_by"] == []
    assert found["qq_correlation"] > 0.99
    assert (found["mean"], found["std"]) == pytest.approx((3, 0.1), rel=0.1)


def test_an_exponential_sample_is_flagged_by_every_test():
    found = normality(np.random.default_rng(0).exponential(size=500))
    assert found["rejected_by"] == ["shapiro", "dagostino", "anderson"]
    assert found["skewness"] > 1 < found["kurtosis"]


@pytest.mark.parametrize("pair", PAIRS, ids=str)
def test_bound_holds_and_closed_forms_fit_the_samples(pair):
    found = check(pair, seed=0)
    assert found["holds"]
    assert found["bound"] <= found["w1"] * (1 + 1e-9)
    assert found["w1"] <= found["w2"] * (1 + 1e-9)
    assert found["w1_sampled"] == pytest.approx(found["w1"], abs=0.01)


def test_bound_is_tight_where_variances_are_equal():
    pair = Pair(1.0, 0.04, 0.7, 0.04)
    assert (pair.ratio, pair.tightness) == pytest.approx((0, 1))


def test_bound_is_zero_where_only_variances_differ():
    pair = Pair(1.0, 0.01, 1.0, 0.09)
    assert pair.tightness == 0
    assert pair.w1 == pytest.approx(0.2 * math.sqrt(2 / math.pi))  # E|0.2·Z|


def test_tightness_depends_on_the_ratio_alone():
    assert Pair(0, 1, 1, 4).tightness == pytest.approx(Pair(5, 9, 2, 36).tightness)


@pytest.fixture(scope="module")
def run(prepared, tmp_path_factory):
    return untrained(tmp_path_factory.mktemp("runs") / "began", prepared, "began")


def test_loss_is_the_mean_error_of_one_picture(run):
    loaded = load_run(run)
    batch = loaded.batch(loaded.held_out(), 5)
    pictures = to_uint8(batch.images)
    found = reconstruction_losses(loaded, batch, pictures)
    with torch.no_grad():
        rebuilt = loaded.discriminator(to_float(pictures[2:3]), batch.caption[2:3]).images
    by_hand = (to_float(pictures[2:3]) - rebuilt).abs().mean()
    assert found[2].item() == pytest.approx(by_hand.item(), rel=1e-5)


def test_a_run_that_is_no_began_is_refused(prepared, tmp_path):
    other = untrained(tmp_path / "gan", prepared, "dcgan")
    with pytest.raises(RunError, match=r"gan is no BEGAN: .* objective 'gan'"):
        reconstruction_losses_command(other, out=tmp_path / "losses.json")


def test_the_experiment_leaves_tests_and_bound_and_picture(run, tmp_path):
    reconstruction_losses_command(run, out=tmp_path / "losses.json", count=20)
    results = json.loads((tmp_path / "losses.json").read_text())["results"]
    assert {name: found["pictures"] for name, found in results["losses"].items()} == {
        "real": 20,
        "generated": 20,
    }
    assert results["own_bound"]["bound"] <= results["own_bound"]["w1"] * (1 + 1e-9)
    assert Image.open(tmp_path / "losses.png").width > 500
