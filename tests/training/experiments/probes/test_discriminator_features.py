"""Features of discriminators, and a linear SVM on them."""

import json

import numpy as np
import pytest
import torch
from PIL import Image

from tests.helpers.training.small_run import DIM
from tests.training.experiments.untrained import untrained
from training.common.errors import SourceError
from training.experiments.probes.discriminator_features import discriminator_features, gain
from training.experiments.probes.features import (
    draw_cifar10,
    extract_features,
    fresh_discriminator,
)
from training.experiments.probes.linear_probe import probe
from training.runs.load_run import load_run

COLOURS = {"red": (200, 60, 60), "blue": (60, 60, 200)}


def classes(count, apart, seed=0):
    """Features of three classes, so far apart in one of 20 directions each, and their labels."""
    draws = np.random.default_rng(seed)
    labels = np.array(["a", "b", "c"])[np.arange(count) % 3]
    return draws.normal(size=(count, 20)) + apart * np.eye(3, 20)[np.arange(count) % 3], labels


def test_svm_separates_classes_and_guesses_at_noise():
    apart, noise = (
        probe(*classes(300, distance), *classes(300, distance, seed=1)) for distance in (6, 0)
    )
    assert apart.accuracy > 0.95
    assert noise.accuracy == pytest.approx(1 / 3, abs=0.1)


def test_the_accuracy_comes_with_its_wilson_interval():
    found = probe(*classes(300, 1.5), *classes(200, 1.5, seed=1)).to_dict()
    p, z, n = found["accuracy"], 1.96, 200
    middle = (p + z * z / (2 * n)) / (1 + z * z / n)
    assert found["low"] < p < found["high"]
    assert (found["low"] + found["high"]) / 2 == pytest.approx(middle, abs=1e-3)


def test_gain_is_the_difference_on_the_same_pictures():
    good, poor = (probe(*classes(300, d), *classes(300, d, seed=1)) for d in (4, 1))
    found = gain(good, poor, 0)
    assert found["mean"] == pytest.approx(good.accuracy - poor.accuracy)
    assert 0 < found["low"] < found["mean"] < found["high"]


def shades(count, side=32):
    draws = torch.Generator().manual_seed(0)
    return torch.randint(0, 256, (count, 3, side, side), dtype=torch.uint8, generator=draws)


@pytest.mark.parametrize(
    ("name", "dimensions", "side"),
    # Levels of 4, 8 and 16 channels at 4×4; a code of 64; four levels of two 64×64 judges.
    [
        ("dcgan", 28 * 16, 32),
        ("began", 64, 32),
        ("inpaint-gan", 60 * 16, 64),
        ("context-encoder", 60 * 16, 64),
    ],
)
def test_features_are_pooled_levels_or_the_code(name, dimensions, side, prepared, tmp_path):
    loaded = load_run(untrained(tmp_path / name, prepared, name))
    found = extract_features(loaded.discriminator, shades(3, side), DIM)
    assert found.shape == (3, dimensions)
    alone = extract_features(loaded.discriminator, shades(3, side)[:1], DIM)
    torch.testing.assert_close(alone, found[:1])


@pytest.fixture(scope="module")
def cifar(tmp_path_factory):
    folder = tmp_path_factory.mktemp("cifar")
    draws = np.random.default_rng(0)
    for split, count in (("train", 110), ("test", 30)):
        for label, colour in COLOURS.items():
            (folder / split / label).mkdir(parents=True)
            for i in range(count):
                picture = np.clip(draws.normal(colour, 60, (32, 32, 3)), 0, 255).astype(np.uint8)
                Image.fromarray(picture).save(folder / split / label / f"{i}.png")
    return folder


def test_pictures_are_drawn_with_their_labels(cifar):
    drawn = draw_cifar10(cifar, {"train": 50, "test": 20}, 32, seed=1)["train"]
    redder = drawn.pixels[:, 0].float().mean((1, 2)) > drawn.pixels[:, 2].float().mean((1, 2))
    assert drawn.pixels.shape == (50, 3, 32, 32)
    assert [*np.where(redder, "red", "blue")] == [*drawn.labels]
    assert 10 < redder.sum() < 40


@pytest.mark.parametrize("counts", [{"train": 221}, {"test": 61}])
def test_more_pictures_than_there_are_is_one_line(cifar, counts):
    with pytest.raises(SourceError, match=r"the split '\w+' has \d+ pictures, not"):
        draw_cifar10(cifar, counts, 32, 0)


def test_features_are_compared_with_pixels_and_random_ones(cifar, prepared, tmp_path):
    run = untrained(tmp_path / "run", prepared, "dcgan")
    out = tmp_path / "features.json"
    discriminator_features(run, cifar10=cifar, out=out, train=200, test=50, seed=1)
    results = json.loads(out.read_text())["results"]
    assert [*results["rows"]] == ["discriminator", "random discriminator", "raw pixels"]
    assert results["rows"]["raw pixels"]["accuracy"] > 0.9  # the colour tells all
    assert 0.5 <= results["chance"] < 0.7
    assert Image.open(out.with_suffix(".png")).width > 300


def test_random_discriminator_has_same_shape_but_other_weights(prepared, tmp_path):
    loaded = load_run(untrained(tmp_path / "run", prepared, "dcgan"))
    trained, fresh = loaded.discriminator.state_dict(), fresh_discriminator(loaded, 5).state_dict()
    assert {k: v.shape for k, v in trained.items()} == {k: v.shape for k, v in fresh.items()}
    assert not torch.equal(trained["classifier.weight"], fresh["classifier.weight"])
