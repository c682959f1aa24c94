"""Guards at work in a run: they warn, stop it, roll it back, and never change what it computes."""

from contextlib import nullcontext

import pytest
import torch

from tests.helpers.training.callbacks import StopError, no_progress, stop_at_three
from tests.helpers.training.run_comparison import assert_same_end
from tests.helpers.training.small_run import small_recipe
from training.common.errors import RecipeError, RunError
from training.config.load import load_recipe
from training.data.batches import BatchSource
from training.monitors.base import read_findings
from training.monitors.monitor_set import MonitorSet
from training.runs.checkpoints.checkpoint import checkpoints, load_checkpoint, save_checkpoint
from training.runs.checkpoints.train_state import build_train_state
from training.runs.metric_logger import read_log
from training.runs.run_dir import RunDir
from training.trainer.checkpointer import Checkpointer
from training.trainer.monitor_callback import MONITOR_STATE, MonitorCallback
from training.trainer.run import resume, start

# Grids take longer than steps.
LOOK = ["guards.every=1", "guards.warmup=0", "run.sample_every=100"]
# No fill of six steps has a quarter more contrast than photographs have.
GREY = [*LOOK, "guards.greyness.ratio=0.99", "guards.greyness.act_after=0"]
STOPPING = [*GREY, "guards.greyness.act_after=3"]
PIXELS = ("greyness", "collapse", "checkerboard", "saturation")
JUMP = [*LOOK, *(f"guards.{name}.enabled=false" for name in PIXELS), "guards.jump.least_looks=3"]


def no_finding(finding):
    """Nobody listens."""


def ends(folder):
    return [place.name for place in checkpoints(folder / "checkpoints")]


@pytest.fixture(scope="module")
def guarded(prepared, tmp_path_factory):
    """A whole run whose greyness guard warns, and what it was told."""
    folder, found = tmp_path_factory.mktemp("runs") / "guarded", []
    start(small_recipe(*GREY), [prepared], folder, no_progress, found.append)
    return folder, found


def test_monitor_finding_is_recorded_and_reported_once(guarded):
    folder, found = guarded
    grey = [entry for entry in read_findings(folder) if entry["guard"] == "greyness"]
    assert [(entry["step"], entry["action"]) for entry in grey] == [(1, "warn")]
    assert [str(f) for f in found if f.guard == "greyness"] == [
        f"step 1: guard greyness: {grey[0]['message']}"
    ]


def test_guards_change_nothing_of_what_a_run_computes(guarded, prepared, tmp_path):
    start(small_recipe(*LOOK, "guards.enabled=false"), [prepared], tmp_path / "off", no_progress)
    watched, alone = (
        load_checkpoint(folder / "checkpoints")[1] for folder in (guarded[0], tmp_path / "off")
    )
    assert not read_findings(tmp_path / "off")
    assert watched.pop(MONITOR_STATE) != alone.pop(MONITOR_STATE)
    weights = [watched["generator"], alone["generator"]]
    assert all(torch.equal(weights[0][name], weights[1][name]) for name in weights[0])


def test_monitored_run_resumes_to_same_end_and_findings(guarded, prepared, tmp_path, capsys):
    folder = tmp_path / "cut"
    with pytest.raises(StopError):
        start(small_recipe(*GREY), [prepared], folder, stop_at_three)
    assert "step 1: guard greyness: grey fills" in capsys.readouterr().err
    resume(folder, [], no_progress)
    assert_same_end(guarded[0], folder)
    assert read_findings(folder) == read_findings(guarded[0])


def test_monitor_stops_run_with_line_and_checkpoint(prepared, tmp_path):
    folder, found = tmp_path / "run", []
    with pytest.raises(RunError, match=r"^step 4: guard greyness: grey fills.*\Z") as stopped:
        start(small_recipe(*STOPPING), [prepared], folder, no_progress, found.append)
    assert "--set guards.greyness.act_after=0 only warns" in str(stopped.value)
    assert ends(folder)[-1] == "step-00000004"
    assert 4 not in [finding.step for finding in found]
    resume(folder, ["guards.greyness.act_after=0"], no_progress)
    assert ends(folder)[-1] == "step-00000006"


def spike(*steps):
    """Let the loss jump when these steps are done for the first time; remember all steps."""
    waiting, seen = set(steps), []

    def on_step(step, figures):
        seen.append(step)
        if step in waiting:
            waiting.remove(step)
            figures["generator/l2"] += 1000

    return on_step, seen


def test_a_loss_jump_rolls_back_and_goes_on(prepared, tmp_path):
    folder, found = tmp_path / "run", []
    on_step, seen = spike(6, 7)
    start(small_recipe(*JUMP, "run.steps=8"), [prepared], folder, on_step, found.append)
    assert [(f.step, f.action.value) for f in found] == [(6, "warn"), (7, "roll back")]
    assert seen == [1, 2, 3, 4, 5, 6, 7, 5, 6, 7, 8]
    assert [entry["step"] for entry in read_log(folder)] == [1, 2, 3, 4, 5, 6, 7, 8]
    assert load_checkpoint(folder / "checkpoints")[1][MONITOR_STATE]["rollbacks"] == 1


def test_steps_repeated_after_rollback_draw_other_noise(prepared, tmp_path):
    losses = []
    for name, jumps in (("smooth", ()), ("jumped", (3, 4))):
        recipe = small_recipe(*JUMP, "run.steps=4", "guards.jump.least_looks=2")
        start(recipe, [prepared], tmp_path / name, spike(*jumps)[0], no_finding)
        losses.append([entry["generator/l2"] for entry in read_log(tmp_path / name)])
    smooth, jumped = losses
    assert smooth[:2] == jumped[:2]
    assert smooth[2] != jumped[2] < 100


def test_jump_without_earlier_checkpoint_stops_the_run(prepared, tmp_path):
    recipe = small_recipe(*JUMP, "run.checkpoint_every=100")
    with pytest.raises(RunError, match=r"guard jump: .*; no checkpoint from before step 4"):
        start(recipe, [prepared], tmp_path / "run", spike(4, 5)[0], no_finding)


def test_config_change_at_resume_resets_loss_comparison(prepared, tmp_path):
    folder = tmp_path / "run"
    start(small_recipe(*JUMP, "run.steps=5"), [prepared], folder, no_progress)
    resume(folder, ["run.steps=6", "objective.settings.l2=1000"], no_progress)
    assert not read_findings(folder)
    assert len(load_checkpoint(folder / "checkpoints")[1][MONITOR_STATE]["past"]["generator"]) == 1


@pytest.mark.parametrize(("part", "welcome"), [(MONITOR_STATE, True), ("objective", False)])
def test_checkpoint_lacking_only_monitors_resumes(part, welcome, prepared, tmp_path):
    folder = tmp_path / "run"
    start(small_recipe(*JUMP, "run.steps=2"), [prepared], folder, no_progress)
    step, state = load_checkpoint(folder / "checkpoints")
    del state[part]
    save_checkpoint(folder / "checkpoints", step, state)
    with nullcontext() if welcome else pytest.raises(RunError, match=f"{part} does not fit"):
        resume(folder, ["run.steps=3"], no_progress)


PLAIN = ["engine.device=cpu", "picture.size=32", "picture.view=shrink"]
SIZES = [
    f"{p}.settings.{s}" for p in ("generator", "discriminator") for s in ("width=4", "size=32")
]


def lookout(recipe, pictures, folder):
    state = build_train_state(recipe, 8, torch.device("cpu"))
    batches = BatchSource([pictures], 4, 0.5, recipe.augment, 0, recipe.picture)
    checkpointer = Checkpointer(RunDir.create(folder, recipe, {}), state, {})
    return MonitorCallback(checkpointer, MonitorSet(recipe.guards), batches, no_finding)


def test_monitor_check_leaves_torch_rng_and_mode_unchanged(pictures, tmp_path):
    looking = lookout(small_recipe("run.ema=0"), pictures, tmp_path / "run")
    looking.state.generator.train()
    state = torch.get_rng_state()
    first, second = looking.fills(), looking.fills()
    assert torch.equal(torch.get_rng_state(), state)
    assert all(module.training for module in looking.state.generator.modules())
    assert torch.equal(first, second)


def test_monitors_see_centres_and_no_absent_clip(pictures, tmp_path):
    seen = lookout(small_recipe(), pictures, tmp_path / "run").observe(1, {})
    assert seen.fills.shape == seen.reals.shape == (24, 3, 32, 32)
    assert len(torch.unique(seen.reals, dim=0)) == 24
    assert seen.clip is None


def test_monitors_see_whole_pictures_and_critic_clipping(pictures, tmp_path):
    recipe = load_recipe("wgan-clip", [*PLAIN, *SIZES])
    seen = lookout(recipe, pictures, tmp_path / "run").observe(1, {})
    assert seen.fills.shape == seen.reals.shape == (24, 3, 32, 32)
    assert seen.clip == 0.01


def test_a_mistyped_guard_of_a_recipe_is_named():
    with pytest.raises(RecipeError, match=r"guards.greynes.*did you mean greyness"):
        small_recipe("guards.greynes.ratio=0.3")
