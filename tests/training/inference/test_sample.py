"""`sample` and `export` of a bundle or a run, its newest or its best checkpoint."""

from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch
from PIL import Image

from models.runtime.bundle import load_bundle
from tests.helpers.training.callbacks import no_progress
from tests.helpers.training.small_run import small_recipe, write_prepared
from training.common.errors import PreparedDataError, RunError
from training.config.load import load_recipe
from training.data.manifest import Manifest
from training.data.memory_dataset import load_split
from training.inference.export import export
from training.inference.sample_grid import SampleGridWriter, write_samples
from training.runs.load_run import load_run
from training.trainer.run import start

WHOLE = [
    "run.steps=2",
    "run.batch_size=4",
    "picture.size=32",
    "picture.view=shrink",
    "keep.every=0",
    'engine={ device = "cpu" }',
    *(f"{p}.settings.{s}" for p in ("generator", "discriminator") for s in ("size=32", "width=4")),
]


@pytest.fixture(scope="module")
def run(prepared, tmp_path_factory):
    """A run whose best checkpoint, of step 3, is not its newest."""
    folder = tmp_path_factory.mktemp("runs") / "run"
    keep = ["keep.metric=hole_psnr", "keep.every=3", "run.steps=4", "keep.pictures=8"]
    start(small_recipe(*keep), [prepared], folder, no_progress)
    return folder


def test_a_run_that_makes_whole_pictures_shows_them(prepared, tmp_path):
    start(load_recipe("dcgan", WHOLE), [prepared], tmp_path / "run", no_progress)
    write_samples(tmp_path / "run", [prepared], tmp_path / "grid.png", split="train", rows=2)
    # Eight draws and a real picture of 32 pixels, twice as large.
    assert Image.open(tmp_path / "grid.png").width == 9 * (2 * 32 + 4) + 4
    with pytest.raises(RunError, match="generates whole images: --temperature does not apply"):
        write_samples(tmp_path / "run", [prepared], tmp_path / "t.png", split="train", rows=2,
             temperatures=[0.0])  # fmt: skip


class Loud(torch.nn.Module):
    """Fills a hole with one level: how much noise it was given."""

    settings = SimpleNamespace(noise_dim=4)

    def forward(self, context, mask, caption, noise):
        level = noise.abs().mean(1) / 4
        return level[:, None, None, None].expand(-1, 3, 32, 32)


def test_temperature_grid_has_a_column_for_each(prepared, tmp_path):
    sampler = SampleGridWriter([load_split(prepared, "train")], tmp_path, 0, torch.device("cpu"))
    sampler.grid(tmp_path / "t.png", Loud(), 0, 2, (0.0, 0.5, 1.0))
    with Image.open(tmp_path / "t.png") as grid:
        assert grid.width - 190 == 5 * 132  # context and real picture besides
        levels = [grid.getpixel((190 + column * 132 + 66, 94))[0] for column in (1, 2, 3)]
    still, half, whole = levels
    assert still == 128 < half < whole
    assert half - still == pytest.approx((whole - still) / 2, abs=1)


def test_run_samples_equal_those_of_its_bundle(run, prepared, tmp_path):
    export(run, tmp_path / "bundle")
    for place in (run, tmp_path / "bundle"):
        write_samples(place, [prepared], tmp_path / f"{place.name}.png", split="train", rows=2)
    tiles = [Image.open(tmp_path / f"{name}.png").convert("L") for name in ("run", "bundle")]
    # The bundle's weights are in half precision: a level or two.
    differences = [abs(a - b) for a, b in zip(*(t.tobytes() for t in tiles), strict=True)]
    assert max(differences) <= 2


def test_best_checkpoint_can_be_exported_instead_of_newest(run, tmp_path):
    export(run, tmp_path / "newest")
    export(run, tmp_path / "best", which="best")
    steps = [load_bundle(tmp_path / n).config.training["steps"] for n in ("newest", "best")]
    assert steps == [4, 3]


def test_a_run_without_a_best_checkpoint_says_so(prepared, tmp_path):
    start(small_recipe("run.steps=1"), [prepared], tmp_path / "run", no_progress)
    with pytest.raises(RunError, match="best cannot be read"):
        write_samples(
            tmp_path / "run", [prepared], tmp_path / "x.png", split="train", rows=2, which="best"
        )


def other_encoder(folder):
    """Prepared data whose captions another encoder of the same width embedded."""
    write_prepared(folder)
    replace(Manifest.load(folder), encoder_fingerprint="sha256:other").save(folder)
    return folder


@pytest.mark.parametrize("kind", ["run", "bundle"])
def test_captions_of_another_encoder_are_refused(run, kind, tmp_path):
    export(run, tmp_path / "bundle")
    place = run if kind == "run" else tmp_path / "bundle"
    data = other_encoder(tmp_path / "data")
    with pytest.raises(PreparedDataError, match="embedded by another encoder"):
        write_samples(place, [data], tmp_path / "grid.png", split="train", rows=2)
    assert not (tmp_path / "grid.png").exists()


def test_experiments_refuse_captions_of_another_encoder(run, tmp_path):
    with pytest.raises(PreparedDataError, match="embedded by another encoder"):
        load_run(run).held_out(other_encoder(tmp_path / "data"))
