"""The commands on tiny runs: what they leave, and what they refuse."""

import json

import pytest
import torch
from PIL import Image
from typer.testing import CliRunner

from models.captions import CaptionEncoder
from tests.training.config.test_every_recipe import RUN, TINY, tiny
from tests.training.experiments.conftest import write_coloured
from training.common.errors import TrainingError
from training.config.load import load_recipe
from training.data.manifest import Manifest
from training.experiments import app
from training.runs.run_dir import RunDir
from training.trainer.run import start

pytestmark = pytest.mark.slow

BEGAN = "inpaint-began"
BATCH = 4  # of RUN


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Coloured pictures with captions that the real encoder embedded."""
    encoder = CaptionEncoder.load()
    folder = tmp_path_factory.mktemp("data")
    return write_coloured(
        folder, lambda x: torch.from_numpy(encoder.encode(x)), encoder.name, encoder.fingerprint
    )


@pytest.fixture(scope="module")
def runs(data, tmp_path_factory):
    """Tiny runs by name: a base, one that changes a piece of it, and two other systems."""
    folder = tmp_path_factory.mktemp("runs")
    snap = "run.snapshot_every=2"
    recipes = {
        "base": load_recipe(BEGAN, [*RUN, *TINY[BEGAN], snap]),
        "tanh": load_recipe(
            BEGAN, [*RUN, *TINY[BEGAN], snap, "run.steps=2", "generator.settings.output=tanh"]
        ),
        "gan": tiny("inpaint-gan"),
    }
    for name, recipe in recipes.items():
        start(recipe, [data], folder / name, lambda step, figures: None)
    RunDir.create(folder / "dcgan", load_recipe("dcgan"), {str(data): Manifest.load(data).digest})
    return folder


def call(*arguments):
    """Run an experiment, whose errors come out as they are."""
    outcome = CliRunner().invoke(app(), [str(one) for one in arguments], catch_exceptions=False)
    assert outcome.exit_code == 0, outcome.output


@pytest.fixture(scope="module")
def compared(runs, tmp_path_factory):
    out = tmp_path_factory.mktemp("out") / "compare.json"
    call("compare", runs / "base", runs / "gan", "-o", out, "--count", 8, "--rows", 3)
    return out


@pytest.fixture(scope="module")
def timed(runs, data, tmp_path_factory):
    out = tmp_path_factory.mktemp("out") / "timed.json"
    both = ("--data", data, "--count", 20, "--rows", 3, "--by", "psnr_draw")
    call("equal-time", runs / "base", runs / "tanh", runs / "gan", "-o", out, *both)
    return out


@pytest.fixture(scope="module")
def ablated(runs, tmp_path_factory):
    out = tmp_path_factory.mktemp("out") / "ablation.json"
    call("ablation", runs / "base", runs / "tanh", "-o", out, "--count", 8, "--rows", 3)
    return out


def results(out):
    return json.loads(out.read_text())["results"]


def test_compare_leaves_a_table_and_every_picture(compared):
    names = sorted(path.name for path in compared.parent.iterdir())
    kinds = ("-best.png", "-keywords.png", "-worst.png", ".json", ".md", ".png")
    assert names == [f"compare{kind}" for kind in kinds]


def test_compare_has_a_column_for_every_run(compared):
    with Image.open(compared.with_suffix(".png")) as grid:
        assert (grid.width - 190) // 132 == len(["context", "base", "gan", "real"])


def test_best_and_worst_pictures_are_the_ranking_ends(compared):
    ranked = results(compared)["ranked"]
    best, worst = ([one["value"] for one in ranked[end]] for end in ("best", "worst"))
    assert ranked["by"] == "feature_distance"
    assert best == sorted(best) and worst == sorted(worst, reverse=True) and best[0] < worst[0]


def test_ablation_names_the_key_and_last_common_step(ablated):
    found = results(ablated)
    assert found["changes"]["tanh"] == {
        "generator.settings.output": {"base": "clip", "here": "tanh"}
    }
    assert found["equal_steps"] and {end["step"] for end in found["ends"].values()} == {2}
    assert "generator.settings.output: clip → tanh" in ablated.with_suffix(".md").read_text()


def test_an_ablation_leaves_bars_and_a_grid(ablated):
    for name in ("ablation.png", "ablation-fills.png"):
        with Image.open(ablated.with_name(name)) as picture:
            assert picture.width > 500


def test_equal_time_runs_are_ranked_with_their_time(timed):
    found = results(timed)
    gains = [next(iter(found["figures"][run]["psnr_draw"].values()))[0] for run in found["order"]]
    assert gains == sorted(gains, reverse=True)
    assert sorted(found["order"]) == ["base", "gan", "tanh"]
    assert all(minutes > 0 for minutes in found["minutes"].values())
    assert found["pictures_seen"]["tanh"] == 2 * BATCH
    assert "generator.settings.output: clip → tanh" in timed.with_suffix(".md").read_text()
    rows = timed.with_suffix(".md").read_text().splitlines()
    assert [row.split("|")[1].strip() for row in rows[2:]] == found["order"]


def test_run_measured_beside_others_has_the_same_figures(timed, runs, data, tmp_path):
    out, same = tmp_path / "again.json", ("--data", data, "--count", 20, "--by", "psnr_draw")
    call("equal-time", runs / "gan", runs / "base", "-o", out, *same)
    assert results(out)["figures"]["gan"] == results(timed)["figures"]["gan"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("compare", "base", "dcgan"), "makes whole pictures and fills no hole"),
        (("compare", "base", "base"), "two runs are called base"),
        (("compare", "base", "--which", "newst"), "it is newest, best, or a step"),
        (("caption-effect", "base", "--split", "train"), "evaluate on another"),
        (("ablation", "base", "base"), "its recipe changes nothing"),
    ],
)
def test_meaningless_request_is_refused_in_a_line(runs, tmp_path, arguments, message):
    name, *rest = arguments
    given = [runs / one if (runs / one).exists() else one for one in rest]
    with pytest.raises(TrainingError, match=message) as caught:
        call(name, *given, "-o", tmp_path / "out.json")
    assert "\n" not in str(caught.value)


def test_caption_effect_output_lists_the_changed_words(runs, tmp_path):
    out = tmp_path / "effect.json"
    call("caption-effect", runs / "gan", "-o", out, "--count", 8, "--rows", 4)
    found = results(out)
    assert found["captions"]["colour changed"]["colour"]["pictures"] == 8
    assert found["words"]["colour changed"]["red"] == "blue"
    assert out.with_suffix(".png").exists() and out.with_suffix(".md").exists()
