"""Sweeps over runs that differ in one setting, and what they find in a critic."""

import json

import pytest
import torch
from PIL import Image
from torch import nn

from models.discriminator_outputs import Logits
from tests.training.experiments.untrained import pixels, untrained
from training.common.errors import RunError
from training.experiments.began import gamma_sweep as gammas
from training.experiments.sweeps import clip_sweep as clips
from training.experiments.sweeps.sweep import load_sweep


def began(folder, prepared, gamma, *more):
    return untrained(folder, prepared, "began", f"objective.settings.gamma={gamma}", *more)


def undrawn(run):
    return None, None


@pytest.fixture(scope="module")
def half(prepared, tmp_path_factory):
    return began(tmp_path_factory.mktemp("runs") / "half", prepared, 0.5)


@pytest.fixture(scope="module")
def low(prepared, tmp_path_factory):
    more = "run.seed=3", "run.log_every=7", "keep.every=0"
    return began(tmp_path_factory.mktemp("runs") / "low", prepared, 0.3, *more)


def test_runs_may_differ_in_setting_seed_and_logging(half, low):
    sweep = load_sweep([half, low], "began", "gamma", undrawn)
    assert [(swept.value, swept.loaded.name) for swept in sweep] == [(0.3, "low"), (0.5, "half")]


@pytest.mark.parametrize(
    "more", ["optimizers.generator.lr=3e-4", "run.batch_size=5", "generator.settings.skips=false"]
)
def test_runs_differing_in_more_are_refused_with_names(more, half, prepared, tmp_path):
    other = began(tmp_path / "other", prepared, 0.7, more)
    with pytest.raises(RunError, match=f"differ in more than .*gamma: {more.split('=')[0]}"):
        load_sweep([half, other], "began", "gamma", undrawn)


def test_a_default_written_out_is_no_difference(half, prepared, tmp_path):
    other = began(tmp_path / "other", prepared, 0.7, "generator.settings.batch_norm=false")
    assert len(load_sweep([half, other], "began", "gamma", undrawn)) == 2


def test_a_run_of_another_objective_is_refused(half, prepared, tmp_path):
    other = untrained(tmp_path / "critic", prepared, "wgan-clip")
    with pytest.raises(RunError, match="critic was trained with the objective 'wgan-clip', not"):
        load_sweep([half, other], "began", "gamma", undrawn)


def test_one_value_makes_no_sweep(half):
    with pytest.raises(RunError, match="at least two values of gamma"):
        load_sweep([half, half], "began", "gamma", undrawn)


def test_gamma_sweep_writes_its_table_and_plot(half, low, tmp_path, monkeypatch):
    monkeypatch.setattr(gammas, "require_extractor", lambda: pixels)
    gammas.gamma_sweep([half, low], out=tmp_path / "sweep.json", count=6)
    results = json.loads((tmp_path / "sweep.json").read_text())["results"]
    assert [row["gamma"] for row in results["rows"]] == [0.3, 0.5]
    first = results["rows"][0]
    assert first["loss"]["g"] == pytest.approx(first["loss"]["generated"] / first["loss"]["real"])
    assert Image.open(tmp_path / "sweep.png").width > 500


def made_up(gamma, diversity, kid):
    around = {"mean": diversity, "low": diversity - 0.1, "high": diversity + 0.1}
    return {
        "gamma": gamma,
        "diversity": around,
        "kid": {"mean": kid},
        "loss": {"real": 1 - gamma},
    }


def test_diversity_trend_with_gamma_uses_rank_correlation():
    rows = [made_up(0.3, 0.2, 3.0), made_up(0.5, 0.4, 2.0), made_up(0.7, 0.5, 2.5)]
    found = gammas.correlations(rows, 0)
    assert found["diversity_rises"]
    assert found["ends_apart"]
    rhos = [found[name]["rho"] for name in ("diversity", "kid", "loss_real")]
    assert rhos == pytest.approx([1, -0.5, -1])


def test_diversity_falling_at_the_end_has_not_risen():
    rows = [made_up(0.3, 0.4, 3.0), made_up(0.5, 0.3, 2.0), made_up(0.7, 0.35, 2.5)]
    found = gammas.correlations(rows, 0)
    assert not found["diversity_rises"]
    assert not found["ends_apart"]


class Linear(nn.Module):
    """f(x) = w·h, h = 2x: gradients of norm 2‖w‖ and ‖w‖."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.tensor([3.0, 4.0]))

    def forward(self, images, caption):
        level = 2 * images.flatten(1)
        return Logits(level @ self.weight, (level,))


def test_gradient_norms_of_linear_critic_are_its_weights():
    images = torch.randn(5, 2, 1, 1)
    assert clips.gradient_norms(Linear(), images, torch.zeros(5, 1)) == pytest.approx([10, 5])


def test_histogram_holds_every_weight_with_clipped_ones_outermost():
    shares = clips.histogram([torch.tensor([-0.1, 0.1, 0.1, 0.0])], 0.1)
    assert (shares[0], shares[20], shares[-1], sum(shares)) == (0.25, 0.25, 0.5, 1)


def test_layers_are_those_with_parameters_of_their_own():
    network = nn.Sequential(nn.Linear(2, 3), nn.ELU(), nn.Sequential(nn.BatchNorm1d(3)))
    assert [*clips.layers_of(network)] == ["0 Linear", "2.0 BatchNorm1d"]


def test_a_clip_sweep_tells_which_layers_are_pinned(prepared, tmp_path, monkeypatch):
    monkeypatch.setattr(clips, "require_extractor", lambda: pixels)
    runs = [
        untrained(tmp_path / f"{clip}", prepared, "wgan-clip", f"objective.settings.clip={clip}")
        for clip in (1e-9, 1e9)
    ]
    for run in runs:
        log = [{"step": step, "state/wasserstein": 0.5 * step} for step in (1, 2)]
        (run / "log.jsonl").write_text("".join(json.dumps(line) + "\n" for line in log))
    clips.clip_sweep(runs, out=tmp_path / "sweep.json", count=6)
    rows = json.loads((tmp_path / "sweep.json").read_text())["results"]["rows"]
    assert rows[0]["saturation"]["classifier Conv2d"] > 0.9 > rows[1]["saturation_of_all"] == 0
    assert rows[0]["wasserstein"] == 1
