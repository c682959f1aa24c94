"""Every shipped recipe trains, is killed, and resumes exactly, on networks made tiny."""

from importlib import resources

import numpy as np
import pytest

from models.runtime.engines import open_engine
from tests.helpers.training.killing import train_and_be_killed
from tests.helpers.training.run_comparison import assert_same_end
from training.common.errors import RunError
from training.config.load import load_recipe
from training.inference.export import export
from training.runs.checkpoints.checkpoint import checkpoints, load_checkpoint
from training.runs.metric_logger import read_log
from training.runs.report.html_report import write_report
from training.trainer.run import resume, start

STEPS, KILLED_AFTER = 4, 3
RUN = [
    f"run.steps={STEPS}",
    "run.batch_size=4",
    "run.log_every=1",
    "run.sample_every=4",
    "run.checkpoint_every=2",
    'engine={ device = "cpu" }',
]
INPAINT = "generator.settings={ caption_code = 4, noise_dim = 4, width = 8, decoder_width = 4 }"
JUDGE = "discriminator.settings={ caption_code = 4, width = 4, batch_norm = false }"
SMALL = ["picture.size=32", "picture.view=shrink"]
DCGAN = [
    f"{p}.settings.{s}" for p in ("generator", "discriminator") for s in ("width=4", "size=32")
]
BEGAN = [f"{player}.settings.width=4" for player in ("generator", "discriminator")]
TINY = {
    # Rates are halved and residuals vanish within the few steps.
    "began": [*BEGAN, "optimizers.plateau={ window = 1, patience = 1 }", "vanishing.steps=3"],
    # Its widths are fixed by the architecture; two pictures a step take half as long.
    "began-blog": ["run.batch_size=2"],
    "context-encoder": [
        "generator.settings={ width = 4, bottleneck = 16 }",
        "discriminator.settings={ width = 4 }",
    ],
    "dcgan": [*SMALL, *DCGAN],
    # The adversary joins after one step; the scorer of captions reads longer vectors than these.
    "flagship": [
        "generator.settings={ caption_code = 4, latent = 4, style = 8, width = 8 }",
        "discriminator.settings={ width = 4, patch_width = 4, resolution = 32 }",
        "objective.settings={ warmup = 1, caption = 0, mean = 1, resample_fraction = 0.5 }",
    ],
    "inpaint-began": [INPAINT, "discriminator.settings={ width = 4, code = 4, caption_code = 4 }"],
    "inpaint-gan": [INPAINT, JUDGE],
    "inpaint-wgan": [INPAINT, JUDGE],
    "inpaint-wgan-gp": [INPAINT, JUDGE],
    "wgan-clip": [*SMALL, *DCGAN],
    "wgan-gp": [*SMALL, *DCGAN],
}
NAMES = sorted(
    p.name.removesuffix(".toml") for p in (resources.files("training.config") / "recipes").iterdir()
)


def tiny(name):
    return load_recipe(name, [*RUN, *TINY[name]])


@pytest.fixture(scope="module")
def whole(prepared, tmp_path_factory):
    """Uninterrupted runs by recipe, each trained when first asked for."""
    runs = tmp_path_factory.mktemp("whole")

    def run(name):
        if not (runs / name).exists():
            start(tiny(name), [prepared], runs / name, lambda step, figures: None)
        return runs / name

    return run


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_killed_run_of_every_recipe_resumes_bit_exactly(name, whole, prepared, tmp_path):
    killed = tmp_path / "killed"
    train_and_be_killed(tiny(name), prepared, killed, KILLED_AFTER)
    assert [p.name for p in checkpoints(killed / "checkpoints")] == ["step-00000002"]
    resume(killed, [], lambda step, figures: None)
    assert_same_end(whole(name), killed)
    assert [entry["step"] for entry in read_log(killed)] == [1, 2, 3, 4]
    assert len(list((killed / "samples").glob("*.png"))) == 4  # fixed and fresh, at 0 and 4


@pytest.mark.slow
def test_runs_of_all_recipes_report_side_by_side(whole, tmp_path):
    write_report([whole(name) for name in NAMES], tmp_path / "report.html")
    page = (tmp_path / "report.html").read_text()
    assert [name for name in NAMES if f">{name}<" not in page] == []
    assert "generator/adversarial" in page


@pytest.mark.parametrize(
    "name", [n for n in NAMES if n.startswith(("context", "flagship", "inpaint"))]
)
def test_every_inpainting_run_exports_a_working_bundle(name, whole, tmp_path):
    export(whole(name), tmp_path)
    pixels = np.zeros((2, 3, 64, 64), np.uint8)
    fills = open_engine(tmp_path).fill(pixels, np.zeros((2, 8)), [0, 1])
    assert fills.shape == (2, 3, 32, 32)


def test_whole_image_run_exports_no_bundle(whole, tmp_path):
    with pytest.raises(RunError, match="generates whole images and fills no hole"):
        export(whole("dcgan"), tmp_path)


@pytest.mark.parametrize("name", ["wgan-clip", "inpaint-wgan"])
def test_clipped_critic_stays_in_range_and_logs_distance(name, whole):
    critic = load_checkpoint(whole(name) / "checkpoints")[1]["discriminator"]
    learnt = [v for k, v in critic.items() if k.endswith(("weight", "bias"))]
    assert max(float(v.abs().max()) for v in learnt) <= 0.01
    assert all("state/wasserstein" in entry for entry in read_log(whole(name)))


def test_began_run_logs_state_and_its_residuals_vanish(whole):
    last = read_log(whole("began"))[-1]
    assert {"state/k", "state/M", "state/g", "state/learning_rate"} <= last.keys()
    generator = load_checkpoint(whole("began") / "checkpoints")[1]["generator"]
    assert {float(v) for k, v in generator.items() if k.endswith("alpha")} == {0.0}


@pytest.mark.parametrize("name", NAMES)
def test_every_shipped_recipe_is_named_and_valid(name):
    assert load_recipe(name).name == name
